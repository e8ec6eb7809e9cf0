"""Pooling of regions of an image: RoI align, RoI pooling, position-sensitive RoI pooling."""

from __future__ import annotations

from converter.bridge.lowering.corners import corner
from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.sampling import as_float, image_extents


def _image_of(op: Operation, graph: Graph) -> Tensor | None:
    """The number of each region's image, int64 [R]; ``None`` when there is one image only."""
    if op.type(0).shape[0] == 1:
        return None
    if not op.has(2):
        raise CannotLower("how many regions each image has comes from its level of detail")
    ends = graph.emit("CumSum", graph.cast(op[2], "int64"), graph.constant(0, "int64"), rank=1)
    graph.since(11, "regions of several images")
    first = graph.gather(graph.shape(op[1]), graph.constant(0, "int64"))
    behind = graph.unsqueeze(graph.range(0, first), [1]) < ends
    return graph.sum(graph.cast(~behind, "int64"), [1])


def _zeros(graph: Graph, boxes: Tensor) -> Tensor:
    return graph.filled(graph.extent(boxes, 0), 0, "int64", rank=1)


def _differs(op: Operation, opset: int) -> bool:
    aligned_wrongly = bool(op.attr("aligned")) != (opset >= 16)
    return aligned_wrongly or op.type(0).shape[0] != 1


@lowering(
    "roi_align",
    when=_differs,
    why="paddle2onnx 2.1.0 never shifts by half a pixel below opset 16 and always from 16 on, and "
    "takes every region from the first image",
)
def roi_align(op: Operation, graph: Graph) -> Tensor:
    """Mean of bilinear samples per bin (He et al. 2017)."""
    aligned = bool(op.attr("aligned"))
    sizes = [int(op.attr("pooled_height")), int(op.attr("pooled_width"))]
    ratio, scale = int(op.attr("sampling_ratio")), float(op.attr("spatial_scale"))
    x, boxes = op[0], op[1]
    image = _image_of(op, graph)
    if graph.opset >= 16 or (graph.opset >= 10 and not aligned):
        mode = None
        if graph.opset >= 16:
            mode = "half_pixel" if aligned else "output_half_pixel"
        (result,) = graph.emit_all(
            "RoiAlign",
            (x, boxes, _zeros(graph, boxes) if image is None else image),
            [x.dtype],
            [4],
            output_height=sizes[0],
            output_width=sizes[1],
            sampling_ratio=max(ratio, 0),
            spatial_scale=scale,
            coordinate_transformation_mode=mode,
        )
        return result
    extents = image_extents(graph, x, op.type(0).shape)
    across = [
        _sample_weights(graph, boxes, axis, sizes[axis], extents[axis], ratio, scale, aligned)
        for axis in range(2)
    ]
    images = x if image is None else graph.gather(x, image, 0)
    rows = graph.unsqueeze(across[0], [1]) @ images  # [R, C, bins, W]
    return rows @ graph.transpose(graph.unsqueeze(across[1], [1]), [0, 1, 3, 2])


def _sample_weights(
    graph: Graph,
    boxes: Tensor,
    axis: int,
    bins: int,
    extent: int | Tensor,
    ratio: int,
    scale: float,
    aligned: bool,
) -> Tensor:
    """[R, bins, extent]: how much each row (column) of the image counts in each bin.

    Bilinear samples in a bin have the weights of rows times those of columns, so have their means.
    """
    start = corner(graph, boxes, 1 - axis) * scale
    end = corner(graph, boxes, 3 - axis) * scale
    if aligned:
        start, end = start - 0.5, end - 0.5
    length = end - start if aligned else graph.maximum(end - start, 1.0)
    size = length / float(bins)
    if ratio > 0:
        counts: Tensor | None = None
        sample = graph.constant([float(i) for i in range(ratio)], boxes.dtype)
        share = (sample + 0.5) / float(ratio)  # [G]
    else:
        counts = graph.maximum(graph.emit("Ceil", size), 1.0)  # [R]
        most = graph.cast(graph.reduce("Max", counts), "int64")
        sample = graph.cast(graph.range(0, most), boxes.dtype)
        share = (sample + 0.5) / graph.unsqueeze(counts, [1, 2])  # [R, 1, G]
    bin_number = graph.constant([[[float(i)] for i in range(bins)]], boxes.dtype)  # [1, bins, 1]
    place = (bin_number + share) * graph.unsqueeze(size, [1, 2]) + graph.unsqueeze(start, [1, 2])
    last = as_float(graph, extent, boxes.dtype) - 1.0
    outside = (place < -1.0) | (place > last + 1.0)
    weight = graph.cast(~outside, boxes.dtype)
    if counts is None:
        weight = weight / float(ratio)
    else:
        column = graph.unsqueeze(counts, [1, 2])
        weight = weight * graph.cast(sample < column, boxes.dtype) / column
    inside = graph.unsqueeze(graph.minimum(graph.maximum(place, 0.0), last), [3])
    index = graph.range(0, extent) if isinstance(extent, Tensor) else graph.ints(*range(extent))
    near = graph.maximum(1.0 - graph.abs(inside - graph.cast(index, boxes.dtype)), 0.0)
    return graph.sum(near * graph.unsqueeze(weight, [3]), [2])


@lowering("roi_pool")
def roi_pool(op: Operation, graph: Graph) -> list[Tensor | None]:
    """The maximum per bin (Girshick 2015): ONNX's MaxRoiPool, which wants [image, box] rows."""
    if op.used(1):
        raise CannotLower("the places of its maxima are used")
    boxes = op[1]
    image = _image_of(op, graph)
    number = _zeros(graph, boxes) if image is None else image
    column = graph.unsqueeze(graph.cast(number, boxes.dtype), [1])
    (pooled,) = graph.emit_all(
        "MaxRoiPool",
        (op[0], graph.concat([column, boxes], 1)),
        [op[0].dtype],
        [4],
        pooled_shape=[int(op.attr("pooled_height")), int(op.attr("pooled_width"))],
        spatial_scale=float(op.attr("spatial_scale")),
    )
    return [pooled, None]


@lowering("psroi_pool")
def psroi_pool(op: Operation, graph: Graph) -> Tensor:
    """The mean per bin, each bin of its own channel (Dai et al. 2016; cpu/psroi_pool_kernel.cc)."""
    x, boxes = op[0], op[1]
    sizes = [int(op.attr("pooled_height")), int(op.attr("pooled_width"))]
    channels, scale = int(op.attr("output_channels")), float(op.attr("spatial_scale"))
    image = _image_of(op, graph)
    extents = image_extents(graph, x, op.type(0).shape)
    inside = [
        _bin_weights(graph, boxes, axis, sizes[axis], extents[axis], scale) for axis in range(2)
    ]
    images = x if image is None else graph.gather(x, image, 0)
    plane = graph.slice(graph.shape(x), [2], [4], [0])
    shape = graph.concat([graph.ints(-1, channels, *sizes), plane], 0)
    parts = graph.reshape(images, shape, rank=6)  # [R or 1, C, bins, bins, H, W]
    rows = graph.unsqueeze(inside[0], [1, 3, 4]) @ parts  # [R, C, bins, bins, 1, W]
    columns = graph.unsqueeze(inside[1], [1, 2, 5])  # [R, 1, 1, bins, W, 1]
    return graph.squeeze(rows @ columns, [4, 5])


def _bin_weights(
    graph: Graph, boxes: Tensor, axis: int, bins: int, extent: int | Tensor, scale: float
) -> Tensor:
    """[R, bins, extent]: 1 / length inside a bin, else 0; an empty bin has zeros only."""
    start = _rounded(graph, corner(graph, boxes, 1 - axis)) * scale
    end = (_rounded(graph, corner(graph, boxes, 3 - axis)) + 1.0) * scale
    size = graph.unsqueeze(graph.maximum(end - start, 0.1) / float(bins), [1])
    origin = graph.unsqueeze(start, [1])
    number = graph.constant([[float(i) for i in range(bins)]], boxes.dtype)
    limit = as_float(graph, extent, boxes.dtype)

    def cut(value: Tensor) -> Tensor:
        return graph.minimum(graph.maximum(value, 0.0), limit)

    low = cut(graph.floor(number * size + origin))
    high = cut(graph.emit("Ceil", (number + 1.0) * size + origin))
    index = graph.range(0, extent) if isinstance(extent, Tensor) else graph.ints(*range(extent))
    place = graph.cast(index, boxes.dtype)
    wide_low, wide_high = graph.unsqueeze(low, [2]), graph.unsqueeze(high, [2])
    within = graph.cast(~(place < wide_low) & (place < wide_high), boxes.dtype)
    return within / graph.maximum(wide_high - wide_low, 1.0)


def _rounded(graph: Graph, x: Tensor) -> Tensor:
    """Halves away from zero, as C's round."""
    return graph.sign(x) * graph.floor(graph.abs(x) + 0.5)
