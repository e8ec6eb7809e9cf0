"""One cell of the matrix: what became of a case at an opset in one of the converters."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from converter.errors import GateError
from converter.model.result import ExportFacts, ModelReport, Status
from tests.matrix.case import Case
from tests.matrix.workers import Ended

#: In the order they are told. ``raised``: right, but at another opset than asked for. ``wrong``:
#: a file that does not compute what Paddle does. ``refused``: a message, ours or ONNX Runtime's.
VERDICTS = ("right", "raised", "wrong", "refused", "unsupported", "crash")

#: What a message says when an operator is not known at all.
_UNSUPPORTED = re.compile(r"unsupported operator|neither paddle2onnx .* has it", re.IGNORECASE)

#: What is worth quoting of a worker's log, best first.
_TELLING = (
    re.compile(r"\[ERROR\]\[Paddle2ONNX\] (\[OP: .*)"),
    re.compile(r"Failed to convert PaddlePaddle model: ([^{].*)"),
    re.compile(r"^onnxruntime\.\S*?(\w+: .*)"),
    re.compile(r"^((?:\w+\.)*\w*(?:Error|Exception|Fail)\b.*)"),
    re.compile(r"\[ERROR\](?:\[Paddle2ONNX\])? *(.*)"),
    re.compile(r"(.*\b(?:[Aa]ssert|[Aa]bort|terminate).*)"),
)

#: ONNX Runtime's preamble, which says nothing.
_PREAMBLE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from \S+ failed:")


@dataclass(frozen=True)
class Cell:
    """``accepted`` is whether the converter said that all is well; ``error`` is scale-relative."""

    case: str
    tool: str
    opset: int
    verdict: str
    reason: str = ""
    accepted: bool = False
    got_opset: int | None = None
    ir: int | None = None
    nodes: int | None = None
    histogram: str = ""
    error: float | None = None
    status: str = ""
    repairs: tuple[str, ...] = field(default=())
    seconds: float = 0.0

    @property
    def wrong_but_accepted(self) -> bool:
        """A file that the converter was content with, and that computes something else."""
        return self.accepted and self.verdict in ("wrong", "refused", "crash")

    def plain(self) -> dict[str, Any]:
        """As it goes to JSON."""
        return asdict(self)


def cell_of_bare(case: Case, opset: int, ended: Ended) -> Cell:
    """Judge what a worker did with ``converting.bare``."""
    step = ended.value("step", "start")
    exported = step not in ("start", "export", "read")
    verdict, reason = _measured(ended, opset)
    if not exported:
        told = _telling(ended.log)
        if "unsupported operator" in ended.log:
            verdict, reason = "unsupported", "aborts: unsupported operators, which it does not name"
        elif ended.death.startswith(("SIG", "timeout")):
            verdict, reason = "crash", f"{ended.death}: {told}"
        else:
            verdict, reason = "refused", told
    return _cell(case, "bare", opset, verdict, reason, ended, accepted=exported)


def cell_of_ours(case: Case, opset: int, report: ModelReport, ended: Ended | None) -> Cell:
    """Judge a model's report, and the independent measurement of its file if there is one."""
    facts = report.facts("export")
    repairs = facts.repairs if isinstance(facts, ExportFacts) else ()
    failure = report.failure
    seconds = sum(stage.seconds for stage in report.stages)
    accepted = failure is None
    verdict, reason = _measured(ended, opset) if ended else ("refused", "there is no file")
    if failure is not None:
        told = failure.error.message if failure.error else f"{failure.stage} {failure.status}"
        gated = failure.error is not None and failure.error.exit_code == GateError.exit_code
        if failure.status in (Status.CRASHED, Status.TIMEOUT):
            verdict = "crash"
        elif not (gated and verdict == "wrong"):
            verdict = "unsupported" if _UNSUPPORTED.search(told) else "refused"
        reason = f"{failure.stage}: {told}"
    return _cell(
        case,
        "ours",
        opset,
        verdict,
        reason,
        ended,
        accepted=accepted,
        status=str(report.status),
        repairs=tuple(repair.name for repair in repairs),
        seconds=seconds,
    )


def _measured(ended: Ended, opset: int) -> tuple[str, str]:
    """The verdict on an ONNX file that a worker measured."""
    step = ended.value("step", "start")
    if step == "compared":
        if problem := ended.value("problem"):
            return "wrong", problem
        got = ended.value("opset")
        return ("right", "") if got == opset else ("raised", f"opset {got}")
    told = _telling(ended.log)
    if ended.death.startswith(("SIG", "timeout")):
        return "crash", f"ONNX Runtime, {step}: {ended.death}: {told}"
    return "refused", f"ONNX Runtime, {step}: {told}"


def _cell(
    case: Case,
    tool: str,
    opset: int,
    verdict: str,
    reason: str,
    ended: Ended | None,
    *,
    accepted: bool,
    status: str = "",
    repairs: tuple[str, ...] = (),
    seconds: float | None = None,
) -> Cell:
    def value(key: str) -> Any:
        return ended.value(key) if ended else None

    took = seconds if seconds is not None else (ended.seconds if ended else 0.0)
    return Cell(
        case=case.id,
        tool=tool,
        opset=opset,
        verdict=verdict,
        reason=_short(reason),
        accepted=accepted,
        got_opset=value("opset"),
        ir=value("ir"),
        nodes=value("nodes"),
        histogram=value("histogram") or "",
        error=value("error"),
        status=status,
        repairs=repairs,
        seconds=round(took, 3),
    )


def _telling(log: str) -> str:
    """The line of a log that says most."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for pattern in _TELLING:
        found = [match[1] for line in lines if (match := pattern.search(line))]
        if found:
            return _PREAMBLE.sub("", found[-1])
    return lines[-1] if lines else "it printed nothing"


def _short(text: str, limit: int = 300) -> str:
    told = " ".join(text.split())
    return told if len(told) <= limit else told[: limit - 1] + "…"
