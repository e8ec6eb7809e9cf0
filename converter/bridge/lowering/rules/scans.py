"""Scans along an axis.

ONNX has CumSum alone. The others reduce, for each place, a copy of the axis in which all that comes
later is neutral: n * n elements for an axis of n, without a loop.
"""

from __future__ import annotations

import math
from typing import Any

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


def _special(op: Operation, opset: int) -> bool:
    return bool(op.attr("exclusive", False) or op.attr("reverse", False))


@lowering("cumsum", when=_special, why="paddle2onnx ignores exclusive and reverse")
def cumsum(op: Operation, graph: Graph) -> Tensor:
    """The running sum."""
    graph.since(11, "CumSum")
    x = graph.cast(op[0], op.result_type().dtype)
    axis = int(op.known(1, "axis").reshape(-1)[0]) if op.has(1) else int(op.attr("axis", -1))
    if op.attr("flatten", False):
        x, axis = graph.reshape(x, [-1]), 0
    flags: dict[str, Any] = {name: int(op.attr(name, False)) for name in ("exclusive", "reverse")}
    return graph.emit("CumSum", x, graph.constant(axis, "int64"), rank=x.rank, **flags)


class _Spread:
    """x with its axis copied onto a last one, and what lets places see what comes before."""

    def __init__(self, op: Operation, graph: Graph, axis: int) -> None:
        x, extent = op[0], op.extents()[axis] if op.rank() else 1
        if op.attr("flatten", False) or op.rank() == 0:
            axis, x = 0, graph.reshape(x, [-1])
            shape = op.type(0).shape
            extent = math.prod(shape) if min(shape, default=1) >= 0 else graph.extent(x, 0)
        rank = x.rank or 1
        self.order = [*(other for other in range(rank) if other != axis), axis]
        self.values = graph.transpose(x, self.order)
        self.each = graph.unsqueeze(self.values, [rank - 1])
        if isinstance(extent, int):
            places = graph.constant(list(range(extent)), "int64")
        else:
            places = graph.range(0, graph.scalar(extent))
        self.places = places
        rows = graph.unsqueeze(places, [1])
        later = places > rows
        earlier = places < rows
        self.seen = ~(earlier if op.attr("reverse", False) else later)
        if op.attr("exclusive", False):
            self.seen = earlier if not op.attr("reverse", False) else later
        self.last = rank

    def back(self, op: Operation, graph: Graph, x: Tensor) -> Tensor:
        """A result with the axis where it was."""
        inverse = [self.order.index(axis) for axis in range(len(self.order))]
        x = graph.transpose(x, inverse)
        return graph.reshape(x, []) if not op.result_type().shape else x


@lowering("cumprod")
def cumprod(op: Operation, graph: Graph) -> Tensor:
    """The running product."""
    spread = _Spread(op, graph, op.axis(int(op.attr("dim", -1))))
    product = graph.reduce("Prod", graph.where(spread.seen, spread.each, 1), [spread.last])
    return spread.back(op, graph, product)


@lowering("logcumsumexp")
def logcumsumexp(op: Operation, graph: Graph) -> Tensor:
    """The logarithm of the running sum of exponentials."""
    spread = _Spread(op, graph, op.axis(int(op.attr("axis", -1))))
    seen = graph.where(spread.seen, spread.each, -math.inf)
    return spread.back(op, graph, graph.reduce("LogSumExp", seen, [spread.last]))


@lowering("cummax", "cummin")
def cummax(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """The running maximum or minimum, and the last place that had it."""
    import numpy as np

    largest = op.name.endswith("cummax")
    spread = _Spread(op, graph, op.axis(int(op.attr("axis", -1))))
    dtype = op[0].dtype
    if op[0].is_float:
        neutral: float = -math.inf if largest else math.inf
    else:
        neutral = int(np.iinfo(dtype).min if largest else np.iinfo(dtype).max)
    seen = graph.where(spread.seen, spread.each, neutral)
    extreme = graph.reduce("Max" if largest else "Min", seen, [spread.last], keepdims=True)
    equal = graph.equal(seen, extreme) & spread.seen
    index = graph.reduce("Max", graph.where(equal, spread.places, -1), [spread.last])
    value = graph.squeeze(extreme, [spread.last])
    return spread.back(op, graph, value), spread.back(op, graph, index)
