"""Operators that stand for a few others, which saved models of older libraries have."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("affine_channel")
def affine_channel(op: Operation, graph: Graph) -> Tensor:
    """x times a scale plus a bias, one of each per channel."""
    behind = op.rank() - 2 if op.attr("data_layout", "NCHW") == "NCHW" else 0
    axes = list(range(1, behind + 1))
    scale, bias = (graph.unsqueeze(op[index], axes) if axes else op[index] for index in (1, 2))
    return op[0] * scale + bias


@lowering("fused_softmax_mask")
def fused_softmax_mask(op: Operation, graph: Graph) -> Tensor:
    """The softmax of x plus the mask, along the last axis."""
    return graph.emit("Softmax", op[0] + op[1], rank=op.rank(), axis=op.rank() - 1)


@lowering("add_position_encoding")
def add_position_encoding(op: Operation, graph: Graph) -> Tensor:
    """alpha x + beta e; e at place j is the sines, then the cosines, of j / 10000^(k / (h - 1)).

    h is half of the last extent, and k counts to it; with h = 1 it is j / 10000.
    """
    import numpy as np

    *_, places, width = op.type(0).shape
    if op.rank() != 3 or width < 2 or width % 2:
        raise CannotLower("its last extent is not known or odd, or its input has not three axes")
    half = width // 2
    powers = np.power(10000.0, np.arange(half) / (half - 1)) if half > 1 else np.array([10000.0])
    if places >= 0:
        angles = np.arange(places)[:, None] / powers
        table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        encoding = graph.constant(table[None], op[0].dtype)
    else:
        count = graph.range(0, graph.scalar(graph.extent(op[0], 1)))
        column = graph.unsqueeze(graph.cast(count, "float64"), [1])
        # In float64 as Paddle does: the sine of a large number has lost digits otherwise.
        computed = column / graph.constant(powers[None], "float64")
        waves = [graph.emit(kind, computed, rank=2) for kind in ("Sin", "Cos")]
        both = graph.cast(graph.concat(waves, axis=1), op[0].dtype)
        encoding = graph.unsqueeze(both, [0])
    return op[0] * float(op.attr("alpha")) + encoding * float(op.attr("beta"))
