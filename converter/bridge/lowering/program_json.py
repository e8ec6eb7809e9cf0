"""Makes and removes operators in the JSON of a PIR program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.model.pir_document import (
    JsonObject,
    operand_ids,
    operation_name,
    result_types,
)
from converter.model.pir_types import TensorType, as_list, as_object, malformed

#: Operators that stay although nothing uses their results.
_KEPT = {"builtin.parameter", "builtin.shadow_output", "builtin.set_parameter"}
_KEPT |= {"pd_op.data", "pd_op.feed", "pd_op.fetch", "pd_op.print", "cf.yield"}


def block_operations(document: JsonObject) -> list[JsonObject]:
    """The operators of the program's own block.

    Raises ``InputError`` when the program has not exactly one region with one block.
    """
    program = as_object(document.get("program"), "the program")
    regions = as_list(program.get("regions"), "regions of the program")
    blocks = [block for region in regions for block in as_list(region.get("blocks"), "blocks")]
    if len(blocks) != 1:
        raise malformed(f"it has {len(blocks)} blocks instead of one")
    return as_list(blocks[0].get("ops"), "ops of a block")


def with_operations(document: JsonObject, operations: Sequence[JsonObject]) -> JsonObject:
    """A copy of ``document`` whose own block has these operators."""
    (region,) = document["program"]["regions"]
    (block,) = region["blocks"]
    block = {**block, "ops": list(operations)}
    program = {**document["program"], "regions": [{**region, "blocks": [block]}]}
    return {**document, "program": program}


def data(name: str, kind: TensorType, result: JsonObject) -> JsonObject:
    """A ``data`` operator (an input of the program) that makes ``result``."""
    return {
        "#": "1.data",
        "A": [
            _attribute("name", "0.a_str", name),
            _attribute("shape", "1.a_intarray", list(kind.shape)),
            _attribute("dtype", "1.a_dtype", kind.dtype),
            _attribute("place", "1.a_place", [0, 0, ""]),
        ],
        "I": [],
        "O": [result],
        "OA": [_flag("stop_gradient", False)],
    }


def fetch(name: str, column: int, value: int, result: int, kind: Any) -> JsonObject:
    """A ``fetch`` operator (an output of the program) that reads ``value`` of PIR type ``kind``."""
    return {
        "#": "1.fetch",
        "A": [_attribute("name", "0.a_str", name), _attribute("col", "0.a_i32", column)],
        "I": [{"%": value}],
        "O": [{"%": result, "TT": kind}],
        "OA": [_flag("persistable", True), _flag("stop_gradient", False)],
    }


def without_dead(operations: Sequence[JsonObject]) -> list[JsonObject]:
    """``operations`` of one block without those that nothing needs, order kept."""
    needed: set[int] = set()
    kept: list[JsonObject] = []
    for operation in reversed(operations):
        name = operation_name(operation)
        results = set(result_types(operation))
        # Operators that work in place (array_write_) matter without their results.
        if name in _KEPT or name.endswith("_") or results & needed or not results:
            kept.append(operation)
            needed |= _operands(operation)
    return kept[::-1]


def _operands(operation: JsonObject) -> set[int]:
    """What an operator and the operators in its regions read."""
    read = set(operand_ids(operation))
    for region in operation.get("regions", []):
        for block in region["blocks"]:
            for inner in block["ops"]:
                read |= _operands(inner)
    return read


def _attribute(name: str, kind: str, value: Any) -> JsonObject:
    return {"N": name, "AT": {"#": kind, "D": value}}


def _flag(name: str, value: bool) -> JsonObject:
    return _attribute(name, "0.a_array", [{"#": "0.a_bool", "D": value}])
