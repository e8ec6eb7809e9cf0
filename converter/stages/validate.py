"""Stage 4: the ONNX file that we are about to publish against Paddle itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.accuracy.gate import (
    compare_case,
    default_tolerance,
    doubts,
    gate,
    jumps,
    reorderings,
    vacuous,
    warnings,
)
from converter.accuracy.nearby import agree_nearby
from converter.accuracy.reference import SHAPES_HINT, PaddleReference, ReferenceCase
from converter.errors import GateError
from converter.model.result import (
    CaseComparison,
    InspectFacts,
    Message,
    Status,
    Tolerance,
    ValidateFacts,
)
from converter.stages.job import Job
from converter.stages.stage import Outcome, Stage

if TYPE_CHECKING:
    from converter.accuracy.reference import Arrays

_INPUTS_HINT = "try another --seed; if it stays so, compare the ONNX file on real inputs"


class ValidateStage(Stage):
    """Compares every output on every case, and passes only if something was compared."""

    name = "validate"
    reads = ("atol", "rtol", "rename", "seed")
    tools = ("onnxruntime", "paddlepaddle", "numpy", "pillow")
    rooms = ("stages", "model", "accuracy")
    feeds = False

    def run(self, job: Job) -> Outcome:
        """Run both on the same inputs and measure; the verdict is the post-condition's."""
        assert job.onnx is not None
        if job.is_large:
            job.close_sessions()
            job.reference.finish()
        cases: tuple[CaseComparison, ...] = ()
        for reference in job.reference.cases():
            # One lost case loses the model: the others need not be looked into that closely.
            lost = not all(case.passed for case in cases)
            cases += (self._compare(job, reference, closely=not lost),)
        facts = ValidateFacts(
            tolerance=self._tolerance(job),
            cases=cases,
            rejected_shapes=tuple(job.reference.rejected),
        )
        weak = tuple(_warning(text, _INPUTS_HINT) for text in doubts(cases))
        notes = tuple(_warning(text) for text in warnings(cases))
        notes += tuple(Message(level="info", text=text) for text in reorderings(cases))
        notes += tuple(_warning(text) for text in jumps(cases))
        covered = _coverage(job.reference)
        degraded = weak or job.reference.only_shape
        return Outcome(
            facts=facts,
            status=Status.DEGRADED if degraded else Status.OK,
            messages=weak + covered + notes,
        )

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """The gate: raises ``GateError`` with the worst output and the tolerance it would need."""
        assert isinstance(outcome.facts, ValidateFacts)
        if nothing := vacuous(outcome.facts.cases):
            raise GateError(f"the comparison with Paddle is void: {nothing}", hint=_INPUTS_HINT)
        passed, reason = gate(outcome.facts.cases)
        if not passed:
            raise GateError(
                f"the ONNX model does not agree with Paddle: {reason}",
                hint="the files are kept under rejected/; report.html has every output's numbers",
            )

    def _compare(self, job: Job, reference: ReferenceCase, *, closely: bool) -> CaseComparison:
        """One case; where Paddle's answer jumps, on an input as good (``accuracy.nearby``)."""
        assert job.onnx is not None
        candidate, limits = job.onnx_outputs(job.onnx, reference), self._tolerance(job)

        def compare(b: Arrays, a: Arrays, wider: float = 1.0) -> CaseComparison:
            given = job.options
            return compare_case(
                reference.case.label,
                reference.case.shapes,
                reference.case.seed,
                b,
                a,
                None,
                atol=given.atol if wider == 1 else wider * limits.atol,
                rtol=given.rtol if wider == 1 else wider * limits.rtol,
                random=job.random_outputs,
            )

        compared = compare(reference.outputs, candidate)
        if compared.passed or job.is_large or not closely:
            return compared
        answers = job.reference.nearby(reference)
        return agree_nearby(compare, reference.outputs, candidate, answers) or compared

    def _tolerance(self, job: Job) -> Tolerance:
        """The tolerance of the model's first float output, float32's when there is none.

        It is what the report shows. Every output is judged by its own dtype's default; the user's
        atol and rtol replace those of every float output.
        """
        outputs = job.facts(InspectFacts).outputs
        dtype = next((spec.dtype for spec in outputs if "float" in spec.dtype), "float32")
        changes = {
            key: value
            for key in ("atol", "rtol")
            if (value := getattr(job.options, key)) is not None
        }
        return default_tolerance(dtype).model_copy(update=changes)


def _coverage(reference: PaddleReference) -> tuple[Message, ...]:
    """Say what was planned to be compared, and was not because Paddle itself refuses it."""
    messages = []
    if reference.only_shape:
        text = f"only one of the planned shapes runs in Paddle: {reference.only_shape}"
        messages.append(_warning(text, SHAPES_HINT))
    elif dims := reference.uncovered():
        text = f"compared with {', '.join(dims)} only: Paddle refused the others tried"
        messages.append(_warning(text, SHAPES_HINT))
    for kind, reason in reference.too_wide().items():
        if kind == "signed":
            # Said of every model that takes indices: nothing to worry about.
            text = f"integers below 0 were not compared: {reason}"
            messages.append(Message(level="info", text=text))
        else:
            text = f"inputs outside [0, 1) were not compared: {reason}"
            messages.append(_warning(text))
    return tuple(messages)


def _warning(text: str, hint: str = "") -> Message:
    return Message(level="warning", text=text, hint=hint)
