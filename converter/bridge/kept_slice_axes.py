"""Slices of old programs that say they drop an axis and keep it.

Programs saved by Paddle 2.x had no 0-D tensors: ``shape[0]`` was a ``slice`` with
``decrease_axis=[0]`` whose result nevertheless had shape ``[1]``. Translated to PIR the attribute
survives next to the declared shape ``[1]``. paddle2onnx believes the attribute and squeezes to
rank 0; the ``Concat`` that builds a shape vector from such slices then mixes ranks 0 and 1, which
ONNX Runtime refuses to load. The declared shape is what the rest of the program was built for.
"""

from __future__ import annotations

from typing import Any

from converter.bridge.repair import ProgramRepair
from converter.model.pir_document import (
    attribute,
    attribute_entry,
    operand_ids,
    operation_name,
    result_types,
    value_types,
    walk_operations,
)


class KeptSliceAxes(ProgramRepair):
    """Clear ``decrease_axis`` where the declared result has not lost those axes."""

    name = "kept-slice-axes"
    reason = (
        "this slice of a Paddle 2.x program says it drops an axis but its result keeps it; "
        "paddle2onnx would make it 0-D and the Concat it feeds invalid"
    )

    def apply(self, program: dict[str, Any]) -> int:
        """Clear the attribute of every slice whose declared rank contradicts it."""
        slices = [
            operation
            for operation in walk_operations(program)
            if operation_name(operation) == "pd_op.slice" and attribute(operation, "decrease_axis")
        ]
        types = value_types(program) if slices else {}
        changed = 0
        for operation in slices:
            dropped = attribute(operation, "decrease_axis")
            source = types.get(operand_ids(operation)[0])
            (result,) = result_types(operation).values()
            if not dropped or source is None or result is None:
                continue
            if len(result.shape) != len(source.shape) - len(dropped):
                entry = attribute_entry(operation, "decrease_axis")
                assert entry is not None
                entry["D"] = []
                changed += 1
        return changed
