"""Boxes of detectors: coding, clipping, prior boxes, and YOLO's with IoU awareness."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.sampling import as_float, image_extents


def corner(graph: Graph, boxes: Tensor, index: int) -> Tensor:
    """Coordinate ``index`` of boxes [..., 4]: x1, y1, x2 or y2, without the last axis."""
    assert boxes.rank is not None
    return graph.gather(boxes, graph.constant(index, "int64"), boxes.rank - 1)


def joined(graph: Graph, *coordinates: Tensor) -> Tensor:
    """Boxes [..., 4] of their coordinates."""
    rank = max(coordinate.rank or 0 for coordinate in coordinates)
    return graph.concat([graph.unsqueeze(part, [rank]) for part in coordinates], rank)


@lowering("box_coder")
def box_coder(op: Operation, graph: Graph) -> Tensor:
    """Offsets of boxes to prior boxes and back (Girshick et al. 2014; phi/cpu/box_coder)."""
    prior, target = op[0], op[2]
    pixel = 0.0 if op.attr("box_normalized") else 1.0
    variance = op[1] if op.has(1) else None
    numbers = [float(v) for v in op.attr("variance") or [1.0] * 4]
    decode = op.attr("code_type") == "decode_center_size"
    axis = int(op.attr("axis")) if decode else 0
    sides = [corner(graph, prior, i) for i in range(4)]
    width, height = sides[2] - sides[0] + pixel, sides[3] - sides[1] + pixel
    centre = (sides[0] + width * 0.5, sides[1] + height * 0.5)

    def spread(value: Tensor) -> Tensor:
        return graph.unsqueeze(value, [axis])

    def scale(index: int) -> Tensor | float:
        return numbers[index] if variance is None else spread(corner(graph, variance, index))

    extents = (spread(width), spread(height))
    middles = (spread(centre[0]), spread(centre[1]))
    parts = [corner(graph, target, i) for i in range(4)]
    if decode:
        lows, highs = [], []
        for i in range(2):
            middle = parts[i] * scale(i) * extents[i] + middles[i]
            half = graph.exp(parts[2 + i] * scale(2 + i)) * extents[i] * 0.5
            lows.append(middle - half)
            highs.append(middle + half - pixel)
        return joined(graph, *lows, *highs)
    codes = []
    for i in range(2):
        middle = graph.unsqueeze((parts[i] + parts[2 + i]) * 0.5, [1])
        codes.append((middle - middles[i]) / extents[i] / scale(i))
    for i in range(2):
        length = graph.unsqueeze(parts[2 + i] - parts[i] + pixel, [1])
        codes.append(graph.log(graph.abs(length / extents[i])) / scale(2 + i))
    return joined(graph, *codes)


@lowering("box_clip")
def box_clip(op: Operation, graph: Graph) -> Tensor:
    """Boxes cut to the image, whose size is round(h / scale), round(w / scale)."""
    raise CannotLower("it takes boxes of several images in one tensor with levels of detail")


@lowering("prior_box")
def prior_box(op: Operation, graph: Graph) -> list[Tensor]:
    """Boxes of several sizes and ratios around every cell (Liu et al. 2016)."""
    import numpy as np

    steps = [float(op.attr("step_h")), float(op.attr("step_w"))]
    offset = float(op.attr("offset"))
    sizes = _prior_sizes(op)
    cells = image_extents(graph, op[0], op.type(0).shape)
    image = [as_float(graph, e, "float32") for e in image_extents(graph, op[1], op.type(1).shape)]
    centres = []
    for axis in range(2):
        extent = cells[axis]
        index = graph.range(0, extent) if isinstance(extent, Tensor) else graph.ints(*range(extent))
        step: Tensor | float = steps[axis]
        if steps[0] == 0 or steps[1] == 0:
            step = image[axis] / as_float(graph, extent, "float32")
        place = (graph.cast(index, "float32") + offset) * step
        centres.append(graph.unsqueeze(place, [1, 2] if axis == 0 else [0, 2]))
    halves = np.array(sizes, "float32") / 2
    half = [graph.constant(halves[:, 0]), graph.constant(halves[:, 1])]  # widths, heights
    zero = (centres[0] + centres[1]) * 0.0
    y, x = centres[0] + zero, centres[1] + zero
    parts = [
        (x - half[0]) / image[1],
        (y - half[1]) / image[0],
        (x + half[0]) / image[1],
        (y + half[1]) / image[0],
    ]
    boxes = joined(graph, *parts)
    if op.attr("clip"):
        boxes = graph.clip(boxes, 0.0, 1.0)
    variances = graph.constant([float(v) for v in op.attr("variances")], "float32")
    return [boxes, graph.expand(variances, graph.shape(boxes), rank=4)]


def _prior_sizes(op: Operation) -> list[tuple[float, float]]:
    """Width and height of a cell's boxes (``ExpandAspectRatios`` and the kernel's order)."""
    ratios = [1.0]
    for ratio in (float(r) for r in op.attr("aspect_ratios")):
        if all(abs(ratio - other) >= 1e-6 for other in ratios):
            ratios.append(ratio)
            if op.attr("flip"):
                ratios.append(1.0 / ratio)
    largest = [float(size) for size in op.attr("max_sizes") or []]
    sizes = []
    for index, least in enumerate(float(size) for size in op.attr("min_sizes")):
        square = [((least * largest[index]) ** 0.5,) * 2] if largest else []
        shaped = [(least * r**0.5, least / r**0.5) for r in ratios]
        if op.attr("min_max_aspect_ratios_order"):
            sizes += [(least, least), *square]
            sizes += [s for s, r in zip(shaped, ratios, strict=True) if abs(r - 1.0) >= 1e-6]
        else:
            sizes += [*shaped, *square]
    return sizes


@lowering(
    "yolo_box",
    when=lambda op, opset: bool(op.attr("iou_aware")),
    why="paddle2onnx 2.1.0 splits the IoU channels wrongly",
)
def yolo_box(op: Operation, graph: Graph) -> list[Tensor]:
    """YOLOv3's boxes with PP-YOLO's IoU awareness (phi/kernels/cpu/yolo_box_kernel.cc)."""
    x, size = op[0], graph.cast(op[1], op[0].dtype)
    anchors = [float(a) for a in op.attr("anchors")]
    count, classes = len(anchors) // 2, int(op.attr("class_num"))
    factor = float(op.attr("iou_aware_factor"))
    height, width = image_extents(graph, x, op.type(0).shape)
    cells = graph.slice(graph.shape(x), [2], [4], [0])
    scale = float(op.attr("scale_x_y"))
    bias = -0.5 * (scale - 1.0)

    ious = graph.emit("Sigmoid", graph.slice(x, [0], [count], [1]))
    rest = graph.slice(x, [count], [2**31 - 1], [1])
    shape = graph.concat([graph.ints(-1, count, 5 + classes), cells], 0)
    parts = graph.transpose(graph.reshape(rest, shape, rank=5), [0, 1, 3, 4, 2])

    def part(first: int, last: int) -> Tensor:
        return graph.slice(parts, [first], [last], [4])

    def column(index: int) -> Tensor:
        return graph.gather(parts, graph.constant(index, "int64"), 4)

    confidence = graph.emit("Sigmoid", column(4)) ** (1.0 - factor) * ious**factor
    kept = graph.cast(~(confidence < float(op.attr("conf_thresh"))), x.dtype)
    image = [
        graph.unsqueeze(graph.gather(size, graph.constant(i, "int64"), 1), [1, 2, 3])
        for i in range(2)
    ]
    lengths = (as_float(graph, height, x.dtype), as_float(graph, width, x.dtype))
    downsample = float(op.attr("downsample_ratio"))
    lows, highs = [], []
    for axis in (0, 1):  # x, then y
        extent = (width, height)[axis]
        index = graph.range(0, extent) if isinstance(extent, Tensor) else graph.ints(*range(extent))
        grid = graph.cast(index, x.dtype)
        grid = grid if axis == 0 else graph.unsqueeze(grid, [1])
        of_image, length = image[1 - axis], lengths[1 - axis]
        middle = (graph.emit("Sigmoid", column(axis)) * scale + bias + grid) * of_image / length
        sides = graph.constant([[[[a / downsample]] for a in anchors[axis::2]]], x.dtype)
        extent_of_box = graph.exp(column(2 + axis)) * sides * of_image / length
        low, high = middle - extent_of_box * 0.5, middle + extent_of_box * 0.5
        if op.attr("clip_bbox"):
            low, high = graph.maximum(low, 0.0), graph.minimum(high, of_image - 1.0)
        lows.append(low * kept)
        highs.append(high * kept)
    boxes = joined(graph, *lows, *highs)
    scores = graph.emit("Sigmoid", part(5, 5 + classes))
    scores = scores * graph.unsqueeze(confidence * kept, [4])
    return [graph.reshape(boxes, [0, -1, 4]), graph.reshape(scores, [0, -1, classes])]
