"""Which parameters of a PIR program take part in a computation."""

from __future__ import annotations

from typing import Any

from converter.model.pir_document import (
    is_stored_parameter,
    operand_ids,
    operation_name,
    parameter_name,
    result_ids,
    walk_operations,
)


def used_parameters(program: dict[str, Any]) -> set[str]:
    """Names of the parameters that some operator takes as an operand.

    A program may declare parameters that nothing reads (training leftovers); an exporter may drop
    those, and only those. Parameters that are not in the parameter file are left out.
    """
    declared: dict[int, str] = {}
    operands: set[int] = set()
    for operation in walk_operations(program):
        if operation_name(operation) == "builtin.parameter":
            if is_stored_parameter(operation):
                (value,) = result_ids(operation)
                declared[value] = parameter_name(operation)
        else:
            operands.update(operand_ids(operation))
    return {name for value, name in declared.items() if value in operands}
