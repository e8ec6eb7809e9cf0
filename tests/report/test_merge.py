"""Shards become one report: nothing twice, nothing missing unsaid, paths that lead somewhere."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from converter.cli.app import app
from converter.engine.out_directory import held
from converter.errors import InputError
from converter.model.recipe import PlannedPipeline
from converter.model.result import Artefact, PipelineReport, RunReport, Shard
from converter.model.run_manifest import manifest_of
from converter.model.task import ConvertOptions
from converter.report.html import render_html
from converter.report.junit import render_junit
from converter.report.markdown import render_markdown
from converter.report.merge import merge_reports
from converter.report.summary import verdict
from converter.report.terminal import render_table
from tests.report.report_builders import failed, good, model, run, write_json

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
    assert report.missing == ()
    assert RunReport.model_validate_json(report.model_dump_json()) == report


def test_what_a_shards_baseline_knew_the_merged_ones_has_to_know(tmp_path: Path) -> None:
    broken = failed("export", "no mapper", "leave it out", known_to_fail=True)
    gated = shard(1, "a").model_copy(update={"models": (model("a", broken),)})
    assert gated.exit_code == 0
    assert merged(tmp_path, gated, shard(2, "b", "c")).exit_code == 1


def test_paths_lead_to_the_shards_files(tmp_path: Path) -> None:
    one = shard(1, "a", "b")
    report = merged(tmp_path, one, shard(2, "c"))
    for before, after in zip(one.models, report.models[:2], strict=True):
        for old, new in zip(before.stages, after.stages, strict=True):
            for was, now in zip(old.artefacts, new.artefacts, strict=True):
                found = (tmp_path / "all" / now.path).resolve()
                assert found == (tmp_path / "s1" / was.path).resolve()


def test_a_pipelines_paths_lead_to_its_files_and_its_manifest_stays(tmp_path: Path) -> None:
    asked = PlannedPipeline(name="OCR", base="OCR", out="OCR.yaml")
    pipeline = PipelineReport(
        name="OCR",
        config="OCR.yaml",
        backend="onnx",
        modules={},
        image="pages/page.png",
        asked=asked,
        artefacts=tuple(
            Artefact(path=path, bytes=1, sha256="a" * 64)
            for path in ("OCR.yaml", "OCR-models/x/inference.yml")
        ),
    )
    made_with = {"options": ConvertOptions()}
    one = run(
        [good("a").model_copy(update=made_with)], pipelines=(pipeline,), out_dir="/elsewhere/s1"
    )
    two = run([good("c").model_copy(update=made_with)])
    report = merged(tmp_path, two, one)
    whole = merge_reports(
        [(tmp_path / "all" / "report.json", report)], tmp_path / "deep" / "er" / "x"
    )
    for each, where in ((report, "all"), (whole, "deep/er/x")):
        (moved,) = each.pipelines
        there = [moved.config, moved.image, *(file.path for file in moved.artefacts)]
        assert [(tmp_path / where / str(path)).resolve() for path in there] == [
            tmp_path / "s2" / path
            for path in ("OCR.yaml", "pages/page.png", "OCR.yaml", "OCR-models/x/inference.yml")
        ]
        manifest = manifest_of(each)
        assert manifest is not None
        before = manifest_of(one)
        assert before is not None
        assert manifest.pipelines == before.pipelines
        assert manifest.pipelines[0].out_dir == "/elsewhere/s1"


def test_the_worst_exit_code_counts(tmp_path: Path) -> None:
    bad = run([model("x", failed("export", "m", "h", code=4))])
    assert merged(tmp_path, run([good("a")]), bad).exit_code == 4


def test_a_shard_that_did_not_run_is_named(tmp_path: Path) -> None:
    report = merged(tmp_path, shard(1, "a"))
    assert report.missing == ("b", "c")
    assert report.exit_code == 1
    assert shard(1, "a").missing == ()


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
    assert again.missing == ()
    whole = merged(tmp_path, merged(tmp_path, one), merged(tmp_path, three, two))
    assert whole.versions == {"onnx": "1 | 2"}
    assert whole.missing == ()


def test_a_file_that_is_given_twice(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with pytest.raises(InputError, match=r"report\.json is given twice"):
        merge_reports([(file, run([])), (tmp_path / "x" / ".." / "report.json", run([]))], tmp_path)


def test_a_merged_report_beside_one_of_its_parts(tmp_path: Path) -> None:
    one = shard(1, "a")
    with pytest.raises(InputError, match=r"a is in .*s1.* and in .*s2"):
        merged(tmp_path, merged(tmp_path, one), one)


def test_no_view_of_a_report_that_lacks_a_shard_is_green(tmp_path: Path) -> None:
    report = merged(tmp_path, shard(1, "a"))
    told = verdict(report)
    assert told.mark.tone == "bad"
    assert told.headline == "1 model passed, 2 models missing"
    assert told.exit_meaning == "a shard is missing"
    markdown = render_markdown(report)
    assert markdown.startswith("## ❌")
    assert "no shard has b, c" in markdown
    assert "1 of 1" not in markdown
    page = render_html(report)
    assert "no shard has b, c" in page
    assert re.search('<h1 class="tone-bad">.*1 model passed, 2 models missing', page)
    junit = ET.fromstring(render_junit(report))
    assert junit.get("errors") == "2"
    errors = [
        case.get("classname") for case in junit.iter("testcase") if case.find("error") is not None
    ]
    assert errors == ["paddle2om.b", "paddle2om.c"]


def test_every_view_names_as_many_missing_models(tmp_path: Path) -> None:
    names = ("a", *(f"m{number}" for number in range(9)))
    part = run([good("a")], shard=Shard(index=1, count=2, models=names))
    report = merged(tmp_path, part)
    told = "no shard has m0, m1, m2, m3, m4 and 4 more"
    shown = io.StringIO()
    Console(file=shown, width=200).print(render_table(report))
    assert told in shown.getvalue()
    assert told in render_markdown(report)
    assert "no shard has " + ", ".join(names[1:]) in render_html(report)


def test_showing_a_report_that_lacks_a_shard_exits_as_its_merge(tmp_path: Path) -> None:
    write_json(shard(1, "a"), tmp_path / "s1" / "report.json")
    out = str(tmp_path / "all")
    for args in (["merge", str(tmp_path / "s1"), "-o", out], ["show", out]):
        ran = CliRunner().invoke(app, ["report", *args])
        assert ran.exit_code == 1
        assert "no shard has b, c" in ran.stderr
        assert "hint: a shard did not run" in ran.stderr


def merge_command(tmp_path: Path, out: Path | str, *flags: str) -> Result:
    for index, name in ((1, "ab"), (2, "c")):
        write_json(shard(index, *name), tmp_path / f"s{index}" / "report.json")
    parts = [str(tmp_path / f"s{index}") for index in (1, 2)]
    return CliRunner().invoke(app, ["report", "merge", *parts, "-o", str(out), *flags])


def test_a_merged_report_replaces_none_of_its_parts(tmp_path: Path) -> None:
    ended = merge_command(tmp_path, tmp_path / "s1", "--force")
    assert isinstance(ended.exception, InputError)
    assert "is one of the reports, and the merged one would replace it" in str(ended.exception)
    assert ended.exception.hint
    left = RunReport.model_validate_json((tmp_path / "s1" / "report.json").read_bytes())
    assert [each.name for each in left.models] == ["a", "b"]


def test_a_merged_report_replaces_its_like_and_nobody_elses(tmp_path: Path) -> None:
    out = tmp_path / "all"
    assert merge_command(tmp_path, out).exit_code == 0
    assert merge_command(tmp_path, out).exit_code == 0
    (out / "report.html").write_text("somebody's")
    ended = merge_command(tmp_path, out)
    assert isinstance(ended.exception, InputError)
    assert "was not made by paddle2om" in str(ended.exception)
    assert (out / "report.html").read_text() == "somebody's"
    assert merge_command(tmp_path, out, "--force").exit_code == 0
    assert "somebody's" not in (out / "report.html").read_text()


def test_a_merged_report_stays_out_of_another_runs_directory(tmp_path: Path) -> None:
    with held(tmp_path / "all"):
        ended = merge_command(tmp_path, tmp_path / "all")
    assert isinstance(ended.exception, InputError)
    assert "another paddle2om is writing" in str(ended.exception)


def test_merging_into_a_directory_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = merge_command(tmp_path, "")
    assert ended.exit_code == 2


def test_a_crash_counts_more_than_a_shard_that_is_missing(tmp_path: Path) -> None:
    bad = model("a", failed("validate", "m", "h", code=4))
    part = Shard(index=1, count=2, models=NAMES)
    report = merged(tmp_path, run([bad], shard=part))
    assert report.exit_code == 4
    assert verdict(report).headline == "1 model failed, 2 models missing"
