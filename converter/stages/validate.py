"""Stage 4: the ONNX file that we are about to publish against Paddle itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.accuracy.coverage import coverage, is_narrow
from converter.accuracy.gate import (
    compare_case,
    doubts,
    gate,
    jumps,
    open_orders,
    reorderings,
    vacuous,
    warnings,
)
from converter.accuracy.limits import Limits
from converter.accuracy.nearby import agree_nearby
from converter.accuracy.plain import PLAIN, run_plain
from converter.accuracy.reference import ReferenceCase
from converter.accuracy.swept import not_run, nothing_swept, swept_shape
from converter.accuracy.task.agreement import (
    MEANINGFUL,
    TASK_HINT,
    disagreements,
    gate_task,
    task_agreement,
)
from converter.errors import GateError, StageError
from converter.model.comparison import CaseComparison, SweptShape, ValidateFacts
from converter.model.result import InspectFacts, Message, Status
from converter.model.task import ConvertOptions, Task
from converter.model.tolerance import Tolerance, check_names
from converter.stages.job import Job, data_digests
from converter.stages.stage import INPUT_TOOLS, Outcome, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from converter.accuracy.reference import Arrays, Swept

_STABLE_HINT = "their order is chance in Paddle too; stable=True in the model settles it"
_INPUTS_HINT = "try another --seed; if it stays so, compare the ONNX file on real inputs"


class ValidateStage(Stage):
    """Compares every output on every case, and passes only if something was compared."""

    name = "validate"
    reads = ("atol", "rtol", "tolerances", "min_agreement", "data", "rename", "seed", "sweep")
    tools = ("onnxruntime", "paddlepaddle", "numpy", *INPUT_TOOLS)
    rooms = ("stages", "model", "accuracy")
    feeds = False

    def surroundings(self, task: Task) -> dict[str, str] | None:
        """The user's data, by content."""
        return data_digests(task.options.data)

    def requires(self, job: Job) -> None:
        """A tolerance must be of an output that there is: ``InputError``."""
        outputs = [spec.name for spec in job.facts(InspectFacts).outputs]
        check_names(job.options.tolerances, outputs)

    def foresee(self, job: Job) -> None:
        """The user's data must fit the model: ``InputError`` before anything is converted."""
        _ = job.given

    def run(self, job: Job) -> Outcome:
        """Run both on the same inputs and measure; the verdict is the post-condition's."""
        assert job.onnx is not None
        swept: Iterable[Swept] = job.reference.swept() if job.options.sweep else ()
        if job.is_large:
            job.close_sessions()
            swept = list(swept)
            job.reference.finish()
        cases: tuple[CaseComparison, ...] = ()
        for reference in job.reference.cases():
            # One lost case loses the model: the others need not be looked into that closely.
            lost = not all(case.passed for case in cases)
            compared = self._compare(job, reference, closely=not lost)
            cases += (_with_task(job, reference, compared),)
        plain, unplain = self._plain(job)
        cases += plain
        shapes: tuple[SweptShape, ...] = ()
        for each in swept:
            shapes += (swept_shape(each),)
            if each.ran is not None:
                job.tell(f"sweep: {each.what}")
                cases += (self._on_shape(job, each.ran, closely=all(c.passed for c in cases)),)
        facts = ValidateFacts(
            tolerance=self._tolerance(job),
            cases=cases,
            rejected_shapes=tuple(job.reference.rejected),
            sweep=shapes,
        )
        weak = tuple(_warning(text, _INPUTS_HINT) for text in doubts(cases))
        weak += tuple(_warning(text, TASK_HINT) for text in disagreements(cases))
        notes = tuple(_warning(text) for text in (*unplain, *warnings(cases)))
        notes += tuple(Message(level="info", text=text) for text in reorderings(cases))
        notes += tuple(_warning(text) for text in jumps(cases))
        notes += tuple(_warning(text, _STABLE_HINT) for text in open_orders(cases))
        covered = coverage(job.reference)
        if job.options.sweep:
            weak += nothing_swept(shapes)
        degraded = is_narrow(job.reference) or any(note.level == "warning" for note in weak)
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
        hint = _next(job.options)
        passed, reason = gate(outcome.facts.cases)
        if not passed:
            raise GateError(f"the ONNX model does not agree with Paddle: {reason}", hint=hint)
        gate_task(outcome.facts.cases, job.options.min_agreement, hint=hint)

    def _plain(self, job: Job) -> tuple[tuple[CaseComparison, ...], tuple[str, ...]]:
        """The first case again, the graph as it is in the file (``accuracy.plain``)."""
        assert job.onnx is not None
        onnx, reference = job.onnx, next(job.reference.cases())
        if job.is_large:
            job.close_session(onnx)
        made, why = run_plain(lambda: job.plain_outputs(onnx, reference))
        if made is None:
            return (), (why,)
        return (self._judge(job, reference, made, PLAIN, closely=True),), ()

    def _on_shape(self, job: Job, reference: ReferenceCase, *, closely: bool) -> CaseComparison:
        """One shape of a sweep; one that Paddle runs and the ONNX model does not has failed."""
        try:
            compared = self._compare(job, reference, closely=closely)
        except StageError as error:
            return not_run(reference.case, reference.outputs, error.message)
        return _with_task(job, reference, compared)

    def _compare(self, job: Job, reference: ReferenceCase, *, closely: bool) -> CaseComparison:
        """One case."""
        assert job.onnx is not None
        candidate = job.onnx_outputs(job.onnx, reference)
        return self._judge(job, reference, candidate, "", closely=closely)

    def _judge(
        self, job: Job, reference: ReferenceCase, candidate: Arrays, note: str, *, closely: bool
    ) -> CaseComparison:
        """One case; where several answers are right, with the one that the model gives.

        That is Paddle's own with stable sorts (``model.stable_sorts``), or its answer to an input
        as good where it jumps (``accuracy.nearby``).
        """

        def compare(b: Arrays, a: Arrays, wider: float = 1.0) -> CaseComparison:
            return compare_case(
                reference.case.label + note,
                reference.case.shapes,
                reference.case.seed,
                b,
                a,
                limits=limits_of(job.options, wider),
                random=job.random_outputs,
            )

        compared = compare(reference.outputs, candidate)
        if compared.passed or job.is_large or not closely:
            return compared
        if (stable := job.stable_reference) is not None:
            names = list(reference.outputs)
            again = compare(stable.run(reference.inputs, names), candidate)
            if again.passed:
                return again.model_copy(update={"stable": True})
        answers = job.reference.nearby(reference)
        return agree_nearby(compare, reference.outputs, candidate, answers) or compared

    def _tolerance(self, job: Job) -> Tolerance:
        """The tolerance of the model's first float output, float32's when there is none.

        It is what the report shows first. Every output is judged by its own dtype's default; what
        the user says replaces that.
        """
        outputs = job.facts(InspectFacts).outputs
        limits = limits_of(job.options)
        for spec in outputs:
            if "float" in spec.dtype:
                return limits.of(spec.name, spec.dtype)
        return Limits(atol=limits.atol, rtol=limits.rtol).of("", "float32")


def _with_task(job: Job, reference: ReferenceCase, compared: CaseComparison) -> CaseComparison:
    """The comparison with what users would notice, where the inputs have something on them."""
    if job.onnx is None or reference.case.kind not in MEANINGFUL:
        return compared
    candidate = job.onnx_outputs(job.onnx, reference)
    found = task_agreement(job.described_yml, reference.outputs, candidate)
    return compared.model_copy(update={"task": found}) if found else compared


def limits_of(options: ConvertOptions, wider: float = 1.0) -> Limits:
    """What the user's options make of the default tolerances."""
    return Limits(atol=options.atol, rtol=options.rtol, tolerances=options.tolerances, wider=wider)


def _next(options: ConvertOptions) -> str:
    """What to do about a model that does not pass; ``locate`` knows the model's own names only."""
    kept = "the files are kept under rejected/"
    seed = f" --seed {options.seed}" if options.seed else ""
    if not options.rename:
        kept += f": paddle2om locate MODEL rejected/inference.onnx{seed} finds the operator"
    return f"{kept}; report.html has every output's numbers"


def _warning(text: str, hint: str = "") -> Message:
    return Message(level="warning", text=text, hint=hint)
