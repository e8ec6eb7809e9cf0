"""Shards become one report: nothing twice, nothing missing unsaid, paths that lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.result import RunReport, Shard
from converter.report.merge import merge_reports, missing_models
from tests.report.report_builders import failed, good, model, run

NAMES = ("a", "b", "c")


def shard(index: int, *models: str, **changes: object) -> RunReport:
    part = Shard(index=index, count=2, models=NAMES)
    return run([good(name) for name in models], shard=part, **changes)


def merged(tmp_path: Path, *reports: RunReport) -> RunReport:
    files = [(tmp_path / f"s{n}" / "report.json", each) for n, each in enumerate(reports, 1)]
    return merge_reports(files, tmp_path / "all")


def test_shards_become_one_in_the_recipes_order(tmp_path: Path) -> None:
    report = merged(tmp_path, shard(2, "c", seconds=5.0), shard(1, "b", "a", seconds=9.0))
    assert [m.name for m in report.models] == ["a", "b", "c"]
    assert report.seconds == 9.0
    assert report.shard == Shard(index=1, count=1, models=NAMES)
    assert missing_models(report) == ()
    assert RunReport.model_validate_json(report.model_dump_json()) == report


def test_paths_lead_to_the_shards_files(tmp_path: Path) -> None:
    one = shard(1, "a", "b")
    report = merged(tmp_path, one, shard(2, "c"))
    for before, after in zip(one.models, report.models[:2], strict=True):
        for old, new in zip(before.stages, after.stages, strict=True):
            for was, now in zip(old.artefacts, new.artefacts, strict=True):
                found = (tmp_path / "all" / now.path).resolve()
                assert found == (tmp_path / "s1" / was.path).resolve()


def test_the_worst_exit_code_counts(tmp_path: Path) -> None:
    bad = run([model("x", failed("export", "m", "h", code=4))])
    assert merged(tmp_path, run([good("a")]), bad).exit_code == 4


def test_a_shard_that_did_not_run_is_named(tmp_path: Path) -> None:
    assert missing_models(merged(tmp_path, shard(1, "a"))) == ("b", "c")


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ((), "no report to merge"),
        ((run([good("a")]), run([good("a")])), "a is in .*s1.* and in .*s2"),
        ((shard(1, "a"), shard(1, "b")), "are both shard 1 of 2"),
        (
            (shard(1, "a"), run([good("b")], shard=Shard(index=2, count=2, models=("z",)))),
            "is a shard of something else",
        ),
        ((shard(1, "a"), shard(2, "b", version="9.9")), "differ in paddle2om: 9.9"),
        ((shard(1, "a"), shard(2, "b", strict=True)), "differ in --strict"),
    ],
)
def test_what_does_not_fit_together(
    reports: tuple[RunReport, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words) as refused:
        merged(tmp_path, *reports)
    assert refused.value.hint


def test_versions_that_differ_are_joined(tmp_path: Path) -> None:
    other = shard(2, "c", versions={"onnx": "1.18.0"})
    report = merged(tmp_path, shard(1, "a", "b"), other)
    assert report.versions["onnx"].endswith("| 1.18.0")


def test_merged_reports_are_merged_again(tmp_path: Path) -> None:
    """Versions, platforms and commands stay there once, whatever the order of merging."""
    kinds = [
        {"versions": {"onnx": v}, "platform": f"p{v}", "command": f"build {c}", "out_dir": "x"}
        for v, c in (("1", "--shard 1/3"), ("2", "'a && b'"), ("1", "--shard 3/3"))
    ]
    one, two, three = (
        run([good(name)], shard=Shard(index=n, count=3, models=NAMES), **kind)
        for n, (name, kind) in enumerate(zip(NAMES, kinds, strict=True), 1)
    )
    inner = merged(tmp_path, one, two)
    again = merged(tmp_path, inner, three)
    assert again.versions == {"onnx": "1 | 2"}
    assert again.platform == "p1 | p2"
    assert again.command == "build --shard 1/3 && build 'a && b' && build --shard 3/3"
    assert [each.name for each in again.models] == ["a", "b", "c"]
    assert missing_models(again) == ()
    whole = merged(tmp_path, merged(tmp_path, one), merged(tmp_path, three, two))
    assert whole.versions == {"onnx": "1 | 2"}
    assert missing_models(whole) == ()


def test_a_file_that_is_given_twice(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with pytest.raises(InputError, match=r"report\.json is given twice"):
        merge_reports([(file, run([])), (tmp_path / "x" / ".." / "report.json", run([]))], tmp_path)


def test_a_merged_report_beside_one_of_its_parts(tmp_path: Path) -> None:
    one = shard(1, "a")
    with pytest.raises(InputError, match=r"a is in .*s1.* and in .*s2"):
        merged(tmp_path, merged(tmp_path, one), one)
