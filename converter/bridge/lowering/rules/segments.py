"""Pooling of rows that belong together: segments, and messages along the edges of a graph."""

from __future__ import annotations

import math

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.rules.scattering import Rows


def _pooled(graph: Graph, values: Tensor, places: Tensor, size: Tensor | int, kind: str) -> Tensor:
    """``size`` rows: at each place what its ``values`` (rows) give together, or zeros.

    ``kind`` is sum, mean, max or min.
    """
    dtype = values.dtype
    x = values if values.is_float else graph.cast(values, "float64")
    shape = graph.join(size, graph.slice(graph.shape(x), [1], [1 << 31], [0]))
    rows = Rows(graph, graph.filled(shape, 0, x.dtype, rank=x.rank), [places])
    if kind == "sum":
        return graph.cast(rows.add(x), dtype)
    ones = graph.filled(graph.shape(places), 1, x.dtype, rank=1)
    none = graph.filled(graph.join(size), 0, x.dtype, rank=1)
    count = Rows(graph, none, [places]).add(ones)
    count = graph.unsqueeze(count, list(range(1, x.rank or 1)))
    if kind == "mean":
        return graph.cast(rows.add(x) / graph.maximum(count, 1.0), dtype)
    extreme = _extreme(graph, rows, x, shape, kind)
    return graph.cast(graph.where(count > 0.0, extreme, rows.x), dtype)


def _extreme(graph: Graph, rows: Rows, x: Tensor, shape: Tensor, kind: str) -> Tensor:
    """The largest or smallest of each place's rows; infinite where it has none."""
    neutral = -math.inf if kind == "max" else math.inf
    if graph.opset >= 18:
        base = graph.filled(shape, neutral, x.dtype, rank=x.rank)
        inputs = (base, graph.unsqueeze(rows.numbers, [1]), x)
        return graph.emit_all("ScatterND", inputs, [x.dtype], [x.rank], reduction=kind)[0]
    matches = graph.unsqueeze(rows.matches(), list(range(2, (x.rank or 1) + 1)))
    spread = graph.where(matches, graph.unsqueeze(x, [0]), graph.constant(neutral, x.dtype))
    return graph.reduce("Max" if kind == "max" else "Min", spread, [1])


@lowering("segment_pool")
def segment_pool(op: Operation, graph: Graph) -> tuple[Tensor, None]:
    """Rows with one segment number together; the numbers rise, and the last one says how many."""
    places = graph.cast(op[1], "int64")
    last = graph.slice(places, [-1], [1 << 31], [0])
    return _pooled(graph, op[0], places, last + 1, str(op.attr("pooltype")).lower()), None


@lowering("send_u_recv")
def send_u_recv(op: Operation, graph: Graph) -> tuple[Tensor, None]:
    """Each edge takes its source's row to its destination; as many rows as x has, or as said."""
    asked = int(op.known(3, "out_size").reshape(-1)[0]) if op.has(3) else 0
    messages = graph.gather(op[0], op[1])
    size = asked if asked > 0 else graph.extent(op[0], 0)
    places = graph.cast(op[2], "int64")
    return _pooled(graph, messages, places, size, str(op.attr("reduce_op")).lower()), None
