"""Two artefacts against each other, and the recording of one for a comparison elsewhere."""

from __future__ import annotations

import shlex
from pathlib import Path

from converter.accuracy.coverage import coverage, is_narrow
from converter.accuracy.gate import doubts, gate, jumps, reorderings, vacuous, warnings
from converter.accuracy.limits import Limits
from converter.accuracy.recorded import DEVICE_TOLERANCE, case_bytes
from converter.accuracy.sides import Model, Side, is_record, onnx_of, open_side
from converter.accuracy.swept import nothing_swept
from converter.accuracy.task.agreement import TASK_HINT, disagreements, gate_task
from converter.accuracy.versus import Versus, reference_of
from converter.bridge.random_outputs import may_draw, random_outputs
from converter.errors import GateError, InputError
from converter.model.comparison import ValidateFacts
from converter.model.paddle_dir import find_model
from converter.model.pir_document import load_pir
from converter.model.result import Message, Status
from converter.model.tolerance import Tolerance, check_names
from converter.stages.job import Job
from converter.stages.stage import Outcome, Stage


class VersusStage(Stage):
    """Compares ``candidate`` with ``source``, and passes only if something was compared."""

    name = "validate"

    def run(self, job: Job) -> Outcome:
        """Open both sides and compare; ``InputError`` where they do not belong together."""
        assert job.task.candidate is not None
        threads = job.options.threads
        reference = open_side(Path(job.task.source), threads=threads)
        candidate = open_side(Path(job.task.candidate), threads=threads)
        check_names(job.options.tolerances, reference.output_names)
        base = DEVICE_TOLERANCE if job.task.on_device else None
        limits = Limits(
            base,
            atol=job.options.atol,
            rtol=job.options.rtol,
            tolerances=job.options.tolerances,
        )
        versus = Versus(
            reference,
            candidate,
            job.options.seed,
            job.options.rename,
            random=_drawn_by(reference),
        )
        cases = tuple(versus.compare(limits))
        swept = tuple(versus.sweep(limits)) if job.options.sweep else ()
        shapes = tuple(shape for shape, _ in swept)
        cases += tuple(compared for _, compared in swept if compared)
        weak = tuple(Message(level="warning", text=text) for text in doubts(cases))
        weak += tuple(
            Message(level="warning", text=text, hint=TASK_HINT) for text in disagreements(cases)
        )
        weak += nothing_swept(shapes) if job.options.sweep else ()
        told = f"reference: {_told(reference)}; compared with it: {_told(candidate)}"
        notes: tuple[Message, ...] = (Message(level="info", text=told),)
        notes += tuple(
            Message(level="warning", text=text) for text in (*versus.notes, *warnings(cases))
        )
        notes += tuple(Message(level="info", text=text) for text in reorderings(cases))
        notes += tuple(Message(level="warning", text=text) for text in jumps(cases))
        narrow = False
        if versus.is_of_models:
            runner = "Paddle" if reference.kind == "Paddle" else "ONNX Runtime"
            notes += coverage(versus.generated, runner)
            narrow = is_narrow(versus.generated)
        judged = (output.tolerance for case in cases for output in case.outputs)
        first = next((each for each in judged if each and each.min_cosine < 1), None)
        return Outcome(
            facts=ValidateFacts(tolerance=first or _default(limits), cases=cases, sweep=shapes),
            status=Status.DEGRADED if narrow or any(map(_warns, weak)) else Status.OK,
            messages=weak + notes,
        )

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """The gate: raises ``GateError``."""
        assert isinstance(outcome.facts, ValidateFacts)
        if nothing := vacuous(outcome.facts.cases):
            raise GateError(f"the comparison is void: {nothing}", hint="compare on other inputs")
        hint = _next(job)
        passed, reason = gate(outcome.facts.cases)
        if not passed:
            raise GateError(
                f"{job.task.candidate} does not agree with {job.task.source}: {reason}",
                hint=hint,
            )
        gate_task(outcome.facts.cases, job.options.min_agreement, hint=hint)


def _next(job: Job) -> str:
    """What to do about two that do not agree."""
    assert job.task.candidate is not None
    numbers = "--json or -o DIR gives every output's numbers" if job.task.fleeting else ""
    source, candidate = Path(job.task.source), onnx_of(Path(job.task.candidate))
    if candidate is not None and not is_record(source) and not job.options.rename:
        words = ["paddle2om", "locate", str(onnx_of(source) or source), str(candidate)]
        words += ["--seed", str(job.options.seed)] if job.options.seed else []
        command = shlex.join(words)
        return "; ".join(filter(None, (f"{command} finds the operator", numbers)))
    return "; ".join(filter(None, ("the first is the reference", numbers)))


class CasesStage(Stage):
    """Records inputs and the outputs of a model, one file per case."""

    name = "cases"

    def run(self, job: Job) -> Outcome:
        """Run the model; ``InputError`` when it is none."""
        model = open_side(Path(job.task.source), threads=job.options.threads)
        if not isinstance(model, Model):
            raise InputError(f"{model.path} is a record already", hint="give a model")
        for index, case in enumerate(reference_of(model, job.options.seed).cases()):
            name = f"{index}-{case.case.kind}.npz"
            path = job.work_dir / name
            path.write_bytes(case_bytes(case.inputs, case.outputs))
            job.add_file(name, path, self.name)
        return Outcome()


def _warns(message: Message) -> bool:
    return message.level == "warning"


def _drawn_by(side: Side) -> tuple[str, ...]:
    """Names of a Paddle model's outputs that it draws at random."""
    if not isinstance(side, Model) or not may_draw(side.operators):
        return ()
    program = find_model(side.path).program
    return random_outputs(load_pir(program)) if program.suffix == ".json" else ()


def _default(limits: Limits) -> Tolerance:
    return Limits(limits.base, atol=limits.atol, rtol=limits.rtol).of("", "float32")


def _told(side: Side) -> str:
    return f"{side.path} ({side.kind})"
