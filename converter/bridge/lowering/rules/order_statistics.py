"""Values picked from the sorted axis."""

from __future__ import annotations

import math

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.rules.reductions import axes_of, keeps_axes


class _Rows:
    """The axes to be reduced as one last axis."""

    def __init__(self, op: Operation, graph: Graph) -> None:
        axes = axes_of(op)
        rank = op.rank()
        self.axes = list(range(rank)) if axes is None else axes
        rest = [axis for axis in range(rank) if axis not in self.axes]
        extents = op.extents()
        shape = graph.join(*(extents[axis] for axis in rest), -1)
        moved = graph.transpose(op[0], rest + self.axes)
        self.x = graph.reshape(moved, shape, rank=len(rest) + 1)
        self.axis = len(rest)
        self.count = graph.extent(self.x, self.axis)

    def result(self, op: Operation, graph: Graph, x: Tensor) -> Tensor:
        """``x``, whose last axis has extent 1, in the shape of the result."""
        x = graph.squeeze(x, [self.axis])
        return graph.unsqueeze(x, self.axes) if keeps_axes(op) and self.axes else x


@lowering("median")
def median(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """The middle of the sorted values (the mean or the lower of two); NaN if there is one."""
    rows = _Rows(op, graph)
    nan = graph.is_nan(rows.x) if rows.x.is_float else None
    values, indices = graph.top_k(rows.x, rows.count, rows.axis, largest=False)
    low = (rows.count - 1) / 2
    value, index = (graph.gather(part, low, rows.axis) for part in (values, indices))
    if op.attr("mode", "avg") == "avg":
        value = _mean(op, graph, value, graph.gather(values, rows.count / 2, rows.axis))
    if nan is not None:
        places = graph.cast(nan, "int32")
        any_nan = graph.cast(graph.reduce("Max", places, [rows.axis], keepdims=True), "bool")
        value = graph.where(any_nan, graph.constant(math.nan, value.dtype), value)
        first = graph.emit("ArgMax", places, axis=rows.axis, keepdims=1, dtype="int64")
        index = graph.where(any_nan, first, index)
    return rows.result(op, graph, value), rows.result(op, graph, index)


@lowering("nanmedian")
def nanmedian(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """The middle of the sorted values that are numbers; NaN where there are none."""
    rows = _Rows(op, graph)
    nan = graph.is_nan(rows.x)
    numbers = graph.where(nan, graph.constant(math.inf, rows.x.dtype), rows.x)
    values, indices = graph.top_k(numbers, rows.count, rows.axis, largest=False)
    count = graph.sum(graph.cast(~nan, "int64"), [rows.axis], keepdims=True)
    none = graph.equal(count, 0)
    some = graph.where(none, graph.constant(1, "int64"), count)
    low = (some - 1) / 2
    value = graph.gather_elements(values, low, rows.axis)
    index = graph.gather_elements(indices, low, rows.axis)
    if op.attr("mode", "avg") == "avg":
        value = _mean(op, graph, value, graph.gather_elements(values, some / 2, rows.axis))
    value = graph.where(none, graph.constant(math.nan, value.dtype), value)
    return rows.result(op, graph, value), rows.result(op, graph, index)


def _mean(op: Operation, graph: Graph, low: Tensor, high: Tensor) -> Tensor:
    dtype = op.result_type().dtype
    # Halved before they are added: the sum of two large numbers would overflow.
    return graph.cast(low, dtype) * 0.5 + graph.cast(high, dtype) * 0.5


@lowering("kthvalue")
def kthvalue(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """The k-th smallest value and where it is."""
    rows = _Rows(op, graph)
    k = int(op.attr("k", 1))
    picked = graph.top_k(rows.x, k, rows.axis, largest=False)
    value, index = (graph.gather(part, graph.ints(k - 1), rows.axis) for part in picked)
    return rows.result(op, graph, value), rows.result(op, graph, index)


@lowering("mode")
def mode(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """The most frequent value (the smallest of several), and its last place."""
    graph.since(11, "Range")
    rows = _Rows(op, graph)
    each, other = graph.unsqueeze(rows.x, [rows.axis + 1]), graph.unsqueeze(rows.x, [rows.axis])
    same = graph.cast(graph.equal(each, other), "int32")
    counts = graph.sum(same, [rows.axis + 1])
    most = graph.reduce("Max", counts, [rows.axis], keepdims=True)
    largest = graph.reduce("Max", rows.x, [rows.axis], keepdims=True)
    candidates = graph.where(graph.equal(counts, most), rows.x, largest)
    value = graph.reduce("Min", candidates, [rows.axis], keepdims=True)
    places = graph.range(0, graph.scalar(rows.count))
    index = graph.where(graph.equal(rows.x, value), places, graph.constant(-1, "int64"))
    last = graph.reduce("Max", index, [rows.axis], keepdims=True)
    return rows.result(op, graph, value), rows.result(op, graph, last)
