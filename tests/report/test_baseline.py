"""Baselines: what is written, and what counts as worse."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from converter.errors import InputError
from converter.model.baseline import Baseline, BaselineReport, OutputBaseline
from converter.model.result import RunReport, Shard, StageResult, Status
from converter.report.baseline import (
    baseline_of,
    compare_baseline,
    read_baseline,
    update_baseline,
    with_known_failures,
)
from converter.report.baseline_text import change_text, hint_text, update_texts
from converter.report.html import render_html
from converter.report.junit import render_junit
from converter.report.markdown import render_markdown
from converter.report.summary import MARKS
from converter.report.summary import verdict as verdict_of
from converter.report.terminal import render_table
from tests.report.report_builders import (
    all_ok,
    exported,
    failed,
    good,
    mixed,
    model,
    output,
    run,
    simplified,
    skipped,
    validated,
    validation,
)

FILE = Path("baseline.json")


def report_with(**changes: object) -> RunReport:
    facts = validated(output(**changes))
    return run([model("m", exported(), simplified(), validation(facts))])


def write_baseline(
    report: RunReport, path: Path, *, prune: bool = False, accept: bool = False
) -> BaselineReport:
    before = read_baseline(path) if path.exists() else Baseline()
    compared = compare_baseline(report, before, path)
    told, written = update_baseline(report, compared, path, prune=prune, accept=accept)
    assert read_baseline(path) == written
    return told


def gated(report: RunReport, path: Path) -> RunReport:
    """The report as ``--baseline`` makes it."""
    base = read_baseline(path)
    told = compare_baseline(report, base, path)
    return with_known_failures(report.model_copy(update={"baseline": told}), base)


def shown(report: RunReport, width: int = 160) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(render_table(report))
    return text.getvalue()


def compared(before: RunReport, now: RunReport) -> list[tuple[str, str]]:
    base = Baseline(models={m.name: baseline_of(m) for m in before.models})
    changes = compare_baseline(now, base, FILE).changes
    return [(change.what, change.verdict) for change in changes]


def test_the_same_run_changes_nothing() -> None:
    assert compared(all_ok(), all_ok()) == []


def test_a_file_is_sorted_and_the_same_twice(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    models = [good("b"), good("a")]
    write_baseline(run(models), path)
    first = path.read_bytes()
    write_baseline(run(models[::-1]), path)
    assert path.read_bytes() == first
    content = json.loads(first)
    assert list(content["models"]) == ["a", "b"]
    assert list(content) == sorted(content)
    assert read_baseline(path).models["a"].opset == 11


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({"max_abs": 1e-5}, {"max_abs": 1.9e-5}, []),
        ({"max_abs": 1e-5}, {"max_abs": 3e-5}, [("max_abs of fetch_name_0", "worse")]),
        ({"max_abs": 3e-5}, {"max_abs": 1e-5}, [("max_abs of fetch_name_0", "better")]),
        ({"max_abs": 0.0}, {"max_abs": 9e-7}, []),
        ({"max_abs": 0.0}, {"max_abs": 1e-6}, [("max_abs of fetch_name_0", "worse")]),
        ({"max_abs": 1e-5}, {"max_abs": math.nan}, [("max_abs of fetch_name_0", "worse")]),
        ({"max_abs": 1e-5}, {"max_abs": math.inf}, [("max_abs of fetch_name_0", "worse")]),
        ({"cosine": 0.99999}, {"cosine": 0.999985}, []),
        ({"cosine": 0.9999}, {"cosine": 0.9998}, [("cosine of fetch_name_0", "worse")]),
        (
            {"argmax_agreement": 1.0},
            {"argmax_agreement": 0.99},
            [("argmax_agreement of fetch_name_0", "worse")],
        ),
        ({"argmax_agreement": None}, {"argmax_agreement": None}, []),
        (
            {"argmax_agreement": 1.0},
            {"argmax_agreement": None},
            [("argmax_agreement of fetch_name_0", "worse")],
        ),
    ],
)
def test_metrics(
    before: dict[str, float], now: dict[str, float], found: list[tuple[str, str]]
) -> None:
    assert compared(report_with(**before), report_with(**now)) == found


def test_an_error_that_becomes_infinite_in_one_case_is_worse(tmp_path: Path) -> None:
    """The other cases' finite errors must not stand for it."""
    facts = validated(output(relative_l2=1e-6), output(relative_l2=math.inf))
    now = run([model("m", exported(), simplified(), validation(facts))])
    assert compared(report_with(relative_l2=1e-6), now) == [
        ("relative_l2 of fetch_name_0", "worse")
    ]
    path = tmp_path / "b.json"
    write_baseline(now, path)
    assert read_baseline(path).models["m"].outputs["fetch_name_0"].relative_l2 is None
    assert compare_baseline(now, read_baseline(path), path).changes == ()
    (change,) = compare_baseline(
        now, Baseline(models={"m": baseline_of(report_with(relative_l2=1e-6).models[0])}), FILE
    ).changes
    assert change_text(change).startswith("relative_l2 of fetch_name_0: inf, was 1e-06")


def test_an_output_that_is_gone_is_worse() -> None:
    now = report_with(name="other")
    found = [("output fetch_name_0", "missing"), ("output other", "new")]
    assert compared(report_with(), now) == found
    entry = baseline_of(report_with().models[0])
    random = entry.model_copy(update={"outputs": {"fetch_name_0": OutputBaseline()}})
    report = compare_baseline(now, Baseline(models={"m": random}), FILE)
    assert [(c.what, c.verdict) for c in report.changes] == found
    assert change_text(report.changes[0]).startswith("output fetch_name_0: in the baseline")
    assert "--prune" not in hint_text(report.failures)


def test_opset_nodes_bytes_and_status() -> None:
    before = run([model("m", exported(opset=11), simplified(), validation())])
    higher = run([model("m", exported(opset=13), simplified(), validation())])
    assert compared(before, higher) == [("opset", "worse")]
    assert compared(higher, before) == [("opset", "changed")]
    plain = run([model("m", exported(), skipped("simplify", "off"), validation())])
    assert ("nodes", "worse") in compared(before, plain)
    degraded = run([model("m", exported(Status.DEGRADED), simplified(), validation())])
    assert compared(before, degraded) == [("status", "worse")]
    assert compared(degraded, before) == [("status", "better")]
    (entry,) = (baseline_of(m) for m in before.models)
    assert entry.bytes is not None
    base = Baseline(models={"m": entry.model_copy(update={"bytes": entry.bytes // 2})})
    changes = compare_baseline(before, base, FILE).changes
    assert [(change.what, change.verdict) for change in changes] == [("bytes", "worse")]


def test_a_status_is_better_or_worse_by_what_it_means() -> None:
    before = baseline_of(good("m"))
    degraded = run([model("m", exported(Status.DEGRADED), simplified(), validation())])
    for was, verdict in (("failed", "better"), ("crashed", "better"), ("ok", "worse")):
        base = Baseline(models={"m": before.model_copy(update={"status": was})})
        (change,) = compare_baseline(degraded, base, FILE).changes
        assert (change.what, change.verdict) == ("status", verdict)


def test_an_output_that_the_baseline_lacks_is_named() -> None:
    """Nothing is compared of it: that must not look as if it were."""
    two = run(
        [
            model(
                "m",
                exported(),
                simplified(),
                validation(validated(output(), output(name="other"))),
            )
        ]
    )
    assert compared(report_with(), two) == [("output other", "new")]
    entry = baseline_of(report_with().models[0])
    (change,) = compare_baseline(two, Baseline(models={"m": entry}), FILE).changes
    assert change_text(change) == "output other: not in the baseline"
    bare = entry.model_copy(update={"outputs": {"fetch_name_0": OutputBaseline()}})
    found = compare_baseline(report_with(), Baseline(models={"m": bare}), FILE)
    assert [(c.what, c.verdict) for c in found.changes] == [("output fetch_name_0", "new")]
    assert not found.failures


def test_a_metric_that_the_baseline_lacks_is_named() -> None:
    before, now = report_with(argmax_agreement=None), report_with(argmax_agreement=0.5)
    assert compared(before, now) == [("argmax_agreement of fetch_name_0", "new")]
    base = Baseline(models={m.name: baseline_of(m) for m in before.models})
    (change,) = compare_baseline(now, base, FILE).changes
    assert change_text(change) == "argmax_agreement of fetch_name_0: 0.5; not in the baseline"


def test_models_that_a_run_does_not_have_stay(tmp_path: Path) -> None:
    """A run of some models must not take the gate away from the others."""
    path = tmp_path / "b.json"
    write_baseline(run([good("a"), good("b"), good("c")]), path)
    before = path.read_bytes()
    written = write_baseline(run([good("b")]), path)
    assert path.read_bytes() == before
    assert (written.kept, written.dropped, written.changes) == (("a", "c"), (), ())
    assert update_texts(written) == ["2 models kept, not in this run: a, c"]
    report = run([good("b")], baseline=written)
    assert report.exit_code == 0
    for view in (render_html, render_junit, render_markdown):
        assert "2 models kept, not in this run: a, c" in view(report)
    assert "2 models kept, not in this run: a, c" in shown(report)


def test_models_that_a_run_does_not_have_go_when_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(run([good("a"), good("b"), *(good(f"c{i}") for i in range(7))]), path)
    missing = compare_baseline(run([good("b")]), read_baseline(path), path)
    assert "--prune-baseline" in hint_text(missing.failures)
    assert "--prune-baseline" not in hint_text(missing.failures[:0])
    written = write_baseline(run([good("b")]), path, prune=True)
    assert list(read_baseline(path).models) == ["b"]
    assert update_texts(written) == [
        "8 models dropped, not in this run: a, c0, c1, c2, c3 and 3 more"
    ]


@pytest.mark.parametrize("prune", [False, True])
def test_a_shard_keeps_the_models_of_the_others(prune: bool, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(run([good("a"), good("b"), good("gone")]), path)
    shard = Shard(index=1, count=2, models=("a", "b"))
    written = write_baseline(run([good("a")], shard=shard), path, prune=prune)
    kept = ["a", "b"] if prune else ["a", "b", "gone"]
    assert list(read_baseline(path).models) == kept
    assert written.kept == tuple(kept[1:])


def test_models_that_are_missing_or_new() -> None:
    base = Baseline(models={"a": baseline_of(good("a"))})
    report = compare_baseline(run([good("b")]), base, FILE)
    assert [(c.model, c.verdict) for c in report.changes] == [("a", "missing"), ("b", "new")]
    assert [c.model for c in report.failures] == ["a"]
    failing = run([good("b")]).model_copy(update={"baseline": report})
    assert failing.exit_code == 3
    written = failing.model_copy(update={"baseline": report.model_copy(update={"updated": True})})
    assert written.exit_code == 0


def test_a_shard_answers_for_its_own_models() -> None:
    base = Baseline(models={name: baseline_of(good(name)) for name in ("a", "b", "gone")})
    shard = Shard(index=1, count=2, models=("a", "b"))
    report = compare_baseline(run([good("a")], shard=shard), base, FILE)
    assert [(c.model, c.verdict) for c in report.changes] == [("gone", "missing")]


def test_a_failed_model_keeps_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    report = mixed()
    names = [m.name for m in report.models if m.failure]
    assert names
    base = Baseline(models={names[0]: baseline_of(good(names[0]))})
    path.write_text(base.model_dump_json())
    write_baseline(report, path)
    written = read_baseline(path)
    assert written.models[names[0]] == base.models[names[0]]
    assert not set(names[1:]) & set(written.models)
    assert compare_baseline(report, written, FILE).failures


def test_a_known_failure_is_marked_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    report = mixed()
    told = write_baseline(report, path, accept=True)
    assert told.accepted == tuple(sorted(m.name for m in report.models if m.failure))
    known = read_baseline(path).failures["broken"]
    assert (known.stage, known.exit_code) == ("inspect", 2)
    assert known.message == "models/broken has no inference.json and no inference.pdmodel"
    crash = next(m.failure for m in report.models if m.status is Status.CRASHED)
    assert crash is not None
    assert crash.error is not None
    assert crash.error.message.splitlines()[0] in {
        each.message for each in read_baseline(path).failures.values()
    }
    assert not set(told.accepted) & set(read_baseline(path).models)
    first = path.read_bytes()
    assert write_baseline(report, path, accept=True).accepted == ()
    assert path.read_bytes() == first

    now = gated(report, path)
    assert now.baseline is not None
    assert now.baseline.changes == ()
    assert {m.name for m in now.models if m.known_to_fail} == set(told.accepted)
    assert [m.status for m in now.models] == [m.status for m in report.models]
    assert now.exit_code == 1  # the pipeline that broke is not of the baseline
    assert now.model_copy(update={"pipelines": ()}).exit_code == 0


BROKEN = failed("export", "no mapper\n  at line 2", "leave it out")


@pytest.mark.parametrize(
    ("now", "code", "what"),
    [
        (BROKEN, 0, []),
        (failed("export", "another message", "", 1), 0, []),
        (failed("validate", "no mapper", "", 1), 1, [("failure", "worse")]),
        (failed("export", "no mapper", "", 4), 4, [("failure", "worse")]),
        (failed("export", "no mapper", "", 3), 3, [("failure", "worse")]),
        (exported(), 0, [("failure", "better")]),
    ],
    ids=["same", "message", "stage", "code", "gate", "passes"],
)
def test_what_is_known_is_the_stage_and_the_exit_code(
    now: StageResult, code: int, what: list[tuple[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "b.json"
    write_baseline(run([model("m", BROKEN), good("a")]), path, accept=True)
    report = gated(run([model("m", now), good("a")]), path)
    assert report.exit_code == code
    assert report.baseline is not None
    assert [(c.what, c.verdict) for c in report.baseline.changes] == what
    assert report.models[0].known_to_fail == (code == 0 and now.status.is_failure)


def test_a_regression_is_not_hidden_behind_what_is_known(tmp_path: Path) -> None:
    """The exit code of an old failure wins over that of worse numbers."""
    path = tmp_path / "b.json"
    before = model("n", exported(), simplified(), validation(validated(output(max_abs=1e-5))))
    worse = model("n", exported(), simplified(), validation(validated(output(max_abs=1e-4))))
    broken = model("m", BROKEN)
    write_baseline(run([broken, before]), path, accept=True)
    assert gated(run([broken, worse]), path).exit_code == 3
    assert gated(run([broken, before]), path).exit_code == 0
    assert gated(run([broken, model("x", BROKEN), before]), path).exit_code == 1


def test_failures_are_known_only_when_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    report = run([model("m", BROKEN), good("a")])
    told = write_baseline(report, path)
    assert read_baseline(path).failures == {}
    assert (told.left_out, told.accepted) == (("m",), ())
    (text,) = update_texts(told)
    assert text.startswith("1 model failed, and not taken up (--accept-failures")
    assert gated(report, path).exit_code == 1
    assert "--accept-failures" in shown(gated(report, path))

    write_baseline(report, path, accept=True)
    otherwise = run([model("m", failed("inspect", "gone", "")), good("a")])
    told = write_baseline(otherwise, path)
    assert (told.left_out, told.changes) == (("m",), ())
    assert read_baseline(path).failures["m"].stage == "export"
    assert write_baseline(otherwise, path, accept=True).accepted == ("m",)
    well = write_baseline(run([good("m"), good("a")]), path)
    assert well.recovered == ("m",)
    assert update_texts(well) == ["1 model passed, and no longer known to fail: m"]
    assert list(read_baseline(path).models) == ["a", "m"]
    assert read_baseline(path).failures == {}


def test_known_failures_that_a_run_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(run([model("m", BROKEN), good("a")]), path, accept=True)
    absent = compare_baseline(run([good("a")]), read_baseline(path), path)
    assert [(c.model, c.verdict) for c in absent.changes] == [("m", "missing")]
    shard = Shard(index=1, count=2, models=("a", "m"))
    assert compare_baseline(run([good("a")], shard=shard), read_baseline(path), path).changes == ()
    assert write_baseline(run([good("a")]), path, accept=True).kept == ("m",)
    assert list(read_baseline(path).failures) == ["m"]
    assert write_baseline(run([good("a")]), path, prune=True).dropped == ("m",)
    assert read_baseline(path).failures == {}


def test_every_view_says_what_is_known_to_fail(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(run([model("m", BROKEN), good("a")]), path, accept=True)
    report = gated(run([model("m", BROKEN), good("a")]), path)
    assert verdict_of(report).headline == "1 of 2 models passed, 1 known to fail"
    assert verdict_of(report).mark is MARKS[Status.OK]
    narrow = shown(report, 60)
    assert "– known " in narrow
    assert narrow.splitlines()[2].startswith("m ")
    told = shown(report)
    assert "– m: export: known to fail: no mapper at line 2" in told
    assert "1 model compared, 1 known to fail" in told
    assert "✗" not in told
    assert "leave it out" not in told
    page = render_html(report)
    assert 'data-status="known to fail"' in page
    assert "tone-bad" not in page.partition("</style>")[2]
    assert "1 model compared, 1 known to fail" in page
    junit = ET.fromstring(render_junit(report))
    assert (junit.get("failures"), junit.get("errors")) == ("0", "0")
    messages = [each.get("message") for each in junit.iter("skipped")]
    assert messages == ["known to fail: no mapper at line 2"]
    summary = render_markdown(report)
    assert "❌" not in summary
    assert "<summary>➖ 1 model known to fail</summary>" in summary
    assert "1 model as in the baseline, 1 known to fail" in summary
    content = json.loads(report.model_dump_json())
    assert [s["known_to_fail"] for s in content["models"][0]["stages"]] == [True]
    assert RunReport.model_validate(content) == report

    alone = run([model("m", BROKEN)], baseline=report.baseline)
    alone = with_known_failures(alone, read_baseline(path))
    assert verdict_of(alone).headline == "1 model known to fail"


def test_one_that_passes_now_is_told(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(run([model("m", BROKEN), good("a")]), path, accept=True)
    report = gated(run([good("m"), good("a")]), path)
    told = "passes now, and is known to fail (export, exit code 1): update the baseline"
    for view in (shown, render_html, render_junit, render_markdown):
        assert told in view(report)
    assert report.exit_code == 0
    otherwise = gated(run([model("m", failed("inspect", "x", "")), good("a")]), path)
    told = "fails otherwise than it is known to (export, exit code 1): inspect, exit code 1"
    for view in (shown, render_html, render_junit, render_markdown):
        assert told in view(otherwise)


def test_slack_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    write_baseline(report_with(max_abs=1e-5), path)
    content = json.loads(path.read_text())
    content["slack"]["error_factor"] = 10
    path.write_text(json.dumps(content))
    now = report_with(max_abs=9e-5)
    assert compare_baseline(now, read_baseline(path), path).changes == ()
    write_baseline(now, path)
    assert read_baseline(path).slack.error_factor == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("{", "not valid JSON"),
        ("[]", "not a baseline"),
        ('{"tool": "paddle2om"}', "not a baseline"),
        ('{"tool": "paddle2om", "schema_version": 2, "models": {}}', "baseline version 2"),
        (
            '{"tool": "paddle2om", "models": {"a": {"opset": "x", "status": "ok"}}}',
            "models.a.opset",
        ),
    ],
)
def test_files_that_are_no_baseline(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as refused:
        read_baseline(path)
    assert refused.value.hint
    with pytest.raises(InputError, match="there is no baseline"):
        read_baseline(tmp_path / "missing.json")


def test_changes_in_words() -> None:
    base = Baseline(models={m.name: baseline_of(m) for m in report_with(max_abs=1e-5).models})
    (change,) = compare_baseline(report_with(max_abs=3e-5), base, FILE).changes
    text = change_text(change)
    assert text.startswith("max_abs of fetch_name_0: 3e-05, was 1e-05 (up to 2.09")
