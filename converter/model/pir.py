"""Describe a PIR program (Paddle 3's ``inference.json``): inputs, outputs, weights, operators.

``converter.model.pir_document`` has the JSON itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from converter.errors import InputError
from converter.model.index_limits import IndexLimits
from converter.model.pir_document import (
    JsonObject,
    attribute,
    is_stored_parameter,
    load_pir,
    operand_ids,
    operation_name,
    parameter_name,
    result_ids,
    result_types,
    walk_operations,
)
from converter.model.pir_types import (
    TensorType,
    as_integer,
    as_name,
    as_object,
    malformed,
)
from converter.model.program import Parameter, ProgramDescription
from converter.model.tensor import TensorSpec, name_dims

#: Operators whose first operand's values are their result's.
_KEEPS = frozenset(
    f"pd_op.{name}"
    for name in ("cast", "reshape", "unsqueeze", "squeeze", "flatten", "transpose", "assign")
)


def read_pir(path: Path) -> ProgramDescription:
    """Describe the PIR program in the file ``path``.

    Raises ``InputError`` when the file cannot be read or is not a whole inference program.
    """
    return describe_pir(load_pir(path), source=str(path))


def describe_pir(document: JsonObject, *, source: str) -> ProgramDescription:
    """Describe a document that ``parse_pir`` returned; ``source`` names it in messages.

    Raises ``InputError`` when a part that is needed is missing or of the wrong type, or when
    there is nothing to fetch.
    """
    try:
        return _describe(document)
    except InputError as error:
        raise InputError(f"{source}: {error.message}", hint=error.hint) from error


def stored_parameters(document: JsonObject, *, source: str) -> tuple[Parameter, ...]:
    """Only the parameters, as ``describe_pir`` gives them. Raises ``InputError``."""
    try:
        return tuple(_parameters(document).values())
    except InputError as error:
        raise InputError(f"{source}: {error.message}", hint=error.hint) from error


def _parameters(document: JsonObject) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for operation in walk_operations(document):
        if is_stored_parameter(operation):
            parameter = _parameter(operation)
            found.setdefault(parameter.name, parameter)
    return found


def _describe(document: JsonObject) -> ProgramDescription:
    base_code = as_object(document.get("base_code"), "base_code")
    version = as_integer(base_code.get("version"), "base_code.version")
    types: dict[int, TensorType | None] = {}
    operators: Counter[str] = Counter()
    # With each its column: data operators and shadow outputs have none and keep program order.
    inputs: list[tuple[int, TensorSpec]] = []
    outputs: list[tuple[int, TensorSpec]] = []
    limits = IndexLimits()
    for operation in walk_operations(document):
        types.update(result_types(operation))
        name = operation_name(operation)
        if name == "builtin.parameter":
            continue
        operators[name] += 1
        if name in ("pd_op.data", "pd_op.feed"):
            column = -1 if name == "pd_op.data" else _column(operation)
            inputs.append((column, _input(operation)))
            for value in result_ids(operation):
                limits.starts(value, inputs[-1][1].name)
        elif name in _KEEPS:
            limits.keeps(operand_ids(operation)[0], result_ids(operation))
        elif name == "pd_op.embedding":
            indices, weight = operand_ids(operation)[:2]
            table = types.get(weight)
            limits.looks_up(indices, table.shape[0] if table and table.shape else 0)
        elif name in ("pd_op.fetch", "builtin.shadow_output"):
            column = len(outputs) if name == "builtin.shadow_output" else _column(operation)
            outputs.append((column, _output(operation, types)))
    if not outputs:
        raise malformed("it has no fetch operators")
    return ProgramDescription(
        format="pir",
        inputs=limits.on(_in_order(inputs)),
        outputs=_in_order(outputs),
        parameters=tuple(_parameters(document).values()),
        operators=dict(operators),
        pir_version=version,
    )


def _in_order(specs: list[tuple[int, TensorSpec]]) -> tuple[TensorSpec, ...]:
    return tuple(spec for _, spec in sorted(specs, key=lambda pair: pair[0]))


def _column(operation: JsonObject) -> int:
    column = attribute(operation, "col")
    return 0 if column is None else as_integer(column, "the column of a feed or fetch")


def _input(operation: JsonObject) -> TensorSpec:
    name = as_name(attribute(operation, "name"), "the name of an input")
    kind = _dense(next(iter(result_types(operation).values()), None), f"input {name}")
    shape = name_dims(name, list(kind.shape), is_input=True)
    return TensorSpec(name=name, dtype=kind.dtype, shape=shape)


def _output(operation: JsonObject, types: Mapping[int, TensorType | None]) -> TensorSpec:
    """Describe what a fetch or shadow output gives; its operand's type is the output's type."""
    key = "output_name" if operation_name(operation) == "builtin.shadow_output" else "name"
    name = as_name(attribute(operation, key), "the name of an output")
    kind = _dense(next((types.get(i) for i in operand_ids(operation)), None), f"output {name}")
    shape = name_dims(name, list(kind.shape), is_input=False)
    return TensorSpec(name=name, dtype=kind.dtype, shape=shape)


def _parameter(operation: JsonObject) -> Parameter:
    name = parameter_name(operation)
    kind = _dense(next(iter(result_types(operation).values()), None), f"parameter {name}")
    if any(extent < 0 for extent in kind.shape):
        raise malformed(f"parameter {name} has a dynamic shape {list(kind.shape)}")
    return Parameter(name, kind.dtype, kind.shape)


def _dense(kind: TensorType | None, what: str) -> TensorType:
    if kind is None:
        raise malformed(f"{what} is not a dense tensor of a known dtype")
    return kind
