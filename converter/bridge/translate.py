"""PIR program -> ONNX model: repairs, lowerings, paddle2onnx, and the pieces put together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converter.bridge.lowering.plan import Plan, Problem, plan
from converter.bridge.lowering.stitch import empty_model, stitch
from converter.bridge.old_opsets import make_valid
from converter.bridge.paddle2onnx import export_program, operators_above
from converter.bridge.random_outputs import random_outputs
from converter.bridge.repair import repair_program
from converter.bridge.tensor_names import tensor_names
from converter.bridge.used_parameters import used_parameters
from converter.bridge.weights import (
    EXTERNAL_FROM,
    Placed,
    attach,
    attach_external,
    missing_parameters,
)
from converter.errors import StageError
from converter.model import collector
from converter.model.pdiparams import ParamHeader, check_parameters, read_headers
from converter.model.pir import stored_parameters
from converter.model.pir_document import JsonObject
from converter.model.result import RepairApplied

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Translation:
    """The ONNX model and how it came about.

    ``headers`` are those of the parameter file; ``parameters`` are the names of the parameters that
    the model has to contain, ``external`` those whose data belongs into the file of external data;
    ``random`` are the outputs whose values are drawn anew in each run. ``names`` are the tensors
    that stand for the program's values (value number -> name), where there is one.
    """

    model: onnx.ModelProto
    headers: tuple[ParamHeader, ...]
    parameters: set[str]
    external: Sequence[Placed]
    repairs: tuple[RepairApplied, ...]
    random: tuple[str, ...]
    names: dict[int, str]


@collector.paused()
def translate(
    document: JsonObject,
    program: Path,
    params: Path | None,
    *,
    opset: int,
    work_dir: Path,
    data_name: str = "model.onnx.data",
) -> Translation:
    """Translate ``document``, the parsed JSON of ``program``; repairs change it in place.

    Weights that are too large for one file go to a file named ``data_name`` beside it.

    Raises ``StageError`` naming the operators that have no form at ``opset``.
    """
    from onnx import ModelProto

    headers: tuple[ParamHeader, ...] = ()
    if params is not None:
        declared = stored_parameters(document, source=str(program))
        headers = check_parameters(declared, read_headers(params))
    size = sum(header.nbytes for header in headers)
    random = random_outputs(document)
    repairs = repair_program(document)
    used: set[str] = set()
    names: dict[int, str] = {}
    count = iter(range(1_000_000))

    def convert(content: JsonObject, scope: str) -> tuple[onnx.ModelProto, Plan]:
        lowered, cut = plan(content, opset, convert, scope)
        if lowered.problems:
            return ModelProto(), lowered
        if lowered.left:
            file = program
            if content is not document or repairs or lowered.changes:
                file = work_dir / f"program.{next(count)}.json"
                file.write_text(json.dumps(cut, ensure_ascii=False), encoding="utf-8")
            model = ModelProto.FromString(export_program(file, opset))
            raised = {entry.version for entry in model.opset_import if not entry.domain}
            if raised != {opset}:
                found = operators_above(file, opset)
                lowered.problems += [
                    Problem(name, f"paddle2onnx writes it in opset {number}", number)
                    for name, number in found.items()
                ] or [Problem("the model", f"paddle2onnx wrote opset {raised}", max(raised))]
                return model, lowered
        else:
            model = empty_model(lowered, opset)
        if lowered.changes:
            stitch(model, lowered)
        used.update(used_parameters(cut))
        if content is document:
            names.update(tensor_names(cut) | lowered.made)
        return model, lowered

    model, lowered = convert(document, "")
    if lowered.problems:
        raise refusal(lowered.problems, opset)
    used |= lowered.parameters
    left_out = missing_parameters(model, used, headers)
    external: Sequence[Placed] = ()
    if params is not None and size >= EXTERNAL_FROM:
        external = attach_external(model, left_out, data_name)
    elif params is not None:
        attach(model, left_out, params)
    make_valid(model, opset)
    return Translation(model, headers, used, external, repairs + lowered.repairs, random, names)


def refusal(problems: list[Problem], opset: int) -> StageError:
    """One error for all operators that cannot be expressed, each named once."""
    reasons = dict.fromkeys(
        f"{problem.operator.removeprefix('pd_op.')} ({problem.why})" for problem in problems
    )
    higher = [problem.opset for problem in problems]
    if all(number is not None for number in higher):
        hint = f"ask for --opset {max(number for number in higher if number is not None)}"
    else:
        hint = "save the model without these operators, or run it with Paddle"
    return StageError(f"no right form at opset {opset} for: {'; '.join(reasons)}", hint=hint)
