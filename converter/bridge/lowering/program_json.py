"""Makes and removes operators in the JSON of a PIR program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from converter.model.pir_document import (
    JsonObject,
    operand_ids,
    operation_name,
    result_ids,
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


def document_of(document: JsonObject, operations: Sequence[JsonObject]) -> JsonObject:
    """A program of its own with these operators, for a block of ``document``."""
    block = {"#": "block_0", "args": [], "ops": list(operations)}
    regions = [{"#": "region_0", "blocks": [block]}]
    return {**document, "program": {**document["program"], "regions": regions}}


def blocks_of(operation: JsonObject) -> list[JsonObject]:
    """The blocks of an operator's regions, one per region; empty for an ordinary operator."""
    return [
        as_object(block, "a block")
        for region in as_list(operation.get("regions", []), "regions")
        for block in as_list(as_object(region, "a region").get("blocks"), "blocks")
    ]


def block_arguments(block: JsonObject) -> dict[int, JsonObject]:
    """The inputs of a block as results of an operator, by value number."""
    made = {}
    for argument in as_list(block.get("args", []), "arguments of a block"):
        value = argument.get("#", argument.get("%"))
        made[int(value)] = {"%": int(value), "TT": argument["TT"]}
    return made


def read_from_outside(operations: Sequence[JsonObject]) -> list[int]:
    """Values that operators (and their blocks) read and do not make, in order of first use."""
    made: set[int] = set()
    read: dict[int, None] = {}
    for operation in operations:
        for value in operand_ids(operation):
            if value and value not in made:
                read.setdefault(value)
        for block in blocks_of(operation):
            inner = set(block_arguments(block))
            for value in read_from_outside(block["ops"]):
                if value not in made and value not in inner:
                    read.setdefault(value)
        made.update(result_ids(operation))
    return list(read)


def renumbered(operations: Sequence[JsonObject], values: Mapping[int, int]) -> list[JsonObject]:
    """Copies of ``operations`` (and their blocks) that read ``values[v]`` where they read v."""
    copies = []
    for operation in operations:
        copy = {**operation, "I": [{"%": values.get(v, v)} for v in operand_ids(operation)]}
        if "regions" in operation:
            copy["regions"] = [
                {
                    **region,
                    "blocks": [
                        {**block, "ops": renumbered(block["ops"], values)}
                        for block in region["blocks"]
                    ],
                }
                for region in operation["regions"]
            ]
        copies.append(copy)
    return copies


def largest_value(operations: Sequence[JsonObject]) -> int:
    """The largest value number that operators, or those in their blocks, make or read."""
    largest = 0
    for operation in operations:
        largest = max([largest, *operand_ids(operation), *result_ids(operation)])
        for block in blocks_of(operation):
            largest = max(largest, largest_value(block["ops"]))
    return largest


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
        results = set(result_ids(operation))
        # Operators that work in place (array_write_) matter without their results.
        if name in _KEPT or name.endswith("_") or results & needed or not results:
            kept.append(operation)
            needed |= _operands(operation)
    return kept[::-1]


def _operands(operation: JsonObject) -> set[int]:
    """What an operator and the operators in its regions read."""
    read = set(operand_ids(operation))
    for block in blocks_of(operation):
        for inner in block["ops"]:
            read |= _operands(inner)
    return read


def _attribute(name: str, kind: str, value: Any) -> JsonObject:
    return {"N": name, "AT": {"#": kind, "D": value}}


def _flag(name: str, value: bool) -> JsonObject:
    return _attribute(name, "0.a_array", [{"#": "0.a_bool", "D": value}])


def assign(value: int, result: int, kind: Any) -> JsonObject:
    """An ``assign`` operator: ``result`` is a copy of ``value``, both of PIR type ``kind``."""
    return {
        "#": "1.assign",
        "A": [],
        "I": [{"%": value}],
        "O": [{"%": result, "TT": kind}],
        "OA": [_flag("stop_gradient", False)],
    }


def typed_results(operation: JsonObject) -> list[tuple[int, Any]]:
    """The value numbers of an operator's results, each with its type as it is stored."""
    results = operation.get("O", [])
    if isinstance(results, dict):
        results = [results]
    return [(result_ids({**operation, "O": [result]})[0], result["TT"]) for result in results]
