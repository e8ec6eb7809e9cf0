"""Builds ONNX nodes for one operator, in the form that the asked opset has for them.

A lowering is written once, in today's ONNX; ``Graph`` knows how the same thing was said in earlier
opsets (an attribute that became an input, an operator that did not exist yet).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from converter.bridge.lowering.errors import CannotLower, NeedsOpset

if TYPE_CHECKING:
    import onnx

#: numpy dtype name -> ``onnx.TensorProto.DataType``.
ONNX_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "bfloat16": 16,
}


@dataclass(frozen=True)
class Tensor:
    """A value of the ONNX graph: its name, numpy dtype name, and rank where it is known.

    Arithmetic and comparison operators emit nodes; numbers take this tensor's dtype.
    """

    name: str
    dtype: str
    rank: int | None
    graph: Graph = field(repr=False, compare=False)

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating point numbers."""
        return self.dtype in ("float16", "bfloat16", "float32", "float64")

    def __add__(self, other: Operand) -> Tensor:
        return self.graph.emit("Add", self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return self.graph.emit("Add", self.graph.like(other, self), self)

    def __sub__(self, other: Operand) -> Tensor:
        return self.graph.emit("Sub", self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return self.graph.emit("Sub", self.graph.like(other, self), self)

    def __mul__(self, other: Operand) -> Tensor:
        return self.graph.emit("Mul", self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return self.graph.emit("Mul", self.graph.like(other, self), self)

    def __truediv__(self, other: Operand) -> Tensor:
        return self.graph.emit("Div", self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return self.graph.emit("Div", self.graph.like(other, self), self)

    def __neg__(self) -> Tensor:
        return self.graph.emit("Neg", self)

    def __pow__(self, other: Operand) -> Tensor:
        return self.graph.emit("Pow", self, other)

    def __matmul__(self, other: Tensor) -> Tensor:
        return self.graph.emit("MatMul", self, other)

    def __lt__(self, other: Operand) -> Tensor:
        return self.graph.emit("Less", self, other, dtype="bool")

    def __gt__(self, other: Operand) -> Tensor:
        return self.graph.emit("Greater", self, other, dtype="bool")

    def __le__(self, other: Operand) -> Tensor:
        if self.graph.opset >= 12:
            return self.graph.emit("LessOrEqual", self, other, dtype="bool")
        # Not "not greater": that would be true for NaN.
        return self.graph.emit("Or", self < other, self.graph.equal(self, other))

    def __ge__(self, other: Operand) -> Tensor:
        if self.graph.opset >= 12:
            return self.graph.emit("GreaterOrEqual", self, other, dtype="bool")
        return self.graph.emit("Or", self > other, self.graph.equal(self, other))

    def __and__(self, other: Tensor) -> Tensor:
        return self.graph.emit("And", self, other)

    def __or__(self, other: Tensor) -> Tensor:
        return self.graph.emit("Or", self, other)

    def __invert__(self) -> Tensor:
        return self.graph.emit("Not", self)


#: What an operator takes: a tensor, or a number that becomes a constant.
Operand: TypeAlias = "Tensor | int | float | bool"


class Graph:
    """Collects the nodes of one lowered operator for one opset.

    ``prefix`` makes the names of its values unique in the whole model.
    """

    def __init__(self, opset: int, prefix: str) -> None:
        self.opset = opset
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self._count = 0

    def name(self, hint: str) -> str:
        """A value name that nothing else has."""
        self._count += 1
        return f"{self.prefix}.{hint}.{self._count}"

    def since(self, opset: int, what: str) -> None:
        """Raise ``NeedsOpset`` unless ``opset`` is there; ``what`` is what needs it."""
        if self.opset < opset:
            raise NeedsOpset(opset, what)

    # Nodes and constants

    def emit_all(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        dtypes: Sequence[str],
        ranks: Sequence[int | None] | None = None,
        **attributes: Any,
    ) -> tuple[Tensor, ...]:
        """Add a node with one output per entry of ``dtypes``; ``None`` leaves an input out."""
        from onnx import helper

        names = [self.name(kind) for _ in dtypes]
        given = [tensor.name if tensor is not None else "" for tensor in inputs]
        while given and not given[-1]:
            given.pop()
        kept = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(kind, given, names, name=names[0], **kept))
        ranks = ranks or [None] * len(names)
        return tuple(
            Tensor(name, dtype, rank, self)
            for name, dtype, rank in zip(names, dtypes, ranks, strict=True)
        )

    def emit(
        self,
        kind: str,
        *inputs: Operand | None,
        dtype: str | None = None,
        rank: int | None = None,
        **attributes: Any,
    ) -> Tensor:
        """Add a node with one output.

        The output's dtype is the first tensor's unless ``dtype`` says otherwise, its rank the
        highest of the inputs'. Numbers among the inputs become constants of that first dtype.
        """
        first = next(item for item in inputs if isinstance(item, Tensor))
        tensors = [None if item is None else self.like(item, first) for item in inputs]
        if rank is None:
            known = [tensor.rank for tensor in tensors if tensor is not None]
            rank = max((r for r in known if r is not None), default=None)
            if None in known:
                rank = None
        (result,) = self.emit_all(kind, tensors, [dtype or first.dtype], [rank], **attributes)
        return result

    def constant(self, value: Any, dtype: str | None = None) -> Tensor:
        """A constant from a number, a (nested) list or a numpy array."""
        import numpy as np
        from onnx import numpy_helper

        if dtype == "bfloat16":
            return self.cast(self.constant(value, "float32"), "bfloat16")
        array = np.asarray(value, dtype=dtype)
        if dtype is None and array.dtype == np.float64:
            array = array.astype(np.float32)
        if not array.flags.c_contiguous:  # ascontiguousarray would make 0-D arrays 1-D
            array = np.ascontiguousarray(array)
        (result,) = self.emit_all(
            "Constant",
            (),
            [array.dtype.name],
            [array.ndim],
            value=numpy_helper.from_array(array),
        )
        return result

    def ints(self, *values: int) -> Tensor:
        """A 1-D int64 constant."""
        return self.constant(list(values), "int64")

    def like(self, value: Operand, other: Tensor) -> Tensor:
        """``value`` as it is, or a 0-D constant of ``other``'s dtype."""
        if isinstance(value, Tensor):
            return value
        return self.constant(value, other.dtype)

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        """``x`` as ``dtype``; no node when it is that already."""
        if x.dtype == dtype:
            return x
        if dtype not in ONNX_TYPES:
            raise CannotLower(f"ONNX has no dtype {dtype}")
        return self.emit("Cast", x, dtype=dtype, rank=x.rank, to=ONNX_TYPES[dtype])

    # Element by element

    def where(self, condition: Tensor, x: Operand, y: Operand) -> Tensor:
        """``x`` where ``condition`` holds, else ``y``; at least one of them is a tensor."""
        self.since(9, "Where")
        model = x if isinstance(x, Tensor) else y
        assert isinstance(model, Tensor)
        first, second = self.like(x, model), self.like(y, model)
        return self.emit("Where", condition, first, second, dtype=model.dtype)

    def equal(self, x: Tensor, y: Operand) -> Tensor:
        """Element-wise equality; for floats before opset 11 through two comparisons."""
        if x.is_float and self.opset < 11:
            first, second = x < y, x > y
            return ~(first | second)
        if x.dtype in ("uint8", "int8", "int16"):  # ONNX Runtime lacks these
            wide = self.cast(x, "int32")
            return self.equal(wide, self.cast(y, "int32") if isinstance(y, Tensor) else y)
        return self.emit("Equal", x, y, dtype="bool")

    def minimum(self, x: Tensor, y: Operand) -> Tensor:
        """Element-wise minimum. ONNX: floats only before 12, no broadcasting in 7."""
        if self.opset < 8 and x.is_float:
            if isinstance(y, Tensor):
                raise NeedsOpset(8, "Min of two tensors")
            return self.emit("Clip", x, max=float(y))
        other = self.like(y, x)
        if not x.is_float and self.opset < 12:
            return self.where(x < other, x, other)
        return self.emit("Min", x, other)

    def maximum(self, x: Tensor, y: Operand) -> Tensor:
        """Element-wise maximum. ONNX: floats only before 12, no broadcasting in 7."""
        if self.opset < 8 and x.is_float:
            if isinstance(y, Tensor):
                raise NeedsOpset(8, "Max of two tensors")
            return self.emit("Clip", x, min=float(y))
        other = self.like(y, x)
        if not x.is_float and self.opset < 12:
            return self.where(x > other, x, other)
        return self.emit("Max", x, other)

    def clip(self, x: Tensor, low: float | None, high: float | None) -> Tensor:
        """``x`` limited to [low, high]; ``None`` is no limit."""
        if low is not None:
            x = self.maximum(x, low)
        return x if high is None else self.minimum(x, high)

    def abs(self, x: Tensor) -> Tensor:
        """Absolute value."""
        return self.emit("Abs", x)

    def exp(self, x: Tensor) -> Tensor:
        """e to the power of ``x``."""
        return self.emit("Exp", x)

    def log(self, x: Tensor) -> Tensor:
        """Natural logarithm."""
        return self.emit("Log", x)

    def sqrt(self, x: Tensor) -> Tensor:
        """Square root."""
        return self.emit("Sqrt", x)

    def sign(self, x: Tensor) -> Tensor:
        """-1, 0 or 1."""
        self.since(9, "Sign")
        return self.emit("Sign", x)

    def floor(self, x: Tensor) -> Tensor:
        """Largest integer that is not greater."""
        return self.emit("Floor", x)

    def is_nan(self, x: Tensor) -> Tensor:
        """Whether an element is not a number; before opset 9 a comparison with itself."""
        if self.opset >= 9:
            return self.emit("IsNaN", x, dtype="bool")
        first, second = x < 0.0, x >= 0.0
        return ~(first | second)

    def is_negative(self, x: Tensor) -> Tensor:
        """Whether the sign bit of a float is set (also of -0.0, not of NaN)."""
        return (x < 0.0) | ((1.0 / x) < 0.0)

    def all_true(self, x: Tensor) -> Tensor:
        """Whether every element of a bool tensor is true, 0-D."""
        return self.cast(self.reduce("Min", self.cast(x, "int32")), "bool")

    # Shape and layout

    def join(self, *extents: Tensor | int) -> Tensor:
        """A 1-D int64 tensor of these extents: numbers, or 1-D int64 tensors."""
        if all(isinstance(extent, int) for extent in extents):
            return self.constant(list(extents), "int64")
        parts = [extent if isinstance(extent, Tensor) else self.ints(extent) for extent in extents]
        return parts[0] if len(parts) == 1 else self.concat(parts, axis=0)

    def scalar(self, x: Tensor) -> Tensor:
        """A tensor of one element as a 0-D one."""
        if x.rank == 0:
            return x
        return self.reshape(x, self.constant([], "int64"), rank=0)

    def shape(self, x: Tensor) -> Tensor:
        """The extents as a 1-D int64 tensor."""
        return self.emit("Shape", x, dtype="int64", rank=1)

    def extent(self, x: Tensor, axis: int) -> Tensor:
        """One extent as a 1-D int64 tensor of one element."""
        return self.gather(self.shape(x), self.ints(axis), axis=0)

    def size(self, x: Tensor) -> Tensor:
        """The number of elements, 0-D int64."""
        return self.emit("Size", x, dtype="int64", rank=0)

    def reshape(self, x: Tensor, shape: Tensor | Sequence[int], rank: int | None = None) -> Tensor:
        """Reshape; in ``shape`` 0 keeps an extent and -1 is inferred, as in ONNX."""
        if not isinstance(shape, Tensor):
            rank = len(shape)
            shape = self.constant(list(shape), "int64")
        (result,) = self.emit_all("Reshape", (x, shape), [x.dtype], [rank])
        return result

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """Axes in the order given; no node when that is how they are."""
        if list(order) == list(range(len(order))):
            return x
        return self.emit("Transpose", x, perm=list(order), rank=len(order))

    def squeeze(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """Drop axes of extent 1 (negative ones count from the end)."""
        rank = None if x.rank is None else x.rank - len(axes)
        return self._with_axes("Squeeze", x, axes, 13, rank)

    def unsqueeze(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """Insert axes of extent 1 at these places of the result."""
        rank = None if x.rank is None else x.rank + len(axes)
        return self._with_axes("Unsqueeze", x, axes, 13, rank)

    def _with_axes(
        self,
        kind: str,
        x: Tensor,
        axes: Sequence[int],
        as_input_since: int,
        rank: int | None,
        **attributes: Any,
    ) -> Tensor:
        if not axes:
            (result,) = self.emit_all("Identity", (x,), [x.dtype], [rank])
            return result
        if self.opset >= as_input_since:
            inputs: tuple[Tensor, ...] = (x, self.ints(*axes))
            (result,) = self.emit_all(kind, inputs, [x.dtype], [rank], **attributes)
            return result
        if any(axis < 0 for axis in axes) and self.opset < 11:
            if rank is None or x.rank is None:
                raise NeedsOpset(11, f"{kind} with negative axes")
            total = max(rank, x.rank)
            axes = [axis % total for axis in axes]
        (result,) = self.emit_all(kind, (x,), [x.dtype], [rank], axes=list(axes), **attributes)
        return result

    def expand(self, x: Tensor, shape: Tensor | Sequence[int], rank: int | None = None) -> Tensor:
        """Broadcast to ``shape`` (both ways, as in ONNX)."""
        self.since(8, "Expand")
        if not isinstance(shape, Tensor):
            rank = len(shape)
            shape = self.constant(list(shape), "int64")
        (result,) = self.emit_all("Expand", (x, shape), [x.dtype], [rank])
        return result

    def filled(self, shape: Tensor, value: float, dtype: str, rank: int | None = None) -> Tensor:
        """A tensor of this (computed) shape with one value everywhere."""
        import numpy as np
        from onnx import numpy_helper

        self.since(9, "ConstantOfShape")
        one = numpy_helper.from_array(np.full(1, value, dtype))
        (result,) = self.emit_all("ConstantOfShape", (shape,), [dtype], [rank], value=one)
        return result

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """Join along ``axis``."""
        if axis < 0 and self.opset < 11:
            if tensors[0].rank is None:
                raise NeedsOpset(11, "Concat with a negative axis")
            axis %= tensors[0].rank
        return self.emit("Concat", *tensors, axis=axis, rank=tensors[0].rank)

    def slice(
        self,
        x: Tensor,
        starts: Sequence[int],
        ends: Sequence[int],
        axes: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> Tensor:
        """``x[starts:ends:steps]`` along ``axes``, with constant bounds."""
        if self.opset < 10:
            if steps and any(step != 1 for step in steps):
                raise NeedsOpset(10, "Slice with steps")
            return self.emit("Slice", x, starts=list(starts), ends=list(ends), axes=list(axes))
        inputs = [x, self.ints(*starts), self.ints(*ends), self.ints(*axes)]
        if steps:
            inputs.append(self.ints(*steps))
        (result,) = self.emit_all("Slice", inputs, [x.dtype], [x.rank])
        return result

    def slice_to(self, x: Tensor, start: Tensor, end: Tensor, axis: int) -> Tensor:
        """``x[start:end]`` along ``axis``; the bounds are int64 tensors of one element."""
        self.since(10, "Slice with computed bounds")
        inputs = (x, start, end, self.ints(axis))
        (result,) = self.emit_all("Slice", inputs, [x.dtype], [x.rank])
        return result

    def split(self, x: Tensor, sizes: Sequence[int], axis: int) -> tuple[Tensor, ...]:
        """Cut along ``axis`` into parts of these sizes."""
        dtypes, ranks = [x.dtype] * len(sizes), [x.rank] * len(sizes)
        if self.opset >= 13:
            return self.emit_all("Split", (x, self.ints(*sizes)), dtypes, ranks, axis=axis)
        return self.emit_all("Split", (x,), dtypes, ranks, axis=axis, split=list(sizes))

    def pad(self, x: Tensor, pads: Sequence[int], mode: str = "constant", value: Any = 0) -> Tensor:
        """Pad with ``pads`` = begins of all axes, then ends of all axes (ONNX order)."""
        if self.opset < 11:
            fill = float(value) if mode == "constant" else None
            return self.emit("Pad", x, mode=mode, pads=list(pads), value=fill)
        inputs = [x, self.ints(*pads)]
        if mode == "constant":
            inputs.append(self.constant(value, x.dtype))
        (result,) = self.emit_all("Pad", inputs, [x.dtype], [x.rank], mode=mode)
        return result

    # Reductions, gathering, sorting

    def reduce(
        self, kind: str, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False
    ) -> Tensor:
        """``kind`` is Sum, Mean, Max, Min, Prod, L2, ...; ``axes=None`` reduces every axis."""
        since = 13 if kind == "Sum" else 18
        if axes is not None and len(axes) == 0:
            return self.emit("Identity", x)
        rank = x.rank if keepdims else None
        if axes is None:
            rank = rank if keepdims else 0
            return self.emit(f"Reduce{kind}", x, rank=rank, keepdims=int(keepdims))
        if not keepdims and x.rank is not None:
            rank = x.rank - len(axes)
        return self._with_axes(f"Reduce{kind}", x, axes, since, rank, keepdims=int(keepdims))

    def sum(self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Sum over ``axes``, or over all."""
        return self.reduce("Sum", x, axes, keepdims)

    def mean(self, x: Tensor, axes: Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Mean over ``axes``, or over all."""
        return self.reduce("Mean", x, axes, keepdims)

    def gather(self, x: Tensor, indices: Tensor, axis: int = 0) -> Tensor:
        """``x`` taken at ``indices`` along ``axis``."""
        if axis < 0 and self.opset < 11 and x.rank is not None:
            axis %= x.rank
        rank = None
        if x.rank is not None and indices.rank is not None:
            rank = x.rank + indices.rank - 1
        (result,) = self.emit_all("Gather", (x, indices), [x.dtype], [rank], axis=axis)
        return result

    def gather_elements(self, x: Tensor, indices: Tensor, axis: int) -> Tensor:
        """numpy's ``take_along_axis`` without broadcasting."""
        self.since(11, "GatherElements")
        return self.emit("GatherElements", x, indices, axis=axis, rank=x.rank)

    def top_k(
        self, x: Tensor, k: Tensor | int, axis: int, largest: bool = True, ordered: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Values and int64 indices of the ``k`` largest (or smallest), sorted when ``ordered``."""
        self.since(10 if largest and ordered else 11, "TopK")
        count = k if isinstance(k, Tensor) else self.ints(k)
        flags = {"largest": int(largest), "sorted": int(ordered)} if self.opset >= 11 else {}
        values, indices = self.emit_all(
            "TopK", (x, count), [x.dtype, "int64"], [x.rank, x.rank], axis=axis, **flags
        )
        return values, indices

    def range(self, start: Tensor | int, stop: Tensor, step: int = 1) -> Tensor:
        """``start, start + step, ...`` below ``stop``; all 0-D, of ``stop``'s dtype."""
        if self.opset < 11 and stop.dtype == "int64" and (start, step) == (0, 1):
            ones = self.filled(self.reshape(stop, [1]), 1, "float32", rank=1)
            (places,) = self.emit_all("NonZero", (ones,), ["int64"], [2])
            return self.squeeze(places, [0])
        self.since(11, "Range")
        inputs = (self.like(start, stop), stop, self.constant(step, stop.dtype))
        (result,) = self.emit_all("Range", inputs, [stop.dtype], [1])
        return result
