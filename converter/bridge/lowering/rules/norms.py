"""Normalisations in the forms that paddle2onnx aborts on or gets wrong."""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.spatial import (
    channels_last,
    from_channels_first,
    to_channels_first,
)


def _channel_axis(op: Operation) -> int:
    last = channels_last(str(op.attr("data_format", "NCHW")))
    return op.rank() - 1 if last else 1


def _along(graph: Graph, values: Tensor, axis: int, rank: int) -> Tensor:
    """[C] shaped to broadcast along ``axis`` of ``rank`` axes."""
    after = rank - 1 - axis
    return graph.unsqueeze(values, list(range(1, after + 1))) if after else values


def _uses_batch_statistics(op: Operation) -> bool:
    """As phi/kernels/cpu/batch_norm_kernel.cc decides it."""
    testing = op.attr("is_test") and not op.attr("trainable_statistics")
    return not testing and not op.attr("use_global_stats")


@lowering(
    "batch_norm",
    "batch_norm_",
    when=lambda op, opset: _channel_axis(op) != 1 or _uses_batch_statistics(op),
    why="paddle2onnx 2.1.0 takes axis 1 for the channels, and the running statistics always",
)
def batch_norm(op: Operation, graph: Graph) -> list[Tensor | None]:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias along the channels."""
    x, rank, axis = op[0], op.rank(), _channel_axis(op)
    mean, variance = op[1], op[2]
    epsilon = float(op.attr("epsilon"))
    if _uses_batch_statistics(op):
        axes = [other for other in range(rank) if other != axis]
        centred = x - graph.mean(x, axes, keepdims=True)
        spread = graph.mean(centred * centred, axes, keepdims=True)
        y = centred / graph.sqrt(spread + epsilon)
        if op.has(3):
            y = y * _along(graph, op[3], axis, rank)
        if op.has(4):
            y = y + _along(graph, op[4], axis, rank)
    else:
        factor = graph.sqrt(variance + epsilon)
        factor = op[3] / factor if op.has(3) else 1.0 / factor
        shift = -(mean * factor)
        shift = op[4] + shift if op.has(4) else shift
        y = x * _along(graph, factor, axis, rank) + _along(graph, shift, axis, rank)
    return [y, *[None] * (len(op.results) - 1)]


@lowering(
    "group_norm",
    when=lambda op, opset: op.rank() != 4 or _channel_axis(op) != 1,
    why="paddle2onnx 2.1.0 aborts on other ranks than 4 and takes axis 1 for the channels",
)
def group_norm(op: Operation, graph: Graph) -> list[Tensor | None]:
    """Instance normalisation of the groups as channels, then scale and bias (Wu & He 2018)."""
    layout, rank = str(op.attr("data_format", "NCHW")), op.rank()
    x = op[0]
    if channels_last(layout):
        layout = "N" + "D" * (rank - 2) + "C"
        x = to_channels_first(graph, x, layout)
    groups = int(op.attr("groups"))
    flat = graph.reshape(x, [0, groups, -1])
    ones = graph.constant([1.0] * groups, x.dtype)
    zeros = graph.constant([0.0] * groups, x.dtype)
    epsilon = float(op.attr("epsilon"))
    y = graph.emit("InstanceNormalization", flat, ones, zeros, epsilon=epsilon, rank=3)
    y = graph.reshape(y, graph.shape(x), rank=rank)
    if op.has(1):
        y = y * _along(graph, op[1], 1, rank)
    if op.has(2):
        y = y + _along(graph, op[2], 1, rank)
    return [from_channels_first(graph, y, layout), None, None]


def _several_axes(op: Operation, opset: int) -> bool:
    spans = op.rank() - int(op.attr("begin_norm_axis"))
    return opset >= 17 and spans > 1 and (op.has(1) or op.has(2))


@lowering(
    "layer_norm",
    when=_several_axes,
    why="paddle2onnx 2.1.0 leaves scale and bias flat when several axes are normalised",
)
def layer_norm(op: Operation, graph: Graph) -> list[Tensor | None]:
    """LayerNormalization over the last axes, scale and bias in their shape."""
    x, axis = op[0], int(op.attr("begin_norm_axis"))
    inner = list(op.type(0).shape[axis:])
    if min(inner) < 0:
        raise CannotLower("an axis that it normalises has a dynamic extent")
    scale = _shaped(graph, op, 1, inner)
    if scale is None:
        import numpy as np

        scale = graph.constant(np.ones(inner), x.dtype)
    inputs = (x, scale, _shaped(graph, op, 2, inner))
    epsilon = float(op.attr("epsilon"))
    (y,) = graph.emit_all(
        "LayerNormalization", inputs, [x.dtype], [x.rank], axis=axis, epsilon=epsilon
    )
    return [y, None, None]


def _shaped(graph: Graph, op: Operation, index: int, shape: Sequence[int]) -> Tensor | None:
    return graph.reshape(op[index], shape) if op.has(index) else None


@lowering("spectral_norm")
def spectral_norm(op: Operation, graph: Graph) -> Tensor:
    """W / (u W v) after power iterations (Miyato et al. 2018; phi/kernels/impl/spectral_norm)."""
    weight, u, v = op[0], op[1], op[2]
    rank, axis = op.rank(), int(op.attr("dim"))
    order = [axis, *[other for other in range(rank) if other != axis]]
    rows = op.type(0).shape[axis]
    matrix = graph.reshape(graph.transpose(weight, order), [rows, -1])
    epsilon = float(op.attr("eps"))
    u, v = graph.reshape(u, [-1, 1]), graph.reshape(v, [-1, 1])
    for _ in range(int(op.attr("power_iters"))):
        v = _unit(graph, graph.transpose(matrix, [1, 0]) @ u, epsilon)
        u = _unit(graph, matrix @ v, epsilon)
    sigma = graph.sum(u * (matrix @ v))
    return weight / sigma


def _unit(graph: Graph, x: Tensor, epsilon: float) -> Tensor:
    return x / (graph.sqrt(graph.sum(x * x)) + epsilon)
