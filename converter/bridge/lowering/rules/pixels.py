"""Moving pixels between space and channels."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.sampling import image_extents
from converter.bridge.lowering.spatial import (
    channels_last,
    from_channels_first,
    to_channels_first,
)


def _layout(op: Operation) -> str:
    return str(op.attr("data_format", "NCHW"))


def _channels(op: Operation) -> int:
    count = op.type(0).shape[-1 if channels_last(_layout(op)) else 1]
    if count < 0:
        raise CannotLower("its number of channels is dynamic")
    return count


@lowering(
    "pixel_shuffle",
    when=lambda op, opset: channels_last(_layout(op)) or opset < 11,
    why="paddle2onnx 2.1.0 takes axis 1 for the channels, and asks for opset 11",
)
def pixel_shuffle(op: Operation, graph: Graph) -> Tensor:
    """[N, C * r * r, H, W] to [N, C, H * r, W * r] (Shi et al. 2016)."""
    factor, layout = int(op.attr("upscale_factor")), _layout(op)
    x = to_channels_first(graph, op[0], layout)
    if graph.opset >= 11:
        y = graph.emit("DepthToSpace", x, blocksize=factor, mode="CRD")
        return from_channels_first(graph, y, layout)
    channels = _channels(op) // (factor * factor)
    size = graph.slice(graph.shape(x), [2], [4], [0])
    parts = graph.concat([graph.ints(-1, channels, factor, factor), size], 0)
    y = graph.transpose(graph.reshape(x, parts, rank=6), [0, 1, 4, 2, 5, 3])
    outer = graph.concat([graph.ints(-1, channels), size * factor], 0)
    return from_channels_first(graph, graph.reshape(y, outer, rank=4), layout)


@lowering("pixel_unshuffle")
def pixel_unshuffle(op: Operation, graph: Graph) -> Tensor:
    """[N, C, H * r, W * r] to [N, C * r * r, H, W], the inverse of pixel_shuffle."""
    factor, layout = int(op.attr("downscale_factor")), _layout(op)
    x = to_channels_first(graph, op[0], layout)
    channels = _channels(op)
    size = graph.slice(graph.shape(x), [2], [4], [0]) / factor
    height, width = graph.slice(size, [0], [1], [0]), graph.slice(size, [1], [2], [0])
    step = graph.ints(factor)
    parts = graph.concat([graph.ints(-1, channels), height, step, width, step], 0)
    y = graph.transpose(graph.reshape(x, parts, rank=6), [0, 1, 3, 5, 2, 4])
    outer = graph.concat([graph.ints(-1, channels * factor * factor), size], 0)
    return from_channels_first(graph, graph.reshape(y, outer, rank=4), layout)


@lowering("channel_shuffle", "shuffle_channel")
def channel_shuffle(op: Operation, graph: Graph) -> Tensor:
    """Channel g * (C / groups) + i becomes i * groups + g (Zhang et al. 2018)."""
    groups = int(op.attr("groups", 0) or op.attr("group"))
    last = channels_last(_layout(op))
    x, channels = op[0], _channels(op)
    shape = op.type(0).shape
    first = 3 if last else 1
    extents = image_extents(graph, x, shape, 0)
    parts = [
        graph.ints(extent) if isinstance(extent, int) else graph.reshape(extent, [1])
        for extent in extents
    ]
    split = [*parts[:first], graph.ints(groups, channels // groups), *parts[first + 1 :]]
    order = list(range(5))
    order[first], order[first + 1] = first + 1, first
    y = graph.transpose(graph.reshape(x, graph.concat(split, 0), rank=5), order)
    return graph.reshape(y, graph.concat(parts, 0), rank=4)
