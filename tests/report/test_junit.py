"""JUnit XML: counts, failures that tell all, and text that XML cannot hold."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from converter.model.baseline import BaselineChange, BaselineReport
from converter.model.result import Message, RunReport, Status
from converter.report.junit import render_junit, write_junit
from tests.report.report_builders import all_ok, exported, failed, good, mixed, model, run


def parsed(report: RunReport) -> ET.Element:
    return ET.fromstring(render_junit(report))


def test_counts_are_those_of_the_cases(report: RunReport) -> None:
    root = parsed(report)
    for count, kind in (
        ("tests", "testcase"),
        ("failures", "testcase/failure"),
        ("errors", "testcase/error"),
        ("skipped", "testcase/skipped"),
    ):
        for suite in root:
            assert int(suite.get(count, "")) == len(suite.findall(kind))
        assert int(root.get(count, "")) == len(root.findall(f"testsuite/{kind}"))
    stages = sum(len(m.stages) for m in report.models)
    assert int(root.get("tests", "")) == stages + len(report.pipelines)


def test_every_stage_is_a_case_of_its_model() -> None:
    root = parsed(all_ok())
    (suite,) = [s for s in root if s.get("name") == "PP-OCRv5_mobile_det"]
    names = [case.get("name") for case in suite.findall("testcase")]
    assert names == ["inspect", "export", "simplify", "validate", "compile"]
    assert {case.get("classname") for case in suite.findall("testcase")} == {
        "paddle2om.PP-OCRv5_mobile_det"
    }
    assert not suite.findall("testcase/failure")


def test_a_failure_says_all_by_itself() -> None:
    report = mixed()
    root = parsed(report)
    for m in report.models:
        if m.failure is None or m.failure.error is None:
            continue
        (suite,) = [s for s in root if s.get("name") == m.name]
        crashed = m.failure.status in (Status.CRASHED, Status.TIMEOUT)
        (found,) = suite.findall(f"testcase/{'error' if crashed else 'failure'}")
        assert found.text is not None
        for words in (m.name, m.failure.stage, f"hint: {m.failure.error.hint}", report.command):
            assert " ".join(words.split()) in " ".join(found.text.split())


def test_strict_fails_what_is_degraded() -> None:
    degraded = exported(Status.DEGRADED).model_copy(
        update={
            "messages": (
                Message(level="info", text="a remark"),
                Message(level="warning", text="a fallback", hint="h"),
            )
        }
    )
    models = [model("m", degraded)]
    assert not parsed(run(models)).findall("testsuite/testcase/failure")
    (failure,) = parsed(run(models, strict=True)).findall("testsuite/testcase/failure")
    assert failure.get("message") == "a fallback"


def test_characters_that_xml_has_not() -> None:
    text = "\x1b[31mred\x00 \ud800 <tag> & \uffff"
    root = parsed(run([model(f"m{text}", failed("export", text, text))]))
    (failure,) = root.findall("testsuite/testcase/failure")
    assert "\\x1b[31mred\\x00 \\ud800 <tag> & \\uffff" in (failure.text or "")


def test_the_baseline_is_a_suite() -> None:
    changes = (
        BaselineChange(model="a", what="nodes", before=1, now=2, limit=1, verdict="worse"),
        BaselineChange(model="b", what="model", before=None, now="ok", verdict="new"),
    )
    baseline = BaselineReport(file="b.json", compared=1, changes=changes)
    root = parsed(run([good("a"), good("b")], baseline=baseline))
    (suite,) = [s for s in root if s.get("name") == "baseline"]
    assert [case.get("name") for case in suite.findall("testcase")] == [
        "1 model compared", "nodes", "model"
    ]  # fmt: skip
    (failure,) = suite.findall("testcase/failure")
    assert failure.get("message") == "nodes: 2, was 1 (up to 1 passes)"


def test_a_file(tmp_path) -> None:
    write_junit(all_ok(), tmp_path / "new" / "junit.xml")
    assert ET.parse(tmp_path / "new" / "junit.xml").getroot().tag == "testsuites"


def test_changes_that_are_the_new_baseline_fail_nothing() -> None:
    """The run exits with 0, and a CI system must not show failures of it."""
    change = BaselineChange(model="a", what="nodes", before=1, now=2, limit=1, verdict="worse")
    baseline = BaselineReport(file="b.json", compared=1, changes=(change,), updated=True)
    report = run([good("a")], baseline=baseline)
    assert report.exit_code == 0
    root = parsed(report)
    assert root.get("failures") == "0"
    (suite,) = [s for s in root if s.get("name") == "baseline"]
    told = [out.text for out in suite.findall("testcase/system-out")]
    assert told == ["b.json written", "nodes: 2, was 1 (up to 1 passes)"]
