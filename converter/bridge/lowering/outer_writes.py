"""Finds operators in a branch or loop that write into a value from outside of it.

Paddle's ``assign_out_`` and ``set_value_`` change their operand itself. In a branch, what is read
by that value's number afterwards is the changed value, although the program does not say that the
branch yields it; an ONNX body cannot reach out of itself, and paddle2onnx would read the old value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converter.bridge.lowering.program_json import block_arguments, blocks_of, read_from_outside
from converter.model.pir_document import JsonObject, operand_ids, operation_name, result_ids

#: Operand that is written to, where it is not the first.
_TARGET = {"pd_op.assign_out_": 1}

#: A tensor array changes in place, and its lowering knows that. Batch norms write their running
#: statistics, as they are where a model only infers.
_KNOWN = {"pd_op.array_write_", "pd_op.batch_norm_", "pd_op.sync_batch_norm_"}


def outer_writes(operations: Sequence[JsonObject]) -> Iterator[str]:
    """Names of operators in the blocks of ``operations`` whose writes ONNX cannot express.

    One that writes to a value that nothing reads afterwards is none: its result is what counts.
    """
    for index, operation in enumerate(operations):
        for block in blocks_of(operation):
            yield from outer_writes(block["ops"])
            repeats = operation_name(operation) == "pd_op.while"
            later = set(read_from_outside(operations[index + 1 :]))
            for name, value, after in _writes(block):
                if value in later or (repeats and value in after):
                    yield name


def _writes(block: JsonObject) -> Iterator[tuple[str, int, set[int]]]:
    """(operator, value from outside that it writes to, what the block's others read)."""
    inside = set(block_arguments(block))
    operations = block["ops"]
    for json in operations:
        inside.update(result_ids(json))
    for json in operations:
        name = operation_name(json)
        if not name.endswith("_") or name in _KNOWN:
            continue
        operands = operand_ids(json)
        place = _TARGET.get(name, 0)
        if place < len(operands) and operands[place] not in inside:
            others = [other for other in operations if other is not json]
            yield name, operands[place], set(read_from_outside(others))
    for json in operations:
        for inner in blocks_of(json):
            for name, value, read in _writes(inner):
                if value not in inside:
                    yield name, value, read | set(read_from_outside(operations))
