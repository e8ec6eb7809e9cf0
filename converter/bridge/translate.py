"""PIR program -> ONNX model: repairs, lowerings, paddle2onnx, and the pieces put together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converter.bridge.lowering.plan import Problem, plan
from converter.bridge.lowering.stitch import add_parameters, empty_model, stitch
from converter.bridge.paddle2onnx import export_program
from converter.bridge.repair import repair_program
from converter.bridge.used_parameters import used_parameters
from converter.errors import StageError
from converter.model.pdiparams import check_parameters, read_headers
from converter.model.pir import describe_pir
from converter.model.pir_document import JsonObject
from converter.model.result import RepairApplied

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Translation:
    """The ONNX model and how it came about.

    ``parameters`` are the names of the parameters that the model has to contain; ``random`` the
    operators whose values are drawn anew in each run.
    """

    model: onnx.ModelProto
    parameters: set[str]
    repairs: tuple[RepairApplied, ...]
    random: tuple[str, ...]


def translate(
    document: JsonObject, program: Path, params: Path | None, *, opset: int, work_dir: Path
) -> Translation:
    """Translate ``document``, the parsed JSON of ``program``; repairs change it in place.

    Raises ``StageError`` naming the operators that have no form at ``opset``.
    """
    import onnx

    repairs = repair_program(document)
    lowered, cut = plan(document, opset)
    if lowered.problems:
        raise refusal(lowered.problems, opset)
    if repairs or lowered.changes:
        program = work_dir / "repaired.json"
        program.write_text(json.dumps(cut, ensure_ascii=False), encoding="utf-8")
    if lowered.left:
        model = onnx.load_model_from_string(export_program(program, params, opset))
    else:
        model = empty_model(lowered, opset)
    if lowered.changes:
        stitch(model, lowered)
    if lowered.parameters and params is not None:
        declared = describe_pir(document, source=str(program)).parameters
        headers = check_parameters(declared, read_headers(params))
        add_parameters(model, lowered.parameters, headers, params)
    parameters = used_parameters(cut) | lowered.parameters
    return Translation(model, parameters, repairs + lowered.repairs, lowered.random)


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
