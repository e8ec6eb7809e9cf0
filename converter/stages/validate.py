"""Stage 4: the ONNX file that we are about to publish against Paddle itself."""

from __future__ import annotations

from converter.accuracy.gate import compare_case, default_tolerance, gate, warnings
from converter.errors import GateError
from converter.model.result import InspectFacts, Message, Tolerance, ValidateFacts
from converter.stages.job import Job
from converter.stages.stage import Outcome, Stage


class ValidateStage(Stage):
    """Compares every output on every case, and passes only if something was compared."""

    name = "validate"

    def run(self, job: Job) -> Outcome:
        """Run both on the same inputs and measure; the verdict is the post-condition's."""
        assert job.onnx is not None
        tolerance = self._tolerance(job)
        cases = tuple(
            compare_case(
                reference.case.label,
                reference.case.shapes,
                reference.case.seed,
                reference.outputs,
                job.onnx_outputs(job.onnx, reference),
                tolerance,
            )
            for reference in job.reference.cases()
        )
        facts = ValidateFacts(
            tolerance=tolerance, cases=cases, rejected_shapes=tuple(job.reference.rejected)
        )
        notes = tuple(Message(level="warning", text=text) for text in warnings(cases))
        return Outcome(facts=facts, messages=notes)

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """The gate: raises ``GateError`` with the worst output and the tolerance it would need."""
        assert isinstance(outcome.facts, ValidateFacts)
        passed, reason = gate(outcome.facts.cases)
        if not passed:
            raise GateError(
                f"the ONNX model does not agree with Paddle: {reason}",
                hint="the files are kept under rejected/; report.html has every output's numbers",
            )

    def _tolerance(self, job: Job) -> Tolerance:
        """The default for the model's widest float output, with the user's overrides."""
        outputs = job.facts(InspectFacts).outputs
        dtype = next((spec.dtype for spec in outputs if "float" in spec.dtype), "float32")
        base = default_tolerance(dtype)
        changes = {
            key: value
            for key in ("atol", "rtol")
            if (value := getattr(job.options, key)) is not None
        }
        return base.model_copy(update=changes)
