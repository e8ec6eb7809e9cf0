"""Non-maximum suppression: ``nms``, ``multiclass_nms3`` and ``matrix_nms``.

The order of the results is Paddle's (its CPU kernels of these names): multiclass_nms3 groups by
class, best first within one; matrix_nms sorts all by decayed score. paddle2onnx's form of
multiclass_nms3 sorts by score alone, keeps the background class and takes every model for one of
batch 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

#: Lower than every score: what has it is never selected.
_NEVER = -3.0e38


@lowering("nms")
def nms(op: Operation, graph: Graph) -> Tensor:
    """Boxes [M, 4] in order of preference -> indices of those kept, int64."""
    graph.since(11, "counting boxes")
    boxes = op[0]
    count = graph.reshape(graph.extent(boxes, 0), ())
    position = graph.range(graph.constant(0, "int64"), count)
    scores = graph.unsqueeze(graph.cast(count - position, "float32"), [0, 1])
    selected = _select(graph, graph.unsqueeze(boxes, [0]), scores, float(op.attr("threshold")))
    return graph.gather(selected, graph.constant(2, "int64"), axis=1)


def _select(
    graph: Graph, boxes: Tensor, scores: Tensor, overlap: float, threshold: float | None = None
) -> Tensor:
    """ONNX NonMaxSuppression on [1, M, 4] and [1, C, M]: rows of (batch, class, box), int64."""
    limit = graph.constant([2**31 - 1], "int64")
    inputs = [boxes, scores, limit, graph.constant([overlap], "float32")]
    if threshold is not None:
        inputs.append(graph.constant([threshold], "float32"))
    (selected,) = graph.emit_all("NonMaxSuppression", inputs, ["int64"], [2])
    return selected


def _batch(op: Operation) -> int:
    """The number of images, which has to be known: each has its own number of results."""
    count = op.type(1).shape[0] if len(op.type(1).shape) == 3 else -1
    if len(op.type(0).shape) != 3 or len(op.type(1).shape) != 3:
        raise CannotLower("its boxes are not [N, M, 4] with scores [N, C, M]")
    if op.type(0).shape[2] != 4:
        raise CannotLower("its boxes do not have four corners")
    if count < 0:
        count = op.type(0).shape[0]
    # A dynamic batch is taken for one image, which the gate compares with other batches.
    return count if count > 0 else 1


def _image(graph: Graph, x: Tensor, image: int, batch: int) -> Tensor:
    return x if batch == 1 else graph.slice(x, [image], [image + 1], [0])


def _joined(graph: Graph, parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else graph.concat(parts, axis=0)


@lowering(
    "multiclass_nms3",
    when=lambda op, opset: True,
    why="paddle2onnx sorts the boxes in another order and takes every batch for one image",
)
def multiclass_nms3(op: Operation, graph: Graph) -> Sequence[Tensor]:
    """Boxes [N, M, 4], scores [N, C, M] -> [K, 6], indices [K, 1], number of boxes per image."""
    graph.since(11, "NonMaxSuppression in Paddle's order")
    if op.has(2):
        raise CannotLower("its boxes come with rois_num")
    if float(op.attr("nms_eta", 1.0)) != 1.0:
        raise CannotLower("its nms_eta is not 1: the threshold changes while it runs")
    batch = _batch(op)
    rows, indices, counts = [], [], []
    for image in range(batch):
        boxes = _image(graph, op[0], image, batch)
        scores = _image(graph, op[1], image, batch)
        row, index = _one_image(op, graph, boxes, scores)
        rows.append(row)
        counts.append(graph.extent(row, 0))
        offset = graph.extent(op[0], 1) * image if image else None
        indices.append(index if offset is None else index + offset)
    return (
        _joined(graph, rows),
        graph.cast(_joined(graph, indices), "int32"),
        graph.cast(_joined(graph, counts), "int32"),
    )


def _one_image(op: Operation, graph: Graph, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [K, 6] and box indices [K, 1] of one image."""
    top, keep = int(op.attr("nms_top_k")), int(op.attr("keep_top_k"))
    threshold = float(op.attr("score_threshold"))
    corners = boxes
    if not op.attr("normalized", True):
        # Boxes of whole pixels: x2 and y2 are inside, so that widths are one more.
        corners = boxes + graph.constant([0.0, 0.0, 1.0, 1.0], boxes.dtype)
    candidates = _best(graph, scores, top) if top > -1 else scores
    background = int(op.attr("background_label", -1))
    classes = op.type(1).shape[1]
    if background >= 0 and (classes < 0 or background < classes):
        candidates = _without_class(graph, candidates, background)
    selected = _select(graph, corners, candidates, float(op.attr("nms_threshold")), threshold)
    label = graph.gather(selected, graph.constant(1, "int64"), axis=1)
    index = graph.gather(selected, graph.constant(2, "int64"), axis=1)
    flat = graph.reshape(scores, (-1,))
    score = graph.gather(flat, label * graph.reshape(graph.extent(scores, 2), ()) + index)
    if keep > -1:
        count = graph.minimum(graph.extent(score, 0), graph.ints(keep))
        _, best = graph.top_k(score, count, axis=0)
        # The best ones, in the order they had: by class, then by score.
        order, _ = graph.top_k(best, count, axis=0, largest=False)
        label, index, score = (graph.gather(x, order) for x in (label, index, score))
    chosen = graph.gather(graph.squeeze(boxes, [0]), index)
    columns = [graph.unsqueeze(graph.cast(x, boxes.dtype), [1]) for x in (label, score)]
    return graph.concat([*columns, chosen], axis=1), graph.unsqueeze(index, [1])


def _best(graph: Graph, scores: Tensor, top: int) -> Tensor:
    """Scores [1, C, M], all but the ``top`` highest of each class out of the race."""
    count = graph.minimum(graph.extent(scores, 2), graph.ints(top))
    values, places = graph.top_k(scores, count, axis=2)
    empty = graph.expand(graph.constant(_NEVER, scores.dtype), graph.shape(scores), rank=3)
    return graph.emit("ScatterElements", empty, places, values, axis=2)


def _without_class(graph: Graph, scores: Tensor, label: int) -> Tensor:
    """Scores [1, C, M] with one class out of the race."""
    parts = [
        graph.slice(scores, [0], [label], [1]),
        graph.slice(scores, [label], [label + 1], [1]) * 0.0 + _NEVER,
        graph.slice(scores, [label + 1], [2**31 - 1], [1]),
    ]
    return graph.concat(parts[1:] if label == 0 else parts, axis=1)


@lowering("matrix_nms")
def matrix_nms(op: Operation, graph: Graph) -> Sequence[Tensor]:
    """Boxes [N, M, 4], scores [N, C, M] -> [K, 6], indices [K, 1], number of boxes per image.

    SOLOv2 (arXiv:2003.10152, section 3.3): a score decays by the overlap with better boxes of its
    class, f(iou_ij) / f(max_k iou_kj), f linear (1 - iou) or Gaussian exp(-sigma * iou^2).
    """
    graph.since(11, "TopK of any axis")
    batch = _batch(op)
    rows, indices, counts = [], [], []
    for image in range(batch):
        boxes = graph.squeeze(_image(graph, op[0], image, batch), [0])
        scores = graph.squeeze(_image(graph, op[1], image, batch), [0])
        row, index = _decayed(op, graph, boxes, scores)
        rows.append(row)
        counts.append(graph.extent(row, 0))
        indices.append(index + graph.extent(op[0], 1) * image if image else index)
    return (
        _joined(graph, rows),
        graph.cast(_joined(graph, indices), "int32"),
        graph.cast(_joined(graph, counts), "int32"),
    )


def _decayed(op: Operation, graph: Graph, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [K, 6] and box indices [K, 1] of one image: boxes [M, 4], scores [C, M]."""
    classes = op.type(1).shape[1]
    if classes < 0:
        raise CannotLower("the number of its classes is dynamic")
    background = int(op.attr("background_label", -1))
    labels = [label for label in range(classes) if label != background]
    if len(labels) < classes:
        scores = graph.gather(scores, graph.ints(*labels), axis=0)
    count = graph.extent(scores, 1)
    if int(op.attr("nms_top_k")) > -1:
        count = graph.minimum(count, graph.ints(int(op.attr("nms_top_k"))))
    score, index = graph.top_k(scores, count, axis=1)  # [C, k], best first
    overlap = _overlaps(graph, graph.gather(boxes, index), bool(op.attr("normalized", True)))
    # Row i is what i suffers from better ones j < i.
    place = graph.range(graph.constant(0, "int64"), graph.reshape(count, ()))
    better = graph.unsqueeze(place, [1]) > graph.unsqueeze(place, [0])
    overlap = graph.where(better, overlap, overlap * 0.0)
    worst = graph.unsqueeze(graph.reduce("Max", overlap, [2]), [1])  # of j over its betters
    if op.attr("use_gaussian"):
        sigma = float(op.attr("gaussian_sigma"))
        decay = graph.exp((worst * worst - overlap * overlap) * sigma)
    else:
        decay = (1.0 - overlap) / (1.0 - worst)
    decay = graph.where(better, decay, decay * 0.0 + 1.0)
    final = score * graph.minimum(graph.reduce("Min", decay, [2]), 1.0)
    valid = (score > float(op.attr("score_threshold"))) & (final > float(op.attr("post_threshold")))
    flat = graph.reshape(graph.where(valid, final, final * 0.0 + _NEVER), (-1,))
    number = graph.extent(flat, 0)
    if int(op.attr("keep_top_k")) > -1:
        number = graph.minimum(number, graph.ints(int(op.attr("keep_top_k"))))
    best, where = graph.top_k(flat, number, axis=0)
    real = best > _NEVER / 2
    best, where = (graph.emit("Compress", x, real, axis=0, rank=1) for x in (best, where))
    label = graph.gather(graph.ints(*labels), graph.emit("Div", where, count))
    chosen = graph.gather(graph.reshape(index, (-1,)), where)
    columns = [graph.unsqueeze(graph.cast(x, boxes.dtype), [1]) for x in (label, best)]
    rows = graph.concat([*columns, graph.gather(boxes, chosen)], axis=1)
    return rows, graph.unsqueeze(chosen, [1])


def _overlaps(graph: Graph, boxes: Tensor, normalized: bool) -> Tensor:
    """Intersection over union of boxes [C, k, 4] with each other: [C, k, k]."""
    rank = 3
    boxes = Tensor(boxes.name, boxes.dtype, rank, graph)
    low = graph.slice(boxes, [0], [2], [2])
    high = graph.slice(boxes, [2], [4], [2])
    more = 0.0 if normalized else 1.0
    inner_low = graph.maximum(graph.unsqueeze(low, [2]), graph.unsqueeze(low, [1]))
    inner_high = graph.minimum(graph.unsqueeze(high, [2]), graph.unsqueeze(high, [1]))
    apart = graph.cast(inner_high < inner_low, "int32")
    sides = graph.maximum(inner_high - inner_low + more, 0.0)
    inner = graph.reduce("Prod", sides, [3])
    touching = graph.reduce("Max", apart, [3]) < 1
    inner = graph.where(touching, inner, inner * 0.0)
    area = graph.reduce("Prod", graph.maximum(high - low + more, 0.0), [2])
    union = graph.unsqueeze(area, [2]) + graph.unsqueeze(area, [1]) - inner
    return inner / graph.where(union > 0.0, union, union * 0.0 + 1.0)
