"""One operator of the program as a lowering sees it: attributes, typed operands, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Tensor
from converter.model.pir_document import (
    JsonObject,
    attribute,
    operand_ids,
    operation_name,
    result_types,
)
from converter.model.pir_types import TensorType

if TYPE_CHECKING:
    import numpy as np

#: PIR's names for joining values into a list, and for taking such a list apart.
COMBINE, SPLIT, LIST_ITEM = "builtin.combine", "builtin.split", "builtin.slice"


@dataclass(frozen=True)
class Complex:
    """A complex value as two real tensors of one shape."""

    real: Tensor
    imag: Tensor


#: What a value of the program is in the ONNX graph.
Value: TypeAlias = "Tensor | Complex"


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

    def constant(self, value: int) -> np.ndarray[Any, Any] | None:
        """The value's elements if a constant operator made it, else ``None``."""
        import numpy as np

        operation = self.producers.get(value)
        kind = self.types.get(value)
        if operation is None or kind is None:
            return None
        name = operation_name(operation)
        if name == "pd_op.full":
            return np.full(kind.shape, attribute(operation, "value"), kind.dtype)
        if name == "pd_op.full_int_array":
            return np.array(attribute(operation, "value"), kind.dtype)
        if name in ("pd_op.assign_value", "pd_op.assign_value_"):
            return np.array(attribute(operation, "values"), kind.dtype).reshape(kind.shape)
        return None

    def list_items(self, value: int) -> list[int] | None:
        """The values joined into the list ``value``, or ``None`` when it is not such a list."""
        operation = self.producers.get(value)
        if operation is None or operation_name(operation) != COMBINE:
            return None
        return operand_ids(operation)


class Operation:
    """A view of one operator; ``resolve`` gives the ONNX value of a value number."""

    def __init__(self, json: JsonObject, program: Program, resolve: Callable[[int], Value]) -> None:
        self.json = json
        self.program = program
        self._resolve = resolve
        self.name = operation_name(json)
        self.operands = operand_ids(json)
        self.results = list(result_types(json))

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute's value, or ``default`` when the operator has none of that name."""
        value = attribute(self.json, name)
        return default if value is None else value

    def has(self, index: int) -> bool:
        """Whether operand ``index`` is given (optional ones may be missing)."""
        return index < len(self.operands) and self.operands[index] != 0

    def type(self, index: int) -> TensorType:
        """The type of operand ``index``; -1 is a dynamic extent."""
        return self._type(self.operands[index])

    def result_type(self, index: int = 0) -> TensorType:
        """The type of result ``index``."""
        return self._type(self.results[index])

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
        if isinstance(value, Complex):
            raise CannotLower(f"its operand {index} is complex")
        return value

    def complex(self, index: int) -> Complex:
        """Operand ``index`` as a complex value; a real one gets a zero imaginary part."""
        value = self._resolve(self.operands[index])
        if isinstance(value, Complex):
            return value
        return Complex(value, value * 0)

    def complex_items(self, index: int) -> list[Complex]:
        """Operand ``index``, a list of complex (or real) tensors, item by item."""
        items = self.program.list_items(self.operands[index])
        if items is None:
            raise CannotLower(f"its operand {index} is a list made at run time")
        values = [self._resolve(item) for item in items]
        return [
            value if isinstance(value, Complex) else Complex(value, value * 0) for value in values
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

    @property
    def is_complex(self) -> bool:
        """Whether an operand or result is complex."""
        values = [*self.results]
        for operand in self.operands:
            values += self.program.list_items(operand) or [operand]
        types = [self.program.types.get(value) for value in values]
        return any(kind is not None and kind.dtype.startswith("complex") for kind in types)

    def _type(self, value: int) -> TensorType:
        kind = self.program.types.get(value)
        if kind is None:
            raise CannotLower("an operand or result is not a dense tensor of a known dtype")
        return kind
