"""The run report as JUnit XML: a suite per model, a case per stage, as CI systems show them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from converter.model.baseline import BaselineReport
from converter.model.comparison import ValidateFacts
from converter.model.result import ModelReport, RunReport, StageResult, Status
from converter.report import format as fmt
from converter.report.atomic import write_text_through
from converter.report.baseline_text import change_text, compared_text, update_texts
from converter.report.summary import MISSING_HINT, known_text, notes_of, stage_fact

#: What XML 1.0 has no way to write (https://www.w3.org/TR/xml/#charsets).
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Outputs that a failure lists.
_LISTED = 20


def write_junit(report: RunReport, path: Path) -> None:
    """Write ``report`` to ``path``. Raises ``InputError`` when that cannot be."""
    write_text_through(path, render_junit(report))


def render_junit(report: RunReport) -> str:
    """The XML text, in the form of Jenkins' and GitHub's readers (junit-10.xsd)."""
    root = ET.Element("testsuites", name="paddle2om", time=f"{report.seconds:.3f}")
    for model in report.models:
        root.append(_model_suite(report, model))
    if report.missing:
        root.append(_missing_suite(report))
    if report.pipelines:
        root.append(_pipelines_suite(report))
    if report.baseline is not None:
        root.append(_baseline_suite(report.baseline, compared_text(report)))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _model_suite(report: RunReport, model: ModelReport) -> ET.Element:
    suite = _suite(model.name, sum(stage.seconds for stage in model.stages))
    suite.set("timestamp", report.started.partition("+")[0])
    properties = ET.SubElement(suite, "properties")
    facts = {"source": model.source, "paddle2om": report.version, **report.versions}
    facts |= {f"variant.{name}": value for name, value in model.variant.items()}
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=_text(name), value=_text(value))
    for stage in model.stages:
        case = _case(suite, model.name, stage.stage, stage.seconds)
        if stage.known_to_fail:
            ET.SubElement(case, "skipped", message=_text(fmt.one_line(known_text(stage))))
        elif stage.status.is_failure:
            crashed = stage.status in (Status.CRASHED, Status.TIMEOUT)
            message = stage.error.message if stage.error else str(stage.status)
            failure = ET.SubElement(
                case,
                "error" if crashed else "failure",
                type=f"{stage.status} (exit code {stage.error.exit_code})"
                if stage.error
                else str(stage.status),
                message=_text(fmt.one_line(message)),
            )
            failure.text = _text("\n".join(_failure_lines(report, model, stage)))
        elif report.strict and stage.status is Status.DEGRADED:
            told = "; ".join(message.text for message in stage.reasons)
            failure = ET.SubElement(
                case, "failure", type="degraded (--strict)", message=_text(fmt.one_line(told))
            )
            failure.text = _text("\n".join(_failure_lines(report, model, stage)))
        elif stage.status is Status.INTERRUPTED:
            ET.SubElement(case, "error", type=stage.status, message="the run was interrupted")
        elif stage.status is Status.SKIPPED:
            why = stage.messages[0].text if stage.messages else "skipped"
            ET.SubElement(case, "skipped", message=_text(fmt.one_line(why)))
        said = [stage_fact(stage).full] if stage_fact(stage).full else []
        said += [f"{message.level}: {message.text}" for message in stage.messages]
        if said:
            ET.SubElement(case, "system-out").text = _text("\n".join(said))
    return _counted(suite)


def _failure_lines(report: RunReport, model: ModelReport, stage: StageResult) -> Iterator[str]:
    """All that one needs who sees this text alone."""
    yield f"model: {model.name} ({model.source})"
    yield f"stage: {stage.stage} {stage.status}"
    for note in notes_of(model):
        if note.stage == stage.stage:
            yield note.message
            if note.detail:
                yield f"note: {note.detail}"
            if note.hint:
                yield f"hint: {note.hint}"
    if isinstance(stage.facts, ValidateFacts):
        yield from _outputs(stage.facts)
    if model.log:
        yield f"log: {Path(report.out_dir) / model.log}"
    yield f"again: {report.command}"
    yield f"look at: paddle2om inspect {shlex.quote(model.source)}"


def _outputs(facts: ValidateFacts) -> Iterator[str]:
    failing = [(case, out) for case in facts.cases for out in case.outputs if not out.passed]
    for case, out in failing[:_LISTED]:
        yield (
            f"  {case.label}: output {out.name} {fmt.shape(out.shape)}: {out.reason} "
            f"(max abs {fmt.number(out.max_abs)}, cosine {fmt.cosine(out.cosine)})"
        )
    if len(failing) > _LISTED:
        yield f"  ... and {len(failing) - _LISTED} more"


def _missing_suite(report: RunReport) -> ET.Element:
    """One case per model that no merged shard has."""
    suite = _suite("missing", 0.0)
    for name in report.missing:
        case = _case(suite, name, "merge", 0.0)
        told = _text(f"no shard has {name}")
        ET.SubElement(case, "error", type="missing", message=told).text = f"hint: {MISSING_HINT}"
    return _counted(suite)


def _pipelines_suite(report: RunReport) -> ET.Element:
    suite = _suite("pipelines", sum(pipeline.seconds for pipeline in report.pipelines))
    for pipeline in report.pipelines:
        case = _case(suite, "pipelines", pipeline.name, pipeline.seconds)
        if pipeline.error:
            failure = ET.SubElement(
                case,
                "failure",
                type=f"exit code {pipeline.error.exit_code}",
                message=_text(fmt.one_line(pipeline.error.message)),
            )
            failure.text = _text(f"{pipeline.error.message}\nhint: {pipeline.error.hint}")
    return _counted(suite)


def _baseline_suite(baseline: BaselineReport, compared: str) -> ET.Element:
    """One case per change, and one for the comparison itself, so that it is never empty."""
    suite = _suite("baseline", 0.0)
    whole = _case(suite, "baseline", compared, 0.0)
    if baseline.unwritten:
        ET.SubElement(whole, "skipped", message=_text(f"not written: {baseline.unwritten}"))
    if baseline.updated:
        written = "\n".join([f"{baseline.file} written", *update_texts(baseline)])
        ET.SubElement(whole, "system-out").text = _text(written)
    for change in baseline.changes:
        case = _case(suite, f"baseline.{change.model}", change.what, 0.0)
        if change in baseline.failures:
            told = change_text(change)
            failure = ET.SubElement(case, "failure", type=change.verdict, message=_text(told))
            failure.text = _text(f"{change.model}: {told}\nbaseline: {baseline.file}")
        else:
            ET.SubElement(case, "system-out").text = _text(change_text(change))
    return _counted(suite)


def _suite(name: str, seconds: float) -> ET.Element:
    return ET.Element("testsuite", name=_text(name), time=f"{seconds:.3f}")


def _case(suite: ET.Element, of: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite,
        "testcase",
        classname=_text(f"paddle2om.{of}"),
        name=_text(name),
        time=f"{seconds:.3f}",
    )


def _counted(suite: ET.Element) -> ET.Element:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for count, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(len(suite.findall(f"testcase/{kind}"))))
    return suite


def _text(text: str) -> str:
    """Text with what XML cannot hold written as an escape."""
    return _NO_XML.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
