"""Sorts that leave open in which order equal values come, and the same program without them.

``paddle.argsort(x, stable=False)``, the default, promises no order among equal values: on the CPU
Paddle uses an unstable sort, another device another one. ONNX's ``TopK`` takes the lower index
first, which is what a stable sort does.
"""

from __future__ import annotations

from converter.model.pir_document import (
    JsonObject,
    attribute_entry,
    operation_name,
    walk_operations,
)

_SORTS = ("pd_op.argsort",)


def sort_stably(program: JsonObject) -> int:
    """Make every sort of the program a stable one, in place; how many were not."""
    changed = 0
    for operation in walk_operations(program):
        if operation_name(operation) in _SORTS:
            entry = attribute_entry(operation, "stable")
            if entry is not None and entry.get("D") is False:
                entry["D"] = True
                changed += 1
    return changed
