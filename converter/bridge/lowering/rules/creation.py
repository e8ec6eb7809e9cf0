"""Tensors made from numbers or from the shape of another."""

from __future__ import annotations

import math

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("full_batch_size_like")
def full_batch_size_like(op: Operation, graph: Graph) -> Tensor:
    """A number in a shape of which one extent is the input's."""
    graph.since(8, "Expand")
    shape: list[int | Tensor] = [int(extent) for extent in op.attr("shape")]
    shape[int(op.attr("output_dim_idx", 0))] = op.extents()[int(op.attr("input_dim_idx", 0))]
    value = graph.constant(op.attr("value"), op.result_type().dtype)
    return graph.expand(value, graph.join(*shape), rank=len(shape))


@lowering("logspace")
def logspace(op: Operation, graph: Graph) -> Tensor:
    """Powers of the base, their exponents evenly spaced."""
    import numpy as np

    names = ("start", "stop", "number", "base")
    start, stop, number, base = (float(op.known(i, names[i]).reshape(-1)[0]) for i in range(4))
    values = np.logspace(start, stop, int(number), base=base)
    return graph.constant(values, op.result_type().dtype)


@lowering("is_empty")
def is_empty(op: Operation, graph: Graph) -> Tensor:
    """Whether there are no elements."""
    return graph.equal(graph.size(op[0]), 0)


@lowering("numel", when=lambda op, opset: True, why="paddle2onnx makes its 0-D result [1]")
def numel(op: Operation, graph: Graph) -> Tensor:
    """The number of elements."""
    shape = op.type(0).shape
    if min(shape, default=0) >= 0:
        return graph.constant(math.prod(shape), "int64")
    return graph.size(op[0])


@lowering(
    "full_like",
    when=lambda op, opset: not op.result_type().shape,
    why="paddle2onnx makes its 0-D result [1]",
)
def full_like(op: Operation, graph: Graph) -> Tensor:
    """A single number."""
    given = op.known(1, "value").reshape(-1)[0] if op.has(1) else op.attr("value", 0.0)
    return graph.constant(given, op.result_type().dtype)


def _sized_by_values(op: Operation, opset: int) -> bool:
    return any(op.has(index) and op.constant(index) is None for index in range(2))


@lowering("eye", when=_sized_by_values, why="paddle2onnx wants the extents as numbers")
def eye(op: Operation, graph: Graph) -> Tensor:
    """1 where the row's number is the column's, else 0."""
    graph.since(11, "Range")
    rows, columns = (
        graph.range(0, graph.scalar(graph.cast(op[index], "int64"))) for index in range(2)
    )
    same = graph.equal(graph.unsqueeze(rows, [1]), graph.unsqueeze(columns, [0]))
    return graph.cast(same, op.result_type().dtype)
