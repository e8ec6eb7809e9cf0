"""Describe a legacy Paddle program: ``.pdmodel`` or ``__model__``, without importing Paddle.

The file is one serialised ``ProgramDesc`` of paddle/fluid/framework/framework.proto. The field
numbers below are that file's; fields that we do not need are skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from converter.errors import InputError
from converter.model.files import read_all, reject_lfs_pointer
from converter.model.index_limits import IndexLimits
from converter.model.program import Parameter, ProgramDescription
from converter.model.tensor import TensorSpec, name_dims
from converter.model.tensor_desc import read_tensor_desc
from converter.model.wire import WireError, as_int, as_message, as_text, fields

#: Operators whose X has the values of their Out.
_KEEPS = frozenset(
    (
        "cast",
        "reshape2",
        "unsqueeze2",
        "squeeze2",
        "flatten_contiguous_range",
        "transpose2",
        "assign",
    )
)

# VarType.Type of the variables that hold something.
_DENSE_TENSOR, _SELECTED_ROWS = 7, 8


@dataclass
class _Variable:
    """The parts of a VarDesc that matter; ``kind`` is its VarType.Type."""

    name: str = ""
    kind: int | None = None
    dtype: str | None = None
    shape: list[int] = field(default_factory=list)
    persistable: bool = False


@dataclass
class _Operator:
    """The parts of an OpDesc that matter: ``inputs``/``outputs`` are variables by slot."""

    kind: str = ""
    inputs: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    column: int | None = None


@dataclass
class _Program:
    """All blocks of a ProgramDesc. Variables of block 0, where feed and fetch are, win."""

    variables: dict[str, _Variable] = field(default_factory=dict)
    main: list[_Operator] = field(default_factory=list)
    operators: Counter[str] = field(default_factory=Counter)
    blocks: int = 0
    version: int = 0


def read_legacy(path: Path) -> ProgramDescription:
    """Describe the legacy program in the file ``path``.

    Raises ``InputError`` when the file cannot be read or is not a whole inference program.
    """
    data = read_all(path)
    reject_lfs_pointer(path, data)
    return describe_legacy(data, source=str(path))


def describe_legacy(data: bytes, *, source: str) -> ProgramDescription:
    """Describe a serialised ``ProgramDesc``; ``source`` names it in messages.

    Raises ``InputError`` when it is damaged, truncated or has nothing to fetch.
    """
    try:
        program = _read_program(memoryview(data))
        return _describe(program)
    except WireError as error:
        raise InputError(
            f"{source} is not a readable Paddle program: {error}",
            hint="the file is damaged, cut short or of another kind: copy or download it again",
        ) from error


def _describe(program: _Program) -> ProgramDescription:
    if not program.blocks:
        raise WireError("it has no blocks")
    feeds = [op for op in program.main if op.kind == "feed"]
    fetches = [op for op in program.main if op.kind == "fetch"]
    if not fetches:
        raise WireError("it has no fetch operators, so it is not a program saved for inference")
    inputs = [
        _spec(program, name, is_input=True)
        for op in _by_column(feeds)
        for name in op.outputs.get("Out", [])
    ]
    return ProgramDescription(
        format="legacy",
        inputs=_index_limits(program, inputs).on(inputs),
        outputs=tuple(
            _spec(program, name, is_input=False)
            for op in _by_column(fetches)
            for name in op.inputs.get("X", [])
        ),
        parameters=tuple(_parameters(program.variables.values())),
        operators=dict(program.operators),
        paddle_version=_version_text(program.version),
    )


def _index_limits(program: _Program, inputs: Iterable[TensorSpec]) -> IndexLimits:
    limits = IndexLimits()
    for spec in inputs:
        limits.starts(spec.name, spec.name)
    for op in program.main:
        if op.kind in _KEEPS:
            limits.keeps(next(iter(op.inputs.get("X", [])), None), op.outputs.get("Out", []))
        elif op.kind in ("lookup_table", "lookup_table_v2"):
            table = program.variables.get(next(iter(op.inputs.get("W", [])), ""))
            rows = table.shape[0] if table and table.shape else 0
            limits.looks_up(next(iter(op.inputs.get("Ids", [])), None), rows)
    return limits


def _by_column(operators: list[_Operator]) -> list[_Operator]:
    """Order feed or fetch operators as the executor does; ``col`` counts from 0."""
    return sorted(operators, key=lambda op: op.column if op.column is not None else 0)


def _spec(program: _Program, name: str, *, is_input: bool) -> TensorSpec:
    variable = program.variables.get(name)
    if variable is None:
        raise WireError(f"it feeds or fetches {name!r}, which no block declares")
    if variable.kind != _DENSE_TENSOR or variable.dtype is None:
        raise WireError(f"it feeds or fetches {name!r}, which is not a dense tensor")
    shape = name_dims(name, variable.shape, is_input=is_input)
    return TensorSpec(name=name, dtype=variable.dtype, shape=shape)


def _parameters(variables: Iterable[_Variable]) -> Iterable[Parameter]:
    """Yield the persistable tensors: ``feed`` and ``fetch`` are persistable, but hold nothing."""
    for variable in variables:
        if not variable.persistable or variable.kind not in (_DENSE_TENSOR, _SELECTED_ROWS):
            continue
        if variable.kind == _SELECTED_ROWS or variable.dtype is None:
            raise WireError(f"parameter {variable.name!r} is not a dense tensor")
        if any(extent < 0 for extent in variable.shape):
            raise WireError(f"parameter {variable.name!r} has a dynamic shape {variable.shape}")
        yield Parameter(variable.name, variable.dtype, tuple(variable.shape))


def _version_text(version: int) -> str | None:
    """Turn 2004001 into ``2.4.1``. Development builds and Paddle before 1.6 write 0."""
    if version <= 0:
        return None
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"


def _read_program(data: memoryview) -> _Program:
    """Read ProgramDesc {blocks = 1, version = 4}."""
    program = _Program()
    for number, value in fields(data):
        if number == 1:
            _read_block(as_message(value), program)
        elif number == 4:
            for inner, version in fields(as_message(value)):
                if inner == 1:
                    program.version = as_int(version)
    return program


def _read_block(data: memoryview, program: _Program) -> None:
    """Read BlockDesc {vars = 3, ops = 4} into ``program``."""
    is_main = program.blocks == 0
    program.blocks += 1
    for number, value in fields(data):
        if number == 3:
            variable = _read_variable(as_message(value))
            program.variables.setdefault(variable.name, variable)
        elif number == 4:
            operator = _read_operator(as_message(value))
            program.operators[operator.kind] += 1
            if is_main:
                program.main.append(operator)


def _read_variable(data: memoryview) -> _Variable:
    """Read VarDesc {name = 1, type = 2, persistable = 3}."""
    variable = _Variable()
    for number, value in fields(data):
        if number == 1:
            variable.name = as_text(value)
        elif number == 2:
            _read_type(as_message(value), variable)
        elif number == 3:
            variable.persistable = bool(as_int(value))
    if not variable.name:
        raise WireError("a variable has no name")
    return variable


def _read_type(data: memoryview, variable: _Variable) -> None:
    """Read VarType {type = 1, dense_tensor = 3 {tensor = 1}} into ``variable``."""
    for number, value in fields(data):
        if number == 1:
            variable.kind = as_int(value)
        elif number == 3:
            for inner, tensor in fields(as_message(value)):
                if inner == 1:
                    variable.dtype, variable.shape = read_tensor_desc(as_message(tensor))


def _read_operator(data: memoryview) -> _Operator:
    """Read OpDesc {inputs = 1, outputs = 2, type = 3, attrs = 4}."""
    operator = _Operator()
    attributes = []
    for number, value in fields(data):
        if number == 1:
            _read_slot(as_message(value), operator.inputs)
        elif number == 2:
            _read_slot(as_message(value), operator.outputs)
        elif number == 3:
            operator.kind = as_text(value)
        elif number == 4:
            attributes.append(as_message(value))
    if not operator.kind:
        raise WireError("an operator has no type")
    # Attributes are most of the file (call stacks); only the order of feed and fetch matters.
    if operator.kind in ("feed", "fetch"):
        for attribute in attributes:
            name, integer = _read_attribute(attribute)
            if name == "col":
                operator.column = integer
    return operator


def _read_slot(data: memoryview, slots: dict[str, list[str]]) -> None:
    """Read OpDesc.Var {parameter = 1, arguments = 2} into ``slots``."""
    slot = ""
    arguments = []
    for number, value in fields(data):
        if number == 1:
            slot = as_text(value)
        elif number == 2:
            arguments.append(as_text(value))
    slots.setdefault(slot, []).extend(arguments)


def _read_attribute(data: memoryview) -> tuple[str, int | None]:
    """Read OpDesc.Attr {name = 1, i = 3}."""
    name = ""
    integer = None
    for number, value in fields(data):
        if number == 1:
            name = as_text(value)
        elif number == 3:
            integer = as_int(value)
    return name, integer
