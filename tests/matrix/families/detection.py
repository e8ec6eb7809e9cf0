"""What detectors end with: boxes, anchors, region pooling, suppression."""

import numpy as np
import paddle
from paddle.vision import ops

from tests.matrix.case import Family, f32, i32, i64

family = Family("detection", __file__)


def boxes(rng, shape):
    """Corner boxes in [0, 64) of at least 4 by 4; the last axis is the four corners."""
    corner = rng.uniform(0, 40, (*shape[:-1], 2))
    return np.concatenate([corner, corner + rng.uniform(4, 24, corner.shape)], -1)


def ordered(b):
    """Boxes whose first corner is the lower one, by a pixel at least; what is one stays as it is.

    Of turned boxes Paddle's operators make what their kernels happen to, NaN included.
    """
    low, high = paddle.minimum(b[..., :2], b[..., 2:]), paddle.maximum(b[..., :2], b[..., 2:])
    return paddle.concat([low, paddle.maximum(high, low + 1.0)], -1)


def image_size(s):
    """Heights and widths that are some; the cases' own stay as they are."""
    return paddle.clip(s, 32, 4096)


def spread_scores(rng, shape):
    """Scores that are far apart, so that no order depends on rounding."""
    count = int(np.prod(shape))
    return (rng.permutation(count) + 0.5).reshape(shape) / count


features = f32("x", (1, 4, 16, 20))
regions = f32("b", (3, 4), (5, 4), draw=boxes)


def regions_of_one(function):
    def run(x, b):
        return function(x, b, paddle.shape(b)[0].reshape([1]).astype("int32"))

    return run


for aligned in (True, False):
    label = "" if aligned else "_not_aligned"
    family.case(
        f"roi_align{label}",
        regions_of_one(
            lambda x, b, n, a=aligned: ops.roi_align(x, b, n, 7, 0.25, sampling_ratio=2, aligned=a)
        ),
        features,
        regions,
    )
family.case(
    "roi_align_adaptive_ratio",
    regions_of_one(lambda x, b, n: ops.roi_align(x, ordered(b), n, 3, 0.25)),
    features,
    regions,
)
family.case(
    "roi_align_rectangle",
    regions_of_one(lambda x, b, n: ops.roi_align(x, b, n, (2, 5), 0.5, sampling_ratio=3)),
    features,
    regions,
)


def two_images(x, b, n):
    """The counts have to sum up to the five regions: Paddle does not check that they do."""
    first = paddle.clip(n[:1], 0, 5)
    return ops.roi_align(x, b, paddle.concat([first, 5 - first]), 4, 0.25, sampling_ratio=2)


family.case(
    "roi_align_two_images",
    two_images,
    f32("x", (2, 4, 16, 20)),
    f32("b", (5, 4), draw=boxes),
    i32("n", (2,), draw=lambda rng, s: [2, 3]),
)
family.case(
    "roi_pool", regions_of_one(lambda x, b, n: ops.roi_pool(x, b, n, 4, 0.25)), features, regions
)
family.case(
    "roi_pool_static",
    regions_of_one(lambda x, b, n: ops.roi_pool(x, b, n, (2, 3), 0.25)),
    features,
    f32("b", (3, 4), draw=boxes),
)
family.case(
    "psroi_pool",
    regions_of_one(lambda x, b, n: ops.psroi_pool(x, b, n, 2, 0.25)),
    f32("x", (1, 8, 16, 20)),
    f32("b", (3, 4), draw=boxes),
)

anchors, targets = f32("a", (6, 4), (9, 4), draw=boxes), f32("t", (6, 4), (9, 4), draw=boxes)
variance = [0.1, 0.1, 0.2, 0.2]
family.case(
    "box_coder_encode",
    lambda a, t: ops.box_coder(a, variance, t, "encode_center_size"),
    anchors,
    f32("t", (3, 4), (5, 4), draw=boxes),
)
family.case(
    "box_coder_decode",
    lambda a, t: ops.box_coder(a, variance, t, "decode_center_size", axis=0),
    f32("a", (6, 4), draw=boxes),
    f32("t", (3, 6, 4)),
)
family.case(
    "box_coder_decode_axis1",
    lambda a, t: ops.box_coder(a, variance, t, "decode_center_size", axis=1),
    f32("a", (3, 4), draw=boxes),
    f32("t", (3, 6, 4)),
)
family.case(
    "box_coder_decode_normalized",
    lambda a, t: ops.box_coder(a, variance, t, "decode_center_size", box_normalized=False),
    f32("a", (6, 4), draw=boxes),
    f32("t", (3, 6, 4)),
)
family.case(
    "box_coder_variance_tensor",
    lambda a, v, t: ops.box_coder(a, v, t, "decode_center_size"),
    f32("a", (6, 4), draw=boxes),
    f32("v", (6, 4), low=0.1, high=0.3),
    f32("t", (3, 6, 4)),
)
family.case(
    "prior_box",
    lambda x, i: ops.prior_box(x, i, [8.0, 16.0], [20.0, 30.0], [1.0, 2.0], flip=True, clip=True),
    f32("x", (1, 4, 5, 6)),
    f32("i", (1, 3, 40, 48)),
)
family.case(
    "prior_box_dynamic",
    lambda x, i: ops.prior_box(x, i, [8.0], [20.0], [1.0, 2.0]),
    f32("x", (1, 4, 5, 6), (1, 4, 7, 3)),
    f32("i", (1, 3, 40, 48), (1, 3, 56, 24)),
)
family.case(
    "prior_box_order",
    lambda x, i: ops.prior_box(
        x,
        i,
        [8.0],
        [20.0],
        [1.0, 2.0],
        steps=[8.0, 8.0],
        offset=0.3,
        min_max_aspect_ratios_order=True,
    ),
    f32("x", (1, 4, 5, 6)),
    f32("i", (1, 3, 40, 48)),
)

for aware in (False, True):
    label = "_iou_aware" if aware else ""
    family.case(
        f"yolo_box{label}",
        lambda x, s, a=aware: ops.yolo_box(
            x, image_size(s), [10, 13, 16, 30, 33, 23], 4, 0.01, 32, True, iou_aware=a
        ),
        f32("x", (2, 30 if aware else 27, 5, 6), (1, 30 if aware else 27, 5, 6)),
        i32("s", (2, 2), (1, 2), low=160, high=200),
    )
family.case(
    "yolo_box_scale_xy",
    lambda x, s: ops.yolo_box(
        x, image_size(s), [10, 13, 16, 30, 33, 23], 4, 0.3, 32, False, scale_x_y=1.05
    ),
    f32("x", (1, 27, 5, 6)),
    i32("s", (1, 2), low=160, high=200),
)
family.case(
    "yolo_box_dynamic",
    lambda x, s: ops.yolo_box(x, image_size(s), [10, 13, 16, 30, 33, 23], 4, 0.01, 32),
    f32("x", (1, 27, 5, 6), (1, 27, 7, 4)),
    i32("s", (1, 2), low=160, high=200),
)

some, scores = f32("b", (12, 4), (9, 4), draw=boxes), f32("s", (12,), (9,), draw=spread_scores)
# On turned boxes, which paddle2om's gate draws, ONNX's suppression is not Paddle's.
family.case("nms_any_boxes", lambda b: ops.nms(b, 0.3), f32("b", (12, 4), draw=boxes))
family.case("nms", lambda b: ops.nms(ordered(b), 0.3), some, static=True)
family.case("nms_scores", lambda b, s: ops.nms(ordered(b), 0.3, s), some, scores, static=True)
family.case(
    "nms_categories",
    lambda b, s, c: ops.nms(ordered(b), 0.3, s, c, [0, 1, 2], 5),
    f32("b", (12, 4), draw=boxes),
    f32("s", (12,), draw=spread_scores),
    i64("c", (12,), low=0, high=3),
)


def multiclass(b, s, score=0.1, keep=10, background=-1, normalized=True):
    """What PaddleDetection ends with; the operator has no public function."""
    return paddle._C_ops.multiclass_nms3(
        ordered(b), s, None, score, 20, keep, 0.4, normalized, 1.0, background
    )


candidates, classes = (
    f32("b", (1, 12, 4), (1, 9, 4), draw=boxes),
    f32("s", (1, 3, 12), (1, 3, 9), draw=spread_scores),
)
family.case("multiclass_nms3", multiclass, candidates, classes, static=True, task="boxes")
family.case(
    "multiclass_nms3_keep",
    lambda b, s: multiclass(b, s, keep=4, score=0.3),
    candidates,
    classes,
    task="boxes",
)
family.case(
    "multiclass_nms3_background",
    lambda b, s: multiclass(b, s, background=0),
    candidates,
    classes,
    task="boxes",
)
family.case(
    "multiclass_nms3_pixels",
    lambda b, s: multiclass(b, s, normalized=False),
    candidates,
    classes,
    task="boxes",
)
family.case(
    "multiclass_nms3_batch",
    multiclass,
    f32("b", (2, 12, 4), draw=boxes),
    f32("s", (2, 3, 12), draw=spread_scores),
    task="boxes",
)
for gaussian in (False, True):
    family.case(
        f"matrix_nms{'_gaussian' if gaussian else ''}",
        lambda b, s, g=gaussian: ops.matrix_nms(
            b, s, 0.1, 0.05, 20, 10, g, background_label=-1, return_index=True
        ),
        f32("b", (1, 12, 4), draw=boxes),
        f32("s", (1, 3, 12), draw=spread_scores),
        task="boxes",
    )
family.case(
    "generate_proposals",
    lambda s, d, i, a, v: ops.generate_proposals(
        s, d, i, a, v, 20, 10, 0.5, 0.1, return_rois_num=True
    ),
    f32("s", (1, 3, 4, 5), draw=spread_scores),
    f32("d", (1, 12, 4, 5), low=-0.2, high=0.2),
    f32("i", (1, 2), low=60, high=64),
    f32("a", (4, 5, 3, 4), draw=boxes),
    f32("v", (4, 5, 3, 4), low=0.9, high=1.1),
    task="boxes",
)


def decode_distance(points, distance):
    """PicoDet's and PP-YOLOE's box head: distances from points to the four sides."""
    low, high = paddle.split(distance, 2, axis=-1)
    return paddle.concat([points - low, points + high], axis=-1)


def distribution_focal(x):
    """The integral over a distribution of distances."""
    shape = x.shape
    projected = paddle.nn.functional.softmax(x.reshape([shape[0], -1, 4, 8]), -1)
    return paddle.matmul(projected, paddle.arange(8).astype("float32"))


def iou(a, b):
    """Pairwise intersection over union."""
    a, b = a.unsqueeze(1), b.unsqueeze(0)
    low, high = paddle.maximum(a[..., :2], b[..., :2]), paddle.minimum(a[..., 2:], b[..., 2:])
    inside = (high - low).clip(0).prod(-1)
    area = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return inside / (area - inside)


def detr_topk(logits, b):
    """RT-DETR's post-processing: the best of query times class, and its boxes."""
    scores = paddle.nn.functional.sigmoid(logits).flatten(1)
    best, index = paddle.topk(scores, 5, axis=-1)
    labels = index % 3
    chosen = paddle.take_along_axis(b, (index // 3).unsqueeze(-1).tile([1, 1, 4]), axis=1)
    return paddle.concat([labels.unsqueeze(-1).astype("float32"), best.unsqueeze(-1), chosen], -1)


family.case(
    "decode_distance",
    decode_distance,
    f32("p", (9, 2), (6, 2)),
    f32("d", (9, 4), (6, 4), low=0, high=3),
)
family.case("distribution_focal", distribution_focal, f32("x", (2, 6, 32), (3, 6, 32)))
family.case("iou", iou, anchors, f32("b", (4, 4), (7, 4), draw=boxes))
family.case(
    "detr_topk",
    detr_topk,
    f32("l", (2, 6, 3), (3, 6, 3), draw=lambda rng, s: 4 * spread_scores(rng, s) - 2),
    f32("b", (2, 6, 4), (3, 6, 4), low=0, high=1),
)
family.case(
    "heatmap_peaks",
    lambda x: paddle.topk(
        (x * (x == paddle.nn.functional.max_pool2d(x, 3, 1, 1)).astype("float32")).flatten(1), 3
    ),
    f32("x", (1, 2, 8, 9), low=0, high=1),
)
