"""One operator of the program as a lowering sees it: attributes, typed operands, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.model.pir_document import (
    JsonObject,
    attribute,
    operand_ids,
    operation_name,
    result_ids,
    result_types,
    walk_operations,
)
from converter.model.pir_types import TensorType

if TYPE_CHECKING:
    import numpy as np
    import onnx

#: PIR's names for joining values into a list, and for taking such a list apart.
COMBINE, SPLIT, LIST_ITEM = "builtin.combine", "builtin.split", "builtin.slice"


@dataclass(frozen=True)
class Complex:
    """A complex value as two real tensors of one shape."""

    real: Tensor
    imag: Tensor


@dataclass(frozen=True)
class Array:
    """A tensor array: its items stacked along a new first axis; ``None`` while it is empty."""

    stacked: Tensor | None


@dataclass(frozen=True)
class Body:
    """The converted operators of an ``if`` branch or a loop: ready nodes and what they yield.

    ``arguments`` are the block's own inputs. What is read from outside keeps its outer name.
    """

    nodes: Sequence[onnx.NodeProto]
    initializers: Sequence[onnx.TensorProto]
    arguments: Sequence[Tensor]
    yielded: Sequence[Tensor]


#: What a value of the program is in the ONNX graph.
Value: TypeAlias = "Tensor | Complex | Array"


class Program:
    """The operators of a block, indexed by the values they make."""

    def __init__(self, operations: Sequence[JsonObject], outer: Program | None = None) -> None:
        self.operations = operations
        self.producers: dict[int, JsonObject] = dict(outer.producers) if outer else {}
        self.types: dict[int, TensorType | None] = dict(outer.types) if outer else {}
        for operation in operations:
            types = result_types(operation)
            self.types.update(types)
            self.producers.update(dict.fromkeys(types, operation))

    def pir_type(self, value: int) -> Any:
        """The type of ``value`` as JSON."""
        results = self.producers[value]["O"]
        for result in results if isinstance(results, list) else [results]:
            if result.get("%", result.get("#")) == value:
                return result["TT"]
        raise CannotLower("a value has no type")

    def constant(self, value: int) -> np.ndarray[Any, Any] | None:
        """The value's elements if a constant operator made it, else ``None``."""
        import numpy as np

        operation = self.producers.get(value)
        kind = self.types.get(value)
        if operation is None or kind is None:
            return None
        name = operation_name(operation)
        if name == "pd_op.full":
            # A variable that a loop assigns before it reads it starts as a 0-D ``full`` that is
            # declared with the variable's later shape, dynamic extents included.
            shape = [1 if extent < 0 else extent for extent in kind.shape]
            return np.full(shape, attribute(operation, "value"), kind.dtype)
        if name == "pd_op.full_int_array":
            return np.array(attribute(operation, "value"), kind.dtype)
        if name in ("pd_op.assign_value", "pd_op.assign_value_"):
            return np.array(attribute(operation, "values"), kind.dtype).reshape(kind.shape)
        return None

    @cached_property
    def read(self) -> frozenset[int]:
        """The values that an operator of the block, or of the blocks in it, reads."""
        found: set[int] = set()
        for operation in self.operations:
            found.update(operand_ids(operation))
            if "regions" in operation:
                for inner in walk_operations(operation):
                    found.update(operand_ids(inner))
        return frozenset(found)

    def list_items(self, value: int) -> list[int] | None:
        """The values joined into the list ``value``, or ``None`` when it is not such a list."""
        operation = self.producers.get(value)
        if operation is None or operation_name(operation) != COMBINE:
            return None
        return operand_ids(operation)


class Context(Protocol):
    """What an operator with blocks of its own, or with side effects, needs of the plan."""

    def body(self, json: JsonObject, extra: Sequence[int], graph: Graph) -> Body:
        """Convert a block; ``extra`` are values of it to yield after its own."""
        ...

    def is_lowered(self, block: JsonObject) -> bool:
        """Whether an operator of the block will not be left to paddle2onnx."""
        ...

    def array(self, value: int) -> Array:
        """What the tensor array ``value`` is now. Raises ``CannotLower``."""
        ...

    def assign(self, value: int, made: Value) -> None:
        """Say what ``value`` is from now on (tensor arrays change in place)."""
        ...


class Operation:
    """A view of one operator; ``resolve`` gives the ONNX value of a value number."""

    def __init__(
        self,
        json: JsonObject,
        program: Program,
        resolve: Callable[[int], Value],
        context: Context,
    ) -> None:
        self.json = json
        self.program = program
        self.context = context
        self._resolve = resolve
        self.name = operation_name(json)
        self.operands = operand_ids(json)
        self.results = result_ids(json)

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute's value, or ``default`` when the operator has none of that name."""
        value = attribute(self.json, name)
        return default if value is None else value

    def has(self, index: int) -> bool:
        """Whether operand ``index`` is given (optional ones may be missing)."""
        return index < len(self.operands) and self.operands[index] != 0

    def used(self, index: int) -> bool:
        """Whether anything reads result ``index``."""
        return self.results[index] in self.program.read

    def type(self, index: int) -> TensorType:
        """The type of operand ``index``; -1 is a dynamic extent."""
        return self._type(self.operands[index])

    def result_type(self, index: int = 0) -> TensorType:
        """The type of result ``index``."""
        return self._type(self.results[index])

    def redeclare(
        self, index: int, *, shape: Sequence[int] | None = None, dtype: str | None = None
    ) -> None:
        """Correct the type of result ``index`` where Paddle itself declares a wrong one."""
        kind = self.result_type(index)
        extents = kind.shape if shape is None else tuple(shape)
        self.program.types[self.results[index]] = TensorType(dtype or kind.dtype, extents)

    def rank(self, index: int = 0) -> int:
        """The number of axes of operand ``index``."""
        return len(self.type(index).shape)

    def extents(self, index: int = 0) -> list[int | Tensor]:
        """Operand ``index``'s extents: numbers where declared, else 1-D int64 tensors."""
        shape = self.type(index).shape
        if all(extent >= 0 for extent in shape):
            return list(shape)
        x = self[index]
        return [
            extent if extent >= 0 else x.graph.extent(x, axis) for axis, extent in enumerate(shape)
        ]

    def axis(self, value: int, index: int = 0) -> int:
        """``value`` as a non-negative axis of operand ``index``."""
        return value % max(self.rank(index), 1)

    def constant(self, index: int) -> np.ndarray[Any, Any] | None:
        """Operand ``index`` as an array if it is a constant of the program, else ``None``."""
        return self.program.constant(self.operands[index]) if self.has(index) else None

    def known(self, index: int, what: str) -> np.ndarray[Any, Any]:
        """Operand ``index`` as an array. Raises ``CannotLower`` when it is computed."""
        array = self.constant(index)
        if array is None:
            raise CannotLower(f"its {what} is not a constant")
        return array

    def __getitem__(self, index: int) -> Tensor:
        """Operand ``index`` as a real tensor."""
        value = self._resolve(self.operands[index])
        if not isinstance(value, Tensor):
            raise CannotLower(f"its operand {index} is complex or a tensor array")
        return value

    def array(self, index: int) -> Array:
        """Operand ``index`` as a tensor array."""
        value = self._resolve(self.operands[index])
        if not isinstance(value, Array):
            raise CannotLower(f"its operand {index} is not a tensor array that is known here")
        return value

    def complex(self, index: int) -> Complex:
        """Operand ``index`` as a complex value; a real one gets a zero imaginary part."""
        value = self._resolve(self.operands[index])
        if isinstance(value, Complex):
            return value
        tensor = self[index]
        return Complex(tensor, tensor * 0)

    def complex_items(self, index: int) -> list[Complex]:
        """Operand ``index``, a list of complex (or real) tensors, item by item."""
        items = self.program.list_items(self.operands[index])
        if items is None:
            raise CannotLower(f"its operand {index} is a list made at run time")
        values = [self._resolve(item) for item in items]
        if any(isinstance(value, Array) for value in values):
            raise CannotLower(f"its operand {index} has tensor arrays")
        return [
            Complex(value, value * 0) if isinstance(value, Tensor) else value
            for value in values
            if not isinstance(value, Array)
        ]

    def tensors(self, index: int) -> list[Tensor]:
        """Operand ``index``, a list of tensors, item by item."""
        items = self.program.list_items(self.operands[index])
        if items is None:
            raise CannotLower(f"its operand {index} is a list made at run time")
        values = [self._resolve(item) for item in items]
        tensors = [value for value in values if isinstance(value, Tensor)]
        if len(tensors) < len(values):
            raise CannotLower(f"its operand {index} has complex items")
        return tensors

    def item_types(self, index: int) -> list[TensorType]:
        """The types of the items of the list operand ``index``."""
        items = self.program.list_items(self.operands[index])
        if items is None:
            raise CannotLower(f"its operand {index} is a list made at run time")
        return [self._type(item) for item in items]

    @cached_property
    def dtypes(self) -> frozenset[str]:
        """Those of the operands and results that are dense tensors."""
        values = [*self.results]
        for operand in self.operands:
            values += self.program.list_items(operand) or [operand]
        types = [self.program.types.get(value) for value in values]
        return frozenset(kind.dtype for kind in types if kind is not None)

    @property
    def is_complex(self) -> bool:
        """Whether an operand or result is complex."""
        return any(dtype.startswith("complex") for dtype in self.dtypes)

    def _type(self, value: int) -> TensorType:
        kind = self.program.types.get(value)
        if kind is None:
            raise CannotLower("an operand or result is not a dense tensor of a known dtype")
        return kind
