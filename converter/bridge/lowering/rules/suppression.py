"""Non-maximum suppression: ONNX has NonMaxSuppression from opset 10 on."""

from __future__ import annotations

from converter.bridge.lowering.corners import corner, joined
from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

#: Less than every score.
_NEVER = -3.4028234663852886e38


def suppress(
    graph: Graph,
    boxes: Tensor,
    scores: Tensor,
    overlap: float,
    threshold: float,
    most: Tensor,
) -> Tensor:
    """[S, 3]: image, class and box of what is left, by image, class and falling score.

    ``boxes`` [N, M, 4], ``scores`` [N, C, M]; what is not above ``threshold`` takes no part.
    """
    graph.since(10, "NonMaxSuppression")
    limits = (graph.constant([overlap], "float32"), graph.constant([threshold], "float32"))
    (selected,) = graph.emit_all(
        "NonMaxSuppression", (boxes, scores, most, *limits), ["int64"], [2]
    )
    return selected


def _column(graph: Graph, rows: Tensor, index: int) -> Tensor:
    return graph.gather(rows, graph.constant(index, "int64"), 1)


def _count(graph: Graph, x: Tensor, axis: int) -> Tensor:
    """An extent as a 0-D int64."""
    return graph.gather(graph.shape(x), graph.constant(axis, "int64"))


def _least(graph: Graph, limit: int, extent: Tensor) -> Tensor:
    """min(limit, extent), or the extent when the limit is negative; [1]."""
    wide = graph.cast(graph.reshape(extent, [1]), "float32")
    return (
        graph.cast(graph.minimum(wide, float(limit)), "int64")
        if limit >= 0
        else graph.cast(wide, "int64")
    )


def _with_pixels(graph: Graph, boxes: Tensor, pixel: bool) -> Tensor:
    """Boxes whose right and bottom pixel belongs to them, as boxes without."""
    if not pixel:
        return boxes
    return boxes + graph.constant([0.0, 0.0, 1.0, 1.0], boxes.dtype)


@lowering("nms")
def nms(op: Operation, graph: Graph) -> Tensor:
    """Indices of the boxes that overlap no earlier one that is kept."""
    boxes = op[0]
    count = _count(graph, boxes, 0)
    order = -graph.cast(graph.range(0, count), "float32")
    selected = suppress(
        graph,
        graph.unsqueeze(boxes, [0]),
        graph.unsqueeze(order, [0, 1]),
        float(op.attr("threshold")),
        _NEVER,
        graph.reshape(count, [1]),
    )
    return _column(graph, selected, 2)


@lowering(
    "multiclass_nms3",
    when=lambda op, opset: True,
    why="paddle2onnx 2.1.0 gives the detections in another order and takes one image only",
)
def multiclass_nms(op: Operation, graph: Graph) -> list[Tensor]:
    """Suppression per class, then the best of each image, by class and falling score."""
    boxes, scores = op[0], op[1]
    if op.has(2) or op.rank(1) != 3:
        raise CannotLower("its boxes are not one set per image for all classes")
    if float(op.attr("nms_eta")) != 1.0:
        raise CannotLower("its nms_eta is not 1: the threshold changes while it runs")
    graph.since(11, "the choice of the best detections")
    classes = op.type(1).shape[1]
    scores = _without_background(op, graph, scores, classes)
    top = int(op.attr("nms_top_k"))
    if top >= 0:
        k = _least(graph, top, _count(graph, scores, 2))
        values, indices = graph.top_k(scores, k, 2)
        nothing = graph.expand(graph.constant(_NEVER, "float32"), graph.shape(scores), rank=3)
        scores_left = graph.emit("ScatterElements", nothing, indices, values, axis=2)
    else:
        scores_left = scores
    selected = suppress(
        graph,
        _with_pixels(graph, boxes, not op.attr("normalized")),
        scores_left,
        float(op.attr("nms_threshold")),
        max(float(op.attr("score_threshold")), _NEVER),
        graph.reshape(_count(graph, boxes, 1), [1]),
    )
    image, label, index = (_column(graph, selected, i) for i in range(3))
    images, per_image = _count(graph, boxes, 0), _count(graph, boxes, 1)
    class_count = _count(graph, scores, 1)
    of_score = (image * class_count + label) * per_image + index
    score = graph.gather(graph.reshape(scores, [-1]), of_score)
    keep = int(op.attr("keep_top_k"))
    if keep >= 0:
        chosen = _best_of_each(graph, image, score, images, keep)
        image, label, index, score = (
            graph.gather(values, chosen) for values in (image, label, index, score)
        )
    place = image * per_image + index
    rows = graph.gather(graph.reshape(boxes, [-1, 4]), place)
    columns = [graph.unsqueeze(graph.cast(label, "float32"), [1]), graph.unsqueeze(score, [1])]
    counts = _per_image(graph, image, images)
    found = graph.concat([*columns, rows], 1)
    return [found, graph.cast(graph.unsqueeze(place, [1]), "int32"), graph.cast(counts, "int32")]


def _without_background(op: Operation, graph: Graph, scores: Tensor, classes: int) -> Tensor:
    label = int(op.attr("background_label"))
    if label < 0:
        return scores
    if classes < 0:
        raise CannotLower("its number of classes is dynamic")
    if label >= classes:
        return scores
    limits = [[[_NEVER] if index == label else [-_NEVER] for index in range(classes)]]
    return graph.minimum(scores, graph.constant(limits, scores.dtype))


def _per_image(graph: Graph, image: Tensor, images: Tensor) -> Tensor:
    """How many of ``image`` [S] are 0, 1, ... ``images`` - 1."""
    same = graph.equal(graph.unsqueeze(image, [1]), graph.range(0, images))
    return graph.sum(graph.cast(same, "int64"), [0])


def _best_of_each(graph: Graph, image: Tensor, score: Tensor, images: Tensor, keep: int) -> Tensor:
    """Places of the ``keep`` highest scores of each image, in rising order."""
    every = graph.shape(score)
    _, by_score = graph.top_k(score, every, 0)
    # TopK keeps the order of equal elements, so this sorts by image, then by score.
    _, by_image = graph.top_k(graph.gather(image, by_score), every, 0, largest=False)
    order = graph.gather(by_score, by_image)
    counts = _per_image(graph, image, images)
    starts = graph.emit("CumSum", counts, graph.constant(0, "int64"), exclusive=1)
    place = graph.range(0, graph.size(score)) - graph.gather(starts, graph.gather(image, order))
    kept = graph.squeeze(graph.emit("NonZero", place < keep, dtype="int64", rank=2), [0])
    chosen = graph.gather(order, kept)
    rising, _ = graph.top_k(chosen, graph.shape(chosen), 0, largest=False)
    return rising


@lowering("matrix_nms")
def matrix_nms(op: Operation, graph: Graph) -> list[Tensor]:
    """Scores decayed by the overlap with better boxes (Wang et al. 2020, SOLOv2)."""
    graph.since(11, "sorted scores")
    boxes = op[0]
    classes = op.type(1).shape[1]
    scores = _without_background(op, graph, op[1], classes)
    per_image = _count(graph, boxes, 1)
    k = _least(graph, int(op.attr("nms_top_k")), per_image)
    score, index = graph.top_k(scores, k, 2)  # [N, C, K]
    images = graph.range(0, _count(graph, boxes, 0))
    place = index + graph.unsqueeze(images * per_image, [1, 2])
    taken = graph.gather(graph.reshape(boxes, [-1, 4]), place)  # [N, C, K, 4]
    taken = Tensor(taken.name, taken.dtype, 4, graph)
    overlap = _overlaps(graph, taken, not op.attr("normalized"))
    number = graph.range(0, graph.reshape(k, graph.constant([], "int64"), rank=0))
    earlier = number < graph.unsqueeze(number, [1])  # [i, j]: j comes before i
    overlap = overlap * graph.cast(earlier, "float32")
    largest = graph.unsqueeze(graph.reduce("Max", overlap, [3]), [2])  # of j with those before it
    if op.attr("use_gaussian"):
        sigma = float(op.attr("gaussian_sigma"))
        decay = graph.exp((largest * largest - overlap * overlap) * sigma)
    else:
        decay = (1.0 - overlap) / (1.0 - largest)
    # Three equal boxes divide zero by zero, which std::min leaves out.
    real = earlier & ~graph.emit("IsNaN", decay, dtype="bool")
    decay = graph.where(real, graph.minimum(decay, 1.0), 1.0)
    decayed = score * graph.reduce("Min", decay, [3])
    kept = score > float(op.attr("score_threshold"))
    kept = kept & (decayed > float(op.attr("post_threshold")))
    decayed = graph.reshape(graph.where(kept, decayed, _NEVER), [0, -1])
    best = graph.reshape(_count(graph, decayed, 1), [1])
    if int(op.attr("keep_top_k")) >= 0:
        best = _least(graph, int(op.attr("keep_top_k")), best)
    final, where = graph.top_k(decayed, best, 1)
    left = final > _NEVER
    rows = graph.transpose(graph.emit("NonZero", left, dtype="int64", rank=2), [1, 0])
    image, rank = _column(graph, rows, 0), _column(graph, rows, 1)
    width = graph.reshape(best, graph.constant([], "int64"), rank=0)
    at = graph.gather(graph.reshape(where, [-1]), image * width + rank)
    score_left = graph.gather(graph.reshape(final, [-1]), image * width + rank)
    candidates = graph.reshape(k, graph.constant([], "int64"), rank=0)
    label = at / candidates
    flat = graph.gather(graph.reshape(place, [-1]), image * _count(graph, decayed, 1) + at)
    columns = [graph.unsqueeze(graph.cast(label, "float32"), [1]), graph.unsqueeze(score_left, [1])]
    found = graph.concat([*columns, graph.gather(graph.reshape(boxes, [-1, 4]), flat)], 1)
    counts = graph.sum(graph.cast(left, "int32"), [1])
    return [found, graph.cast(graph.unsqueeze(flat, [1]), "int32"), counts]


def _overlaps(graph: Graph, boxes: Tensor, pixel: bool) -> Tensor:
    """[..., K, K]: intersection over union of all pairs of [..., K, 4], 0 where they are apart."""
    rank = (boxes.rank or 0) - 1
    more = 1.0 if pixel else 0.0
    sides = [corner(graph, boxes, index) for index in range(4)]

    def pairs(value: Tensor) -> tuple[Tensor, Tensor]:
        return graph.unsqueeze(value, [rank]), graph.unsqueeze(value, [rank - 1])

    lengths, common, meeting = [], [], []
    for axis in range(2):
        low, high = sides[axis], sides[2 + axis]
        lengths.append(graph.maximum(high - low + more, 0.0))
        begin, end = graph.maximum(*pairs(low)), graph.minimum(*pairs(high))
        common.append(graph.maximum(end - begin + more, 0.0))
        meeting.append(~(end < begin))
    shared = common[0] * common[1] * graph.cast(meeting[0] & meeting[1], boxes.dtype)
    first, second = pairs(lengths[0] * lengths[1])
    union = first + second - shared
    return shared / graph.where(union > 0.0, union, 1.0)


@lowering("generate_proposals")
def generate_proposals(op: Operation, graph: Graph) -> list[Tensor]:
    """Region proposals (Ren et al. 2015; phi/kernels/cpu/generate_proposals_kernel.cc)."""
    graph.since(11, "sorted scores")
    if float(op.attr("eta")) != 1.0:
        raise CannotLower("its eta is not 1: the threshold changes while it runs")
    pixel = 1.0 if op.attr("pixel_offset") else 0.0
    scores = graph.reshape(graph.transpose(op[0], [0, 2, 3, 1]), [0, -1])  # [N, A]
    deltas = graph.reshape(graph.transpose(op[1], [0, 2, 3, 1]), [0, -1, 4])
    anchors, variances = graph.reshape(op[3], [-1, 4]), graph.reshape(op[4], [-1, 4])
    first = int(op.attr("pre_nms_top_n"))
    score, index = graph.top_k(
        scores, _least(graph, first if first > 0 else -1, _count(graph, scores, 1)), 1
    )
    images = graph.unsqueeze(graph.range(0, _count(graph, scores, 0)), [1])
    of_delta = graph.gather(
        graph.reshape(deltas, [-1, 4]), index + images * _count(graph, scores, 1)
    )
    of_delta = of_delta * graph.gather(variances, index)
    chosen = graph.gather(anchors, index)  # [N, K, 4]
    sides = [corner(graph, chosen, i) for i in range(4)]
    change = [corner(graph, of_delta, i) for i in range(4)]
    limit = [
        graph.unsqueeze(graph.gather(op[2], graph.constant(1 - axis, "int64"), 1), [1])
        for axis in range(2)
    ]
    lows, highs, lengths = [], [], []
    left: Tensor | None = None
    for axis in range(2):
        length = sides[2 + axis] - sides[axis] + pixel
        middle = change[axis] * length + (sides[axis] + length * 0.5)
        grown = graph.exp(graph.minimum(change[2 + axis], 4.135166556742356)) * length
        ends = (middle - grown * 0.5, middle + grown * 0.5 - pixel)
        low, high = (graph.maximum(graph.minimum(end, limit[axis] - pixel), 0.0) for end in ends)
        lows.append(low)
        highs.append(high)
        lengths.append(high - low + pixel)
        large = ~(lengths[axis] < max(float(op.attr("min_size")), 1.0))
        if pixel:
            large = large & ~(low + lengths[axis] * 0.5 > limit[axis])
        left = large if left is None else left & large
    assert left is not None
    boxes = joined(graph, *lows, *highs)
    # Of an image without a large enough box Paddle gives one box and one probability of zeros.
    number = graph.range(0, _count(graph, score, 1))
    any_left = graph.reduce("Max", graph.cast(left, "float32"), [1], keepdims=True) > 0.0
    blank = ~any_left & graph.equal(graph.unsqueeze(number, [0]), 0)
    boxes = graph.where(graph.unsqueeze(blank, [2]), 0.0, boxes)
    score, left = graph.where(blank, 0.0, score), left | blank
    most = int(op.attr("post_nms_top_n"))
    selected = suppress(
        graph,
        _with_pixels(graph, boxes, bool(pixel)),
        graph.unsqueeze(graph.where(left, score, _NEVER), [1]),
        float(op.attr("nms_thresh")),
        _NEVER,
        graph.ints(most if most > 0 else 2**31 - 1),
    )
    image, place = _column(graph, selected, 0), _column(graph, selected, 2)
    flat = image * _count(graph, score, 1) + place
    rois = graph.gather(graph.reshape(boxes, [-1, 4]), flat)
    probabilities = graph.unsqueeze(graph.gather(graph.reshape(score, [-1]), flat), [1])
    counts = _per_image(graph, image, _count(graph, scores, 0))
    op.redeclare(2, shape=[-1], dtype="int32")  # Paddle 3.3 declares float32[1]
    return [rois, probabilities, graph.cast(counts, "int32")]
