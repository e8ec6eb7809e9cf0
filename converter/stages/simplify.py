"""Stage 3: onnxsim, accepted only when the result is the same function with the same signature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from converter.accuracy.gate import WEAK_RANDOM, compare_case
from converter.accuracy.limits import default_tolerance
from converter.bridge import onnxsim
from converter.errors import StageError
from converter.model import onnx_file
from converter.model.result import ExportFacts, Message, SimplifyFacts, Status
from converter.model.task import Task
from converter.stages.job import Job, data_digests
from converter.stages.stage import INPUT_TOOLS, Outcome, Stage, is_lasting

if TYPE_CHECKING:
    from converter.accuracy.reference import Arrays

#: Input shapes on which the simplified model must agree with the one it came from.
_COMPARED_SHAPES = 2


class SimplifyStage(Stage):
    """Simplifies; keeps the unsimplified file when anything about the result is in doubt."""

    name = "simplify"
    reads = ("simplify", "rename", "data", "seed")
    tools = ("onnx", "onnxsim", "onnxruntime", "paddlepaddle", "numpy", *INPUT_TOOLS)
    rooms = ("stages", "model", "accuracy", "bridge")

    def surroundings(self, task: Task) -> dict[str, str] | None:
        """The user's data, by content: the reference has it among its cases."""
        return data_digests(task.options.data)

    def requires(self, job: Job) -> None:
        """There must be an exported model."""
        assert job.onnx is not None

    def run(self, job: Job) -> Outcome:
        """Simplify and compare; a doubt degrades the stage, it never fails the model."""
        if not job.options.simplify:
            note = Message(level="info", text="switched off with --no-simplify")
            return Outcome(status=Status.SKIPPED, messages=(note,))
        assert job.onnx is not None
        if job.is_large:
            note = Message(
                level="info",
                text="onnxsim does not take models with external data",
                hint="the model works without it",
            )
            return Outcome(status=Status.SKIPPED, messages=(note,))
        try:
            simplified, facts, cut = self._simplify(job, job.onnx)
        except StageError as error:
            kept = Message(
                level="warning",
                text=f"kept the unsimplified model: {error.message}",
                hint=error.hint,
            )
            return Outcome(status=Status.DEGRADED, messages=(kept,), lasting=is_lasting(error))
        job.close_session(job.onnx)  # what it gives for the cases is kept
        job.onnx = simplified
        job.add_file(job.task.onnx_name, simplified, self.name)
        if not cut:
            return Outcome(facts=facts)
        folded = Message(
            level="warning",
            text=f"only folded constants: onnxsim's optimiser {cut}",
            hint="the model is right; another machine may make another file of it, "
            "and the cache does not keep this one",
        )
        return Outcome(facts=facts, status=Status.DEGRADED, messages=(folded,), lasting=False)

    def _simplify(self, job: Job, source: Path) -> tuple[Path, SimplifyFacts, str]:
        """The accepted file, its facts, and what ended onnxsim's optimiser early, if anything.

        ``StageError`` says why a file is not accepted.
        """
        import onnx

        exported = job.facts(ExportFacts)
        model, cut = onnxsim.simplify(source, job.work_dir)
        # It may rename dynamic dims; names, dtypes and extents have to be what export left.
        facts = onnx_file.describe(model)
        if (facts.inputs, facts.outputs, facts.opset) != (
            exported.inputs,
            exported.outputs,
            exported.opset,
        ):
            raise StageError(
                "onnxsim changed the model's inputs, outputs or opset",
                hint="the model works without simplification",
            )
        target = job.work_dir / "simplified.onnx"
        onnx.save_model(model, target)
        shapes, max_abs = _compare(job, source, target)
        made = SimplifyFacts(
            nodes_before=exported.nodes,
            nodes_after=facts.nodes,
            compared_shapes=shapes,
            max_abs=max_abs,
        )
        return target, made, cut


def _compare(
    job: Job, source: Path, target: Path
) -> tuple[tuple[dict[str, tuple[int, ...]], ...], float]:
    """Run both models; the shapes compared and the largest difference.

    Raises ``StageError`` when they differ by more than the default tolerance.
    """
    shapes = []
    max_abs = 0.0
    for reference in job.reference.first(_COMPARED_SHAPES):
        shapes.append(reference.case.shapes)
        before, after = job.onnx_outputs(source, reference), job.onnx_outputs(target, reference)
        if _identical(before, after):  # nearly always, and their metrics would take longest here
            continue
        compared = compare_case(
            reference.case.label,
            reference.case.shapes,
            reference.case.seed,
            before,
            after,
            default_tolerance("float32"),
            random=job.random_outputs,
        )
        if not compared.passed:
            reason = next(output.reason for output in compared.outputs if not output.passed)
            raise StageError(
                f"onnxsim changed the result on {reference.case.label}: {reason}",
                hint="the model works without simplification",
            )
        measured = [o.max_abs for o in compared.outputs if o.reason != WEAK_RANDOM]
        max_abs = max([max_abs, *measured])
    return tuple(shapes), max_abs


def _identical(before: Arrays, after: Arrays) -> bool:
    """Whether all outputs have the same names, dtypes, shapes and bytes."""
    return before.keys() == after.keys() and all(
        (b.dtype, b.shape) == (after[name].dtype, after[name].shape)
        and b.tobytes() == after[name].tobytes()
        for name, b in before.items()
    )
