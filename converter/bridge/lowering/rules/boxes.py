"""Coding boxes against anchors, and making anchors: ``box_coder``, ``prior_box``.

Formulas are those of Paddle's documentation of ``paddle.vision.ops``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("box_coder")
def box_coder(op: Operation, graph: Graph) -> Tensor:
    """Anchors [M, 4], their variances, and boxes to encode [N, 4] or to decode [N, M, 4]."""
    more = 0.0 if op.attr("box_normalized", True) else 1.0
    if op.attr("code_type") == "encode_center_size":
        return _encode(op, graph, more)
    return _decode(op, graph, more)


def _center_and_size(graph: Graph, boxes: Tensor, more: float) -> tuple[Tensor, Tensor]:
    """Centers and sizes, [..., 2] each, of corner boxes [..., 4]."""
    assert boxes.rank is not None
    last = boxes.rank - 1
    low, high = graph.slice(boxes, [0], [2], [last]), graph.slice(boxes, [2], [4], [last])
    size = high - low + more
    return low + size * 0.5, size


def _variance(op: Operation, graph: Graph) -> Tensor | None:
    """Variances that broadcast against [N, M, 4]; ``None`` when all are one."""
    if op.has(1):
        return op[1]
    given = [float(value) for value in op.attr("variance", [])]
    return graph.constant(given, op.type(0).dtype) if given else None


def _encode(op: Operation, graph: Graph, more: float) -> Tensor:
    """((center - anchor) / anchor size, log |size / anchor size|) / variance: [N, M, 4]."""
    anchor_center, anchor_size = _center_and_size(graph, op[0], more)
    center, size = _center_and_size(graph, op[2], more)
    # Paddle takes the middle of the target's corners, without the pixel.
    low, high = graph.slice(op[2], [0], [2], [1]), graph.slice(op[2], [2], [4], [1])
    center = (low + high) * 0.5
    anchor_center, anchor_size = (graph.unsqueeze(x, [0]) for x in (anchor_center, anchor_size))
    center, size = (graph.unsqueeze(x, [1]) for x in (center, size))
    shift = (center - anchor_center) / anchor_size
    grow = graph.log(graph.abs(size / anchor_size))
    coded = graph.concat([shift, grow], axis=2)
    variance = _variance(op, graph)
    return coded if variance is None else coded / variance


def _decode(op: Operation, graph: Graph, more: float) -> Tensor:
    """Corners of the boxes that [N, M, 4] codes; anchors lie along ``1 - axis``."""
    axis = int(op.attr("axis", 0))
    anchor_center, anchor_size = _center_and_size(graph, op[0], more)
    anchor_center, anchor_size = (graph.unsqueeze(x, [axis]) for x in (anchor_center, anchor_size))
    coded = op[2]
    variance = _variance(op, graph)
    if variance is not None:
        coded = coded * (graph.unsqueeze(variance, [axis]) if op.has(1) else variance)
    shift, grow = graph.slice(coded, [0], [2], [2]), graph.slice(coded, [2], [4], [2])
    center = shift * anchor_size + anchor_center
    size = graph.exp(grow) * anchor_size
    return graph.concat([center - size * 0.5, center + size * 0.5 - more], axis=2)


@lowering("prior_box")
def prior_box(op: Operation, graph: Graph) -> Sequence[Tensor]:
    """Anchors [H, W, P, 4] over a feature map [N, C, H, W] of an image, and their variances."""
    graph.since(11, "Range")
    dtype = op.result_type().dtype
    feature, image = graph.shape(op[0]), graph.shape(op[1])
    sides = []
    for axis, key in ((2, "step_h"), (3, "step_w")):
        at = graph.constant(axis, "int64")
        extent = graph.gather(feature, at)
        whole = graph.cast(graph.gather(image, at), dtype)
        step = float(op.attr(key, 0.0))
        pace = graph.constant(step, dtype) if step else whole / graph.cast(extent, dtype)
        place = graph.cast(graph.range(graph.constant(0, "int64"), extent), dtype)
        sides.append(((place + float(op.attr("offset", 0.5))) * pace, whole, extent))
    (center_y, height, rows), (center_x, width, columns) = sides
    halves = _half_sizes(op)
    half = graph.constant(halves, dtype)  # [P, 2]: half width, half height
    half_x = graph.reshape(graph.slice(half, [0], [1], [1]), (-1,))
    half_y = graph.reshape(graph.slice(half, [1], [2], [1]), (-1,))
    x = graph.unsqueeze(center_x, [1])  # [W, 1]
    y = graph.unsqueeze(center_y, [1])  # [H, 1]
    along_x = [graph.unsqueeze((x + sign * half_x) / width, [0]) for sign in (-1.0, 1.0)]
    along_y = [graph.unsqueeze((y + sign * half_y) / height, [1]) for sign in (-1.0, 1.0)]
    shape = graph.concat(
        [
            graph.reshape(rows, (1,)),
            graph.reshape(columns, (1,)),
            graph.ints(len(halves)),
        ],
        axis=0,
    )
    corners = [along_x[0], along_y[0], along_x[1], along_y[1]]
    boxes = graph.concat(
        [graph.unsqueeze(graph.expand(corner, shape, rank=3), [3]) for corner in corners], axis=3
    )
    if op.attr("clip"):
        boxes = graph.clip(boxes, 0.0, 1.0)
    variances = graph.constant([float(v) for v in op.attr("variances")], dtype)
    return boxes, graph.expand(variances, graph.shape(boxes), rank=4)


def _half_sizes(op: Operation) -> list[tuple[float, float]]:
    """Half widths and heights of the anchors at one place, in Paddle's order."""
    smallest = [float(size) for size in op.attr("min_sizes")]
    largest = [float(size) for size in op.attr("max_sizes", [])]
    if largest and len(largest) != len(smallest):
        raise CannotLower("it has another number of max_sizes than of min_sizes")
    ratios = [1.0]
    for ratio in op.attr("aspect_ratios"):
        if all(abs(ratio - other) >= 1e-6 for other in ratios):
            ratios.append(float(ratio))
            if op.attr("flip"):
                ratios.append(1.0 / float(ratio))
    ordered = bool(op.attr("min_max_aspect_ratios_order"))
    halves = []
    for index, size in enumerate(smallest):
        stretched = [
            (size * math.sqrt(ratio) / 2, size / math.sqrt(ratio) / 2)
            for ratio in ratios
            if not (ordered and abs(ratio - 1.0) < 1e-6)
        ]
        square = []
        if largest:
            side = math.sqrt(size * largest[index]) / 2
            square = [(side, side)]
        halves += [(size / 2, size / 2), *square, *stretched] if ordered else stretched + square
    return halves
