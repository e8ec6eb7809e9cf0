"""Makes the ONNX file that atc gets: static, inputs in PaddleX's order, one opset domain.

The changed model is compared with the one it was made of, on the shapes asked for. A change that
cannot be made, or that changes a number, is left out and said: the stage is then ``degraded``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from converter.accuracy.gate import compare_case
from converter.accuracy.inputs import InputCase, make_inputs, plan_cases
from converter.accuracy.limits import default_tolerance
from converter.atc import rewrites
from converter.bridge import onnxsim
from converter.errors import InputError, StageError
from converter.model import onnx_file
from converter.model.result import Message
from converter.model.wording import first_line
from converter.stages.job import PREPARED_NAME, Job
from converter.stages.stage import is_lasting

if TYPE_CHECKING:
    import onnx

#: protobuf's limit; a larger model keeps its weights in other files, and is left as it is.
_LARGEST = 2**31 - 1

#: Sets of inputs that the changed model is compared on.
_CASES = 2


@dataclass(frozen=True)
class Prepared:
    """The file that atc gets, what was changed in it, and what could not be.

    ``weights`` are files that have to lie beside it (name -> file), where it is too large for one.
    ``max_abs`` is the largest difference to the model as it was; None when nothing was changed.
    ``lasting`` is False where a crash or a limit had a part in it, and another time may not.
    """

    onnx: Path
    weights: Mapping[str, Path] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    degraded: tuple[Message, ...] = ()
    max_abs: float | None = None
    lasting: bool = True


class _Case(NamedTuple):
    """One set of inputs and what the model as it is computes from it."""

    case: InputCase
    inputs: dict[str, Any]
    outputs: dict[str, Any]


def prepare(
    job: Job,
    shapes: Mapping[str, tuple[int, ...]] | None,
    *,
    value_range: tuple[float, float] | None,
) -> Prepared:
    """Prepare ``job.onnx`` for atc; ``shapes`` are the static ones, None with profiles.

    Raises ``InputError`` when the model does not run on ``shapes``, and ``StageError`` when a
    change that does not concern shapes changes a number.
    """
    import onnx

    source = job.onnx
    assert source is not None
    weights = _weights(source)
    if sum(file.stat().st_size for file in (source, *weights.values())) > _LARGEST:
        kept = (_kept("it is larger than 2 GB"),) if shapes else ()
        return Prepared(source, weights, degraded=kept)
    model = onnx.load_model(str(source))
    dynamic = any(spec.is_dynamic for spec in onnx_file.describe(model).inputs)
    refused: tuple[Message, ...] = ()
    lasting = True
    if shapes is not None and dynamic:
        try:
            job.session(source)
        except StageError as error:  # nothing to compare with
            return Prepared(source, weights, degraded=(_kept(error.message),))
        reference = _reference(job, source, shapes, value_range)
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        try:
            pinned, cut = _pin(job, source, model, shapes)
            changes = (f"made static: {told}", *_rewrite(job, pinned))
            accepted = _accepted(job, pinned, changes, reference)
            return replace(accepted, degraded=(_folded(cut),), lasting=False) if cut else accepted
        except StageError as error:
            refused, lasting = (_kept(error.message),), is_lasting(error)
    changes = _rewrite(job, model)
    if not changes:
        return Prepared(source, weights, degraded=refused, lasting=lasting)
    done = _accepted(job, model, changes, _reference(job, source, shapes, value_range))
    return replace(done, degraded=refused, lasting=lasting)


def _rewrite(job: Job, model: onnx.ModelProto) -> tuple[str, ...]:
    changes = [
        *rewrites.drop_domains(model),
        *rewrites.write_kernel_shapes(model),
        *rewrites.cast_topk_indices(model),
    ]
    if job.options.compile.target == "paddlex":
        changes += rewrites.sort_inputs(model)
    return tuple(changes)


def _kept(reason: str) -> Message:
    return Message(
        level="warning",
        text=f"atc gets the model with dynamic shapes in it: {reason}",
        hint="atc may find shapes dynamic that are not; look at its warnings",
    )


def _folded(cut: str) -> Message:
    return Message(
        level="warning",
        text=f"only folded constants for atc: onnxsim's optimiser {cut}",
        hint="the model is right; another machine may make another file of it",
    )


def _weights(path: Path) -> dict[str, Path]:
    """The files beside a model that hold its weights, by name.

    Raises ``InputError`` when one is missing, or lies elsewhere than beside the model.
    """
    import onnx

    model = onnx.load_model(str(path), load_external_data=False)
    names = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for name in names:
        if Path(name).name != name or not (path.parent / name).is_file():
            raise InputError(
                f"{path.name} has weights in {name}, which is not a file beside it",
                hint="put the file with the weights beside the model",
            )
    return {name: path.parent / name for name in sorted(names)}


def _pin(
    job: Job, source: Path, model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]
) -> onnxsim.Simplified:
    """A static copy of the model, with what follows from its shapes folded into constants.

    ``model`` is what the file ``source`` holds.
    """
    import onnx

    before = onnx_file.describe(model)
    try:
        pinned, cut = onnxsim.simplify(source, job.work_dir, model=model, shapes=shapes)
    except StageError as error:
        told = f"it cannot be made static: {error.message}"
        raise StageError(told, hint=error.hint) from error.__cause__
    try:
        pinned = onnx.shape_inference.infer_shapes(pinned, data_prop=True)
    except Exception as error:
        told = f"it cannot be made static: {first_line(str(error))}"
        raise StageError(told, hint="report this model") from error
    after = onnx_file.describe(pinned)
    names = [[s.name for s in facts.inputs] for facts in (before, after)]
    outputs = [[(s.name, s.dtype, s.rank) for s in facts.outputs] for facts in (before, after)]
    made = {spec.name: spec.shape for spec in after.inputs}
    right = names[0] == names[1] and outputs[0] == outputs[1] and made == dict(shapes)
    if not right or after.opset != before.opset:
        raise StageError("onnxsim changed the model's signature", hint="report this model")
    return onnxsim.Simplified(pinned, cut)


def _reference(
    job: Job,
    source: Path,
    shapes: Mapping[str, tuple[int, ...]] | None,
    value_range: tuple[float, float] | None,
) -> list[_Case]:
    """What the model as it is computes; ``InputError`` when it cannot on the shapes asked for."""
    specs = onnx_file.describe_file(source).inputs
    wanted = [{spec.name: shapes[spec.name] for spec in specs}] if shapes else None
    cases = plan_cases(specs, {}, value_range, seed=job.options.seed, shapes=wanted)
    done = []
    for case in cases[:_CASES]:
        inputs = make_inputs(case, specs, value_range)
        try:
            outputs = onnx_file.run(job.session(source), inputs)
        except StageError as error:
            raise InputError(
                error.message, hint="give a shape that the model takes: --shape NAME=DIMS"
            ) from error
        done.append(_Case(case, inputs, outputs))
    return done


def _accepted(
    job: Job, model: onnx.ModelProto, changes: tuple[str, ...], reference: list[_Case]
) -> Prepared:
    """Write the changed model and compare it; ``StageError`` when it does not compute the same."""
    import onnx

    target = job.work_dir / PREPARED_NAME
    onnx.save_model(model, str(target))
    changed = onnx_file.open_session(target, threads=job.options.threads)
    max_abs = 0.0
    for given in reference:
        compared = compare_case(
            given.case.label,
            given.case.shapes,
            given.case.seed,
            given.outputs,
            onnx_file.run(changed, given.inputs),
            default_tolerance("float32"),
        )
        if not compared.passed:
            reason = next(output.reason for output in compared.outputs if not output.passed)
            raise StageError(f"a change for atc changed the result: {reason}", hint="report this")
        max_abs = max([max_abs, *(output.max_abs for output in compared.outputs)])
    return Prepared(target, changes=changes, max_abs=max_abs)
