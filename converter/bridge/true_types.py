"""Results whose declared type is not the one that Paddle computes."""

from __future__ import annotations

from typing import Any

from converter.bridge.repair import ProgramRepair
from converter.model.pir_document import (
    JsonObject,
    attribute,
    operand_ids,
    operation_name,
    value_types,
    walk_operations,
)
from converter.model.pir_types import TensorType

_CODES = {
    "bool": "0.t_bool",
    "float32": "0.t_f32",
    "float64": "0.t_f64",
    "int32": "0.t_i32",
    "int64": "0.t_i64",
}


def _true_types(operation: JsonObject, source: TensorType) -> list[tuple[str, list[int] | None]]:
    """Each result's dtype, and its shape where that is declared wrong, too."""
    name = operation_name(operation)
    if name == "pd_op.equal_all":
        return [("bool", None)]
    if name == "pd_op.slogdet":
        return [(source.dtype, [2, *source.shape[:-2]])]
    if name in ("pd_op.unique", "pd_op.unique_consecutive"):
        numbers = attribute(operation, "dtype")
        return [(source.dtype, None)] + [(numbers, None)] * (len(operation["O"]) - 1)
    return []


class TrueTypes(ProgramRepair):
    """Declare what ``equal_all``, ``slogdet`` and ``unique`` give as what it is."""

    name = "true-types"
    reason = "Paddle declares these results with the type of the operator's input or as float32"

    def apply(self, program: dict[str, Any]) -> int:
        """Correct the declarations where values are made and fetched; count the operators."""
        types = value_types(program)
        true: dict[int, Any] = {}
        changed = 0
        for operation in walk_operations(program):
            operands = operand_ids(operation)
            source = types.get(operands[0]) if operands else None
            if operation_name(operation) == "pd_op.fetch" and operands[0] in true:
                dtype, shape = true[operands[0]]
                _correct(operation["O"][0], dtype, shape)
            if source is None:
                continue
            corrected = False
            for result, (dtype, shape) in zip(
                operation.get("O", []), _true_types(operation, source), strict=False
            ):
                if _correct(result, dtype, shape):
                    true[result["%"]] = dtype, shape
                    corrected = True
            changed += corrected
        return changed


def _correct(result: JsonObject, dtype: str, shape: list[int] | None) -> bool:
    """Write the type into a result's declaration; return whether it was another."""
    kind = result.get("TT")
    code = _CODES.get(dtype)
    if not kind or not kind.get("D") or code is None:  # a result that is not made
        return False
    declared = kind["D"]
    before = (declared[0], declared[1])
    declared[0] = {"#": code}
    if shape is not None:
        declared[1] = shape
    return before != (declared[0], declared[1])
