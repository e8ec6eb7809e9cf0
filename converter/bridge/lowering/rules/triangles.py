"""Lower and upper triangles, which ONNX has from opset 14 on."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

_SINCE = 14


def _too_early(op: Operation, opset: int) -> bool:
    return opset < _SINCE


@lowering("tril", "tril_", "triu", "triu_", when=_too_early, why="ONNX has Trilu from opset 14 on")
def triangle(op: Operation, graph: Graph) -> Tensor:
    """Keep column j of row i where j - i is at most (tril) or at least (triu) ``diagonal``."""
    diagonal = int(op.attr("diagonal", 0))
    x = op[0]
    rows, columns = (_numbers(op, graph, axis) for axis in (-2, -1))
    distance = graph.unsqueeze(columns, [0]) - graph.unsqueeze(rows, [1])
    if op.name.removeprefix("pd_op.").startswith("tril"):
        kept = distance < diagonal + 1
    else:
        kept = distance > diagonal - 1
    return graph.where(kept, x, 0)


def _numbers(op: Operation, graph: Graph, axis: int) -> Tensor:
    """0, 1, ... along an axis of ``x``."""
    extent = op.type(0).shape[axis]
    if extent >= 0:
        return graph.constant(list(range(extent)), "int64")
    place = op.axis(axis)
    return graph.range(0, graph.squeeze(graph.extent(op[0], place), [0]))
