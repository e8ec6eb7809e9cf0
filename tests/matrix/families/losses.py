"""Losses, which models that were exported whole still contain."""

import paddle
from paddle.nn import functional as F

from tests.matrix.case import Family, boolean, f32, i32, i64

family = Family("losses", __file__)

x, y = f32("x", (4, 6), (3, 6)), f32("y", (4, 6), (3, 6))
unit = f32("x", (4, 6), (3, 6), low=0.05, high=0.95)
target = f32("y", (4, 6), (3, 6), low=0.0, high=1.0)
label = i64("y", (4,), (3,), low=0, high=6)
sign = f32("y", (4, 6), (3, 6), draw=lambda rng, shape: rng.integers(0, 2, shape) * 2 - 1)

for how in ("none", "mean", "sum"):
    family.case(f"mse_{how}", lambda x, y, r=how: F.mse_loss(x, y, r), x, y)
    family.case(f"l1_{how}", lambda x, y, r=how: F.l1_loss(x, y, r), x, y)
    family.case(f"smooth_l1_{how}", lambda x, y, r=how: F.smooth_l1_loss(x, y, r, delta=0.7), x, y)
    family.case(
        f"bce_{how}", lambda x, y, r=how: F.binary_cross_entropy(x, y, reduction=r), unit, target
    )
    family.case(
        f"bce_with_logits_{how}",
        lambda x, y, r=how: F.binary_cross_entropy_with_logits(x, y, reduction=r),
        x,
        target,
    )
    family.case(
        f"kl_div_{how}", lambda x, y, r=how: F.kl_div(F.log_softmax(x), F.softmax(y), r), x, y
    )
    family.case(
        f"nll_{how}", lambda x, y, r=how: F.nll_loss(F.log_softmax(x), y, reduction=r), x, label
    )
    family.case(
        f"cross_entropy_{how}", lambda x, y, r=how: F.cross_entropy(x, y, reduction=r), x, label
    )
family.case(
    "kl_div_batchmean", lambda x, y: F.kl_div(F.log_softmax(x), F.softmax(y), "batchmean"), x, y
)
family.case(
    "kl_div_log_target",
    lambda x, y: F.kl_div(F.log_softmax(x), F.log_softmax(y), "none", log_target=True),
    x,
    y,
)
family.case("huber", lambda x, y: F.smooth_l1_loss(x, y, "none", delta=1.5, is_huber=True), x, y)
family.case(
    "bce_weight",
    lambda x, y, w: F.binary_cross_entropy(x, y, w),
    unit,
    target,
    f32("w", (6,), low=0, high=1),
)
family.case(
    "bce_with_logits_weights",
    lambda x, y, w: F.binary_cross_entropy_with_logits(x, y, pos_weight=w),
    x,
    target,
    f32("w", (6,), low=0, high=2),
)
family.case(
    "nll_weight",
    lambda x, y, w: F.nll_loss(F.log_softmax(x), y, w),
    x,
    label,
    f32("w", (6,), low=0.1, high=1),
)
family.case(
    "nll_2d",
    lambda x, y: F.nll_loss(F.log_softmax(x, 1), y),
    f32("x", (2, 6, 3, 4)),
    i64("y", (2, 3, 4), low=0, high=6),
)
family.case(
    "nll_ignore",
    lambda x, y: F.nll_loss(F.log_softmax(x), y, ignore_index=2, reduction="sum"),
    x,
    label,
)
family.case(
    "cross_entropy_soft", lambda x, y: F.cross_entropy(x, F.softmax(y), soft_label=True), x, y
)
family.case(
    "cross_entropy_smooth", lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), x, label
)
family.case(
    "cross_entropy_weight",
    lambda x, y, w: F.cross_entropy(x, y, w),
    x,
    label,
    f32("w", (6,), low=0.1, high=1),
)
family.case(
    "softmax_with_cross_entropy",
    lambda x, y: F.softmax_with_cross_entropy(x, y),
    x,
    i64("y", (4, 1), (3, 1), low=0, high=6),
)
family.case(
    "label_smooth",
    lambda x: F.label_smooth(x, epsilon=0.2),
    target_one := f32("x", (4, 6), (3, 6), low=0, high=1),
)
family.case(
    "label_smooth_prior",
    lambda x, p: F.label_smooth(x, p, 0.2),
    target_one,
    f32("p", (1, 6), low=0, high=1),
)
family.case(
    "margin_ranking",
    lambda x, y, s: F.margin_ranking_loss(x, y, s, 0.1),
    x,
    f32("z", (4, 6), (3, 6)),
    sign,
)
family.case("hinge_embedding", lambda x, s: F.hinge_embedding_loss(x, s), x, sign)
family.case("soft_margin", lambda x, s: F.soft_margin_loss(x, s), x, sign)
family.case(
    "cosine_embedding",
    lambda a, b, s: F.cosine_embedding_loss(a, b, s),
    f32("a", (4, 6)),
    f32("b", (4, 6)),
    i64("s", (4,), draw=lambda rng, shape: rng.integers(0, 2, shape) * 2 - 1),
)
family.case(
    "triplet_margin",
    lambda a, p, n: F.triplet_margin_loss(a, p, n),
    f32("a", (4, 6)),
    f32("p", (4, 6)),
    f32("n", (4, 6)),
)
family.case("multi_label_soft_margin", lambda x, y: F.multi_label_soft_margin_loss(x, y), x, target)
family.case("multi_margin", lambda x, y: F.multi_margin_loss(x, y), x, label)
family.case("poisson_nll", lambda x, y: F.poisson_nll_loss(x, y), x, target)
family.case(
    "gaussian_nll",
    lambda x, y, v: F.gaussian_nll_loss(x, y, v),
    x,
    y,
    f32("v", (4, 6), (3, 6), low=0.1, high=2),
)
family.case(
    "log_loss",
    lambda x, y: F.log_loss(x, y),
    f32("x", (4, 1), (3, 1), low=0.05, high=0.95),
    f32("y", (4, 1), (3, 1), low=0, high=1),
)
family.case("square_error_cost", F.square_error_cost, x, y)
family.case(
    "sigmoid_focal",
    lambda x, y: F.sigmoid_focal_loss(x, y),
    x,
    f32("y", (4, 6), (3, 6), draw=lambda rng, shape: rng.integers(0, 2, shape)),
)
family.case(
    "dice",
    lambda x, y: F.dice_loss(F.softmax(x), y),
    f32("x", (4, 6, 3)),
    i64("y", (4, 6, 1), low=0, high=3),
)
family.case(
    "npair",
    lambda a, p, y: F.npair_loss(a, p, y),
    f32("a", (4, 6)),
    f32("p", (4, 6)),
    f32("y", (4,), low=0, high=3),
)
family.case(
    "ctc",
    lambda x, y, a, b: F.ctc_loss(x, y, a, b, reduction="none"),
    f32("x", (6, 2, 5)),
    i32("y", (2, 3), low=1, high=5),
    i64("a", (2,), low=6, high=7),
    i64("b", (2,), low=2, high=4),
)
family.case("huber_backward_free", lambda x: F.smooth_l1_loss(x, paddle.zeros_like(x)), x)
family.case(
    "masked_loss",
    lambda x, y, m: (
        (F.mse_loss(x, y, "none") * m.astype("float32")).sum() / m.astype("float32").sum()
    ),
    x,
    y,
    boolean("m", (4, 6), (3, 6)),
)
