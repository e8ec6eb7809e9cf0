"""YOLO's boxes with IoU awareness."""

from __future__ import annotations

from converter.bridge.lowering.corners import joined
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.sampling import as_float, image_extents


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
