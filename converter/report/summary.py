"""What a run report comes to: marks, short facts, notes, repairs and the verdict of every view."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from converter.errors import InputError
from converter.model.comparison import OutputComparison, ValidateFacts
from converter.model.counting import NAMED
from converter.model.result import (
    CompileFacts,
    ExportFacts,
    InspectFacts,
    ModelReport,
    ReadFacts,
    RunReport,
    SimplifyFacts,
    StageResult,
    Status,
)
from converter.report import format as fmt
from converter.report.recognised import reads_like_paddle

Tone = Literal["ok", "cached", "warn", "skip", "bad"]


@dataclass(frozen=True)
class Mark:
    """How a status looks: a sign, its ASCII stand-in, the word, and the tone that colours it."""

    symbol: str
    ascii: str
    label: str
    tone: Tone


MARKS: dict[Status, Mark] = {
    Status.OK: Mark("✓", "+", "ok", "ok"),
    Status.CACHED: Mark("≡", "=", "cached", "cached"),
    Status.DEGRADED: Mark("!", "!", "degraded", "warn"),
    Status.SKIPPED: Mark("–", "-", "skipped", "skip"),
    Status.FAILED: Mark("✗", "x", "failed", "bad"),
    Status.CRASHED: Mark("✗", "x", "crashed", "bad"),
    Status.TIMEOUT: Mark("✗", "x", "timeout", "bad"),
    Status.INTERRUPTED: Mark("✗", "x", "interrupted", "bad"),
}
WARNING = Mark("!", "!", "warning", "warn")
MISSING = Mark("✗", "x", "missing", "bad")
MISSING_HINT = "a shard did not run or its report was not merged: run it, and merge all of them"
KNOWN = Mark("–", "-", "known to fail", "skip")
NOT_RUN = Mark("–", "-", "not run", "skip")

_STAGE_ORDER = ("inspect", "read", "export", "simplify", "validate", "compile", "render")

_EXIT_MEANING = {
    0: "all as asked",
    1: "a stage failed",
    2: "the input is wrong",
    3: "an accuracy gate failed",
    4: "a worker crashed or timed out",
    70: "a bug in paddle2om",
    130: "interrupted",
}


@dataclass(frozen=True)
class Fact:
    """A stage's result in a few characters: with its unit, and without where a header has it."""

    full: str = ""
    compact: str = ""


@dataclass(frozen=True)
class Note:
    """A line that the user should read: which model and stage, what, and what to do."""

    model: str
    stage: str
    mark: Mark
    message: str
    hint: str = ""
    detail: str = ""


@dataclass(frozen=True)
class RepairTotal:
    """One repair over the whole run."""

    name: str
    reason: str
    count: int
    models: int


@dataclass(frozen=True)
class Verdict:
    """The run in one line, and what its exit code means."""

    mark: Mark
    headline: str
    exit_code: int
    exit_meaning: str


def stage_mark(stage: StageResult) -> Mark:
    """Mark of one stage; a stage that worked and warned is marked as a warning."""
    if stage.known_to_fail:
        return KNOWN
    warned = any(message.level == "warning" for message in stage.messages)
    if warned and stage.status in (Status.OK, Status.CACHED):
        return WARNING
    return MARKS[stage.status]


def model_mark(model: ModelReport) -> Mark:
    """Mark of a whole model; a model of which nothing ran is not ok."""
    if all(stage.status in (Status.SKIPPED, Status.INTERRUPTED) for stage in model.stages):
        return NOT_RUN
    if model.known_to_fail:
        return KNOWN
    marks = [stage_mark(stage) for stage in model.stages]
    if model.status is Status.OK and WARNING in marks:
        return WARNING
    if model.status is Status.OK and all(stage.cached for stage in model.stages):
        return MARKS[Status.CACHED]
    return MARKS[model.status]


def cell_mark(model: ModelReport, stage: StageResult) -> Mark:
    """Mark of one stage in a table: a model that was never begun was not interrupted in one."""
    if stage.status is Status.INTERRUPTED and model_mark(model) is NOT_RUN:
        return NOT_RUN
    return stage_mark(stage)


def stage_columns(report: RunReport) -> tuple[str, ...]:
    """Every stage that any model went through, in the order of the pipeline."""
    seen = dict.fromkeys(stage.stage for model in report.models for stage in model.stages)
    known = [name for name in _STAGE_ORDER if name in seen]
    return (*known, *(name for name in seen if name not in _STAGE_ORDER))


def find_stage(model: ModelReport, name: str) -> StageResult | None:
    """The result of one stage; None when the model never got there."""
    return next((stage for stage in model.stages if stage.stage == name), None)


def stage_fact(stage: StageResult) -> Fact:
    """The one thing to know about a stage's result."""
    match stage.facts:
        case InspectFacts(format=layout):
            return Fact(layout)
        case ExportFacts(opset=opset) | ReadFacts(opset=opset):
            return Fact(f"opset {opset}", str(opset))
        case SimplifyFacts(nodes_before=before, nodes_after=after):
            return Fact(f"{before}→{after} nodes", f"{before}→{after}")
        case ValidateFacts(cases=cases) as facts:
            if not any(case.outputs for case in cases):
                return Fact("nothing compared", "nothing")
            worst = fmt.number(facts.worst_max_abs)
            return Fact(f"max abs {worst}", worst)
        case CompileFacts(om_bytes=int(om_bytes)):
            return Fact(f"om {fmt.size(om_bytes)}", "om")
        case CompileFacts(script=str()):
            return Fact("script", "script")
    return Fact()


def stage_value(stage: StageResult) -> float | None:
    """What stages of one name are put in order by; a NaN is worse than any number."""
    match stage.facts:
        case ExportFacts(opset=opset) | ReadFacts(opset=opset):
            return float(opset)
        case SimplifyFacts(nodes_before=before):
            return float(before)
        case ValidateFacts(cases=cases) as facts if any(case.outputs for case in cases):
            worst = facts.worst_max_abs
            return math.inf if math.isnan(worst) else worst
        case CompileFacts(om_bytes=int(om_bytes)):
            return float(om_bytes)
    return None


def seconds_of(model: ModelReport) -> float:
    """Wall seconds of all stages."""
    return sum(stage.seconds for stage in model.stages)


def peak_memory_of(model: ModelReport) -> int:
    """Largest memory reading of any stage, in bytes; 0 when there was none."""
    return max((stage.peak_memory for stage in model.stages), default=0)


def notes_of(model: ModelReport) -> Iterator[Note]:
    """What there is to say about the failed, degraded and warned stages of a model."""
    for stage in model.stages:
        mark = KNOWN if stage.known_to_fail else MARKS[stage.status]
        if stage.status.is_failure:
            hint = "read its log" if model.log else "run it again"
            message = f"{mark.label}, and no reason was recorded"
            if stage.error:
                message, hint = stage.error.message, stage.error.hint
            if stage.cached:
                message += " (found so by an earlier run, not tried again)"
                hint = (
                    f"{hint}; --retry-failed tries again" if hint else "--retry-failed tries again"
                )
            yield Note(model.name, stage.stage, mark, message, hint, _passing_tolerance(stage))
        shown = [m for m in stage.messages if m.level == "warning"]
        if stage.status is Status.DEGRADED:
            shown = list(stage.messages)
            if not shown:
                yield Note(model.name, stage.stage, mark, "degraded, and no reason was recorded")
        said = mark if stage.status is Status.DEGRADED else WARNING
        for line in shown:
            yield Note(model.name, stage.stage, said, line.text, line.hint)


def known_text(stage: StageResult) -> str:
    """A failure that the baseline knows, for where it is told in short: nothing is to be done."""
    return f"{KNOWN.label}: {stage.error.message if stage.error else stage.status}"


def _passing_tolerance(stage: StageResult) -> str:
    """Say which atol a failed validation would have passed with."""
    if not isinstance(stage.facts, ValidateFacts):
        return ""
    failing = [out for case in stage.facts.cases for out in case.outputs if not out.passed]
    if not failing:
        return ""
    hopeless = next((out for out in failing if out.passing_atol is None), None)
    if hopeless and (limits := _passing_limits(failing, hopeless.name)):
        return f"output {hopeless.name} would pass with {limits}"
    if hopeless:
        reason = f": {hopeless.reason}" if hopeless.reason else ""
        return f"no tolerance would pass output {hopeless.name}{reason}"
    worst = max(failing, key=lambda out: out.passing_atol or 0.0)
    asked_for = worst.tolerance or stage.facts.tolerance
    atol, rtol = asked_for.atol, asked_for.rtol
    return (
        f"output {worst.name} would pass with atol {fmt.at_least(worst.passing_atol or 0.0)} "
        f"(asked: atol {fmt.setting(atol)}, rtol {fmt.setting(rtol)})"
    )


def _passing_limits(failing: list[OutputComparison], name: str) -> str:
    """The limits that every failing case of an output would have passed with, "" if none."""
    loosest: dict[str, float] = {}
    for output in (each for each in failing if each.name == name):
        if output.passing is None or output.tolerance is None:
            return ""
        asked = dict(output.tolerance)
        for limit, value in output.passing:
            if value != asked[limit]:
                looser = min if limit.startswith("min_") else max
                loosest[limit] = looser(loosest.get(limit, value), value)
    return ",".join(f"{limit}={value!r}" for limit, value in loosest.items())


def missing_note(report: RunReport, most: int = NAMED) -> Note | None:
    """What there is to say of models that no merged shard has, ``most`` by name; None if none."""
    if not report.missing:
        return None
    names = fmt.listed(report.missing, most)
    return Note("", "merge", MISSING, f"no shard has {names}", MISSING_HINT)


@dataclass(frozen=True)
class SkipReason:
    """Why a stage was skipped on purpose, and what would let it run."""

    stage: str
    reason: str
    hint: str


def skip_reasons(report: RunReport) -> dict[SkipReason, int]:
    """Count the models for every reason a stage was skipped for: the first of its messages.

    Stages that an earlier failure or the user kept from running are left out: that is told already.
    """
    return Counter(
        SkipReason(
            stage.stage,
            stage.messages[0].text if stage.messages else "no reason was recorded",
            stage.messages[0].hint if stage.messages else "",
        )
        for model in report.models
        if model.failure is None
        for stage in takewhile(lambda s: s.status is not Status.INTERRUPTED, model.stages)
        if stage.status is Status.SKIPPED
    )


def repair_totals(report: RunReport) -> tuple[RepairTotal, ...]:
    """Every repair once, with how often it was applied and in how many models."""
    counts: Counter[tuple[str, str]] = Counter()
    models: Counter[tuple[str, str]] = Counter()
    for model in report.models:
        facts = model.facts("export")
        repairs = facts.repairs if isinstance(facts, ExportFacts) else ()
        for repair in repairs:
            counts[repair.name, repair.reason] += repair.count
        models.update({(repair.name, repair.reason) for repair in repairs})
    return tuple(
        RepairTotal(name, reason, counts[name, reason], models[name, reason])
        for name, reason in sorted(counts)
    )


def tally(report: RunReport) -> dict[Mark, int]:
    """How many models ended with each mark, failures first."""
    counts = Counter(model_mark(model) for model in report.models)
    rank: dict[Tone, int] = {"bad": 0, "skip": 1, "warn": 2, "cached": 3, "ok": 4}
    return {mark: counts[mark] for mark in sorted(counts, key=lambda m: (rank[m.tone], m.label))}


def verdict(report: RunReport) -> Verdict:
    """Sum the run up. A run of nothing is not a success."""
    total, counts = len(report.models), tally(report)
    cut = counts.pop(MARKS[Status.INTERRUPTED], 0)
    bad = sum(n for mark, n in counts.items() if mark.tone == "bad")
    idle, known = counts.get(NOT_RUN, 0), counts.get(KNOWN, 0)
    warned = sum(n for mark, n in counts.items() if mark.tone == "warn")
    broken = sum(1 for pipeline in report.pipelines if pipeline.error)
    differ = sum(1 for p in report.pipelines if not p.error and reads_like_paddle(p) is False)

    parts = []
    if total:
        verb = "failed" if bad else "not finished" if cut else "not run" if idle else "passed"
        part = bad or cut or idle or total - known
        whole = fmt.count(total, "model")
        if part:
            parts.append(f"{whole} {verb}" if part == total else f"{part} of {whole} {verb}")
    if bad and cut:
        parts.append(f"{cut} not finished")
    if (bad or cut) and idle:
        parts.append(f"{idle} not run")
    if known:
        parts.append(
            f"{known} {KNOWN.label}" if parts else f"{fmt.count(known, 'model')} {KNOWN.label}"
        )
    if report.missing:
        parts.append(f"{fmt.count(len(report.missing), 'model')} missing")
    if warned and not bad:
        parts.append(f"{warned} with warnings")
    if broken:
        parts.append(f"{fmt.count(broken, 'pipeline')} failed")
    if differ:
        parts.append(f"{fmt.count(differ, 'pipeline')} read other text than Paddle")
    worse = len(report.baseline.failures) if report.baseline else 0
    if worse:
        parts.append(f"{fmt.count(worse, 'change')} for the worse since the baseline")
    if not parts:
        ran = len(report.pipelines)
        parts.append(f"{fmt.count(ran, 'pipeline')} written" if ran else "Nothing was converted")
    if report.interrupted:
        parts.insert(0, "Interrupted")

    code = report.exit_code
    mark = MARKS[Status.OK]
    if bad or broken or report.interrupted or code:
        mark = MARKS[Status.FAILED]
    elif idle or known == total or not (total or report.pipelines):
        mark = NOT_RUN
    elif warned or differ:
        mark = WARNING
    meaning = _EXIT_MEANING.get(code, "unknown")
    if code == 1 and not bad and not broken:
        meaning = "--strict, and a stage was degraded"
        if report.missing:
            meaning = "a shard is missing"
    if code == 2 and _lacks_atc(report):
        meaning = "atc cannot be run"
    elif code == 2 and _lacks_place(report):
        meaning = "an output cannot be written"
    return Verdict(mark, ", ".join(parts), code, meaning)


def _refused(report: RunReport) -> list[StageResult | None]:
    """The stages that models ended at with exit code 2; none where a pipeline did so, too."""
    code = InputError.exit_code
    if any(pipeline.error and pipeline.error.exit_code == code for pipeline in report.pipelines):
        return []
    return [model.failure for model in report.models if model.exit_code() == code]


def _lacks_place(report: RunReport) -> bool:
    """Whether nothing that was given is wrong: files are in the outputs' places, or no room."""
    wrong = _refused(report)
    return bool(wrong) and all(stage and stage.stage == "publish" for stage in wrong)


def _lacks_atc(report: RunReport) -> bool:
    """Whether nothing that was given is wrong: only the place where atc should run has none.

    A compile stage that has come as far as a script has found its input right.
    """
    wrong = _refused(report)
    ready = [
        stage is not None
        and stage.stage == "compile"
        and isinstance(stage.facts, CompileFacts)
        and stage.facts.script is not None
        for stage in wrong
    ]
    return bool(ready) and all(ready)
