"""Pooling over boxes: ``roi_pool`` and ``psroi_pool``."""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


def image_of_box(op: Operation, graph: Graph) -> Tensor:
    """The image that each box [R, 4] belongs to, [R] int64, from the boxes per image [N]."""
    graph.since(11, "CumSum")
    if not op.has(2):
        raise CannotLower("it has no number of boxes per image")
    ends = graph.emit(
        "CumSum", graph.cast(op[2], "int64"), graph.constant(0, "int64"), dtype="int64", rank=1
    )
    count = graph.reshape(graph.extent(op[1], 0), ())
    box = graph.range(graph.constant(0, "int64"), count)
    behind = graph.unsqueeze(box, [1]) >= graph.unsqueeze(ends, [0])
    return graph.sum(graph.cast(behind, "int64"), [1])


@lowering("roi_pool")
def roi_pool(op: Operation, graph: Graph) -> Sequence[Tensor | None]:
    """ONNX MaxRoiPool, which takes the image's number as the first column of a box.

    The second result, where each maximum was, is for training.
    """
    dtype = op.type(0).dtype
    image = graph.unsqueeze(graph.cast(image_of_box(op, graph), dtype), [1])
    boxes = graph.concat([image, op[1]], axis=1)
    pooled = graph.emit(
        "MaxRoiPool",
        op[0],
        boxes,
        rank=4,
        pooled_shape=[int(op.attr("pooled_height")), int(op.attr("pooled_width"))],
        spatial_scale=float(op.attr("spatial_scale")),
    )
    return pooled, None


@lowering("psroi_pool")
def psroi_pool(op: Operation, graph: Graph) -> Tensor:
    """Means over the bins of a box, each bin from channels of its own (arXiv:1605.06409).

    Bin (i, j) of output channel c is the mean of channel (c * PH + i) * PW + j.
    """
    tall, wide = int(op.attr("pooled_height")), int(op.attr("pooled_width"))
    channels = int(op.attr("output_channels"))
    scale = float(op.attr("spatial_scale"))
    x, boxes = op[0], op[1]
    dtype = op.type(0).dtype
    features = graph.gather(x, image_of_box(op, graph))  # [R, C * PH * PW, H, W]
    shape = graph.concat(
        [
            graph.extent(features, 0),
            graph.ints(channels, tall, wide),
            graph.extent(x, 2),
            graph.extent(x, 3),
        ],
        axis=0,
    )
    features = graph.reshape(features, shape, rank=6)
    low = _round(graph, graph.slice(boxes, [0], [2], [1])) * scale
    high = (_round(graph, graph.slice(boxes, [2], [4], [1])) + 1.0) * scale
    size = graph.maximum(high - low, 0.1)
    masks = []
    for column, bins, axis in ((1, tall, 2), (0, wide, 3)):
        begin = graph.slice(low, [column], [column + 1], [1])
        step = graph.slice(size, [column], [column + 1], [1]) / float(bins)
        number = graph.constant(list(range(bins)), dtype)
        extent = graph.reshape(graph.extent(x, axis), ())
        first = graph.floor(number * step + begin)  # [R, bins]
        last = graph.emit("Ceil", (number + 1.0) * step + begin)
        place = graph.cast(graph.range(graph.constant(0, "int64"), extent), dtype)
        first, last = graph.unsqueeze(first, [2]), graph.unsqueeze(last, [2])
        inside = (place >= first) & (place < last)
        masks.append(graph.cast(inside, dtype))  # [R, bins, extent]
    rows = graph.unsqueeze(graph.unsqueeze(masks[0], [2]), [1, 5])  # [R, 1, PH, 1, H, 1]
    columns = graph.unsqueeze(graph.unsqueeze(masks[1], [2]), [1, 2])  # [R, 1, 1, PW, 1, W]
    total = graph.sum(features * rows * columns, [4, 5])
    count = graph.sum(rows * columns, [4, 5])
    return total / graph.maximum(count, 1.0)


def _round(graph: Graph, x: Tensor) -> Tensor:
    """Halves away from zero, as C does; ONNX rounds them to even. Coordinates are not negative."""
    return graph.floor(x + 0.5)
