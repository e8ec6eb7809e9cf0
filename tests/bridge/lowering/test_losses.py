"""Loss functions."""

import numpy as np
import paddle
import pytest
from paddle.nn import functional as F

rng = np.random.default_rng(3)
X = rng.normal(size=(4, 5)).astype("float32")
Y = rng.normal(size=(4, 5)).astype("float32")
P = (1 / (1 + np.exp(-X))).astype("float32")
T = (Y > 0).astype("float32")
L = np.array([1, 0, 4, 2], "int64")
W = np.array([0.1, 0.5, 1.0, 2.0, 0.3], "float32")
LOGP = np.log(P)
IMG = rng.normal(size=(2, 5, 3, 2)).astype("float32")
IMGL = rng.integers(0, 5, (2, 3, 2))
ONE = np.float32([1, -1, 1, -1])
SOFT = (np.abs(Y) / np.abs(Y).sum(1, keepdims=True)).astype("float32")

CASES = {}
for _r in ("mean", "none"):
    CASES |= {
        f"huber_{_r}": (lambda x, y, r=_r: F.smooth_l1_loss(x, y, reduction=r, delta=0.5), [X, Y]),
        f"kl_{_r}": (lambda x, y, r=_r: F.kl_div(x, y, reduction=r), [LOGP, SOFT]),
        f"nll_{_r}": (
            lambda x, y, r=_r: F.nll_loss(x, y, reduction=r),
            [LOGP, L],
            {"static": True},
        ),
        f"nll_weight_{_r}": (
            lambda x, y, r=_r: F.nll_loss(x, y, paddle.to_tensor(W), ignore_index=4, reduction=r),
            [LOGP, L],
            {"static": True},
        ),
        f"nll_image_{_r}": (
            lambda x, y, r=_r: F.nll_loss(x, y, reduction=r),
            [IMG, IMGL],
            {"static": True},
        ),
        f"bce_{_r}": (lambda x, y, r=_r: F.binary_cross_entropy(x, y, reduction=r), [P, T]),
        f"bce_logits_{_r}": (
            lambda x, y, r=_r: F.binary_cross_entropy_with_logits(x, y, reduction=r),
            [X, T],
        ),
        f"bce_logits_weight_{_r}": (
            lambda x, y, w, r=_r: F.binary_cross_entropy_with_logits(
                x, y, w, reduction=r, pos_weight=w
            ),
            [X, T, W],
        ),
        f"cross_entropy_{_r}": (lambda x, y, r=_r: F.cross_entropy(x, y, reduction=r), [X, L]),
        f"cross_entropy_weight_{_r}": (
            lambda x, y, r=_r: F.cross_entropy(x, y, paddle.to_tensor(W), reduction=r),
            [X, L],
            {"static": True},
        ),
        f"cross_entropy_ignore_{_r}": (
            lambda x, y, r=_r: F.cross_entropy(x, y, ignore_index=4, reduction=r),
            [X, L],
        ),
        f"cross_entropy_soft_{_r}": (
            lambda x, y, r=_r: F.cross_entropy(x, y, soft_label=True, reduction=r),
            [X, SOFT],
        ),
        f"cross_entropy_smooth_{_r}": (
            lambda x, y, r=_r: F.cross_entropy(x, y, label_smoothing=0.1, reduction=r),
            [X, L],
        ),
        f"cross_entropy_axis_{_r}": (
            lambda x, y, r=_r: F.cross_entropy(x, y, axis=1, reduction=r),
            [IMG, IMGL[:, None]],
        ),
        f"mse_{_r}": (lambda x, y, r=_r: F.mse_loss(x, y, reduction=r), [X, Y]),
        f"l1_{_r}": (lambda x, y, r=_r: F.l1_loss(x, y, reduction=r), [X, Y]),
        f"margin_{_r}": (
            lambda x, y, z, r=_r: F.margin_ranking_loss(x, y, z, 0.2, reduction=r),
            [X[:, 0], Y[:, 0], ONE],
        ),
        f"hinge_{_r}": (
            lambda x, y, r=_r: F.hinge_embedding_loss(x, y, reduction=r),
            [X, T * 2 - 1],
        ),
        f"cosine_{_r}": (
            lambda x, y, z, r=_r: F.cosine_embedding_loss(x, y, z, 0.1, reduction=r),
            [X, Y, ONE],
        ),
        f"soft_margin_{_r}": (
            lambda x, y, r=_r: F.soft_margin_loss(x, y, reduction=r),
            [X, T * 2 - 1],
        ),
        f"poisson_{_r}": (lambda x, y, r=_r: F.poisson_nll_loss(x, y, reduction=r), [X, P]),
        f"gaussian_{_r}": (
            lambda x, y, z, r=_r: F.gaussian_nll_loss(x, y, z, reduction=r),
            [X, Y, P],
        ),
        f"triplet_{_r}": (
            lambda x, y, z, r=_r: F.triplet_margin_loss(x, y, z, reduction=r),
            [X, Y, P],
        ),
        f"multi_label_{_r}": (
            lambda x, y, r=_r: F.multi_label_soft_margin_loss(x, y, reduction=r),
            [X, T * 2 - 1],
        ),
        f"multi_margin_{_r}": (lambda x, y, r=_r: F.multi_margin_loss(x, y, reduction=r), [X, L]),
        f"focal_{_r}": (lambda x, y, r=_r: F.sigmoid_focal_loss(x, y, reduction=r), [X, T]),
    }
CASES |= {
    "huber_shifted": (lambda x, y: F.smooth_l1_loss(x, y, is_huber=False), [X, Y]),
    "kl_batchmean": (lambda x, y: F.kl_div(x, y, reduction="batchmean"), [LOGP, SOFT]),
    "kl_log_target": (
        lambda x, y: F.kl_div(x, y, reduction="none", log_target=True),
        [LOGP, np.log(SOFT)],
    ),
    "kl_zero_target": (lambda x, y: F.kl_div(x, y, reduction="none"), [LOGP, T]),
    "bce_edges": (
        lambda x, y: F.binary_cross_entropy(x, y, reduction="none"),
        [np.float32([0, 1, 0.5, 1]), np.float32([0, 1, 1, 0])],
    ),
    "log_loss": (lambda x, y: F.log_loss(x, y), [P[:, :1], T[:, :1]]),
    "square_error": (lambda x, y: F.square_error_cost(x, y), [X, Y]),
    "dice": (lambda x, y: F.dice_loss(x, y), [SOFT, L[:, None]], {"static": True}),
    "npair": (
        lambda x, y, z: F.npair_loss(x, y, z),
        [X, Y, np.float32([1, 0, 1, 2])],
        {"static": True},
    ),
    "softmax_with_cross_entropy": (
        lambda x, y: F.softmax_with_cross_entropy(x, y),
        [X, L[:, None]],
    ),
    "softmax_with_cross_entropy_both": (
        lambda x, y: F.softmax_with_cross_entropy(x, y, return_softmax=True),
        [X, L[:, None]],
    ),
    "softmax_with_cross_entropy_ignored": (
        lambda x, y: F.softmax_with_cross_entropy(x, y, ignore_index=2),
        [X, L[:, None]],
    ),
    "cross_entropy_no_softmax": (
        lambda x, y: F.cross_entropy(x, y, use_softmax=False),
        [SOFT + 0.01, L],
    ),
    "cross_entropy_int32": (lambda x, y: F.cross_entropy(x, y), [X, L.astype("int32")]),
    "cross_entropy_ignored_default": (
        lambda x, y: F.cross_entropy(x, y),
        [X, np.int64([1, -100, 4, 2])],
    ),
    "label_smooth": (lambda x: F.label_smooth(x, epsilon=0.2), [T]),
    "label_smooth_prior": (lambda x: F.label_smooth(x, paddle.to_tensor(W[None]), 0.2), [T]),
    "sigmoid_ce_normalize": (
        lambda x, y: paddle._C_ops.sigmoid_cross_entropy_with_logits(x, y, None, True, -1),
        [X, np.where(T > 0, 1, np.where(Y < -1, -1, 0)).astype("float32")],
    ),
    "sigmoid_ce_ignore": (
        lambda x, y: paddle._C_ops.sigmoid_cross_entropy_with_logits(x, y, None, False, -1),
        [X, np.where(T > 0, 1, np.where(Y < -1, -1, 0)).astype("float32")],
    ),
    "hinge_op": (
        lambda x, y: paddle._C_ops.hinge_loss(x, y),
        [X[:, :1], T[:, :1]],
        {"static": True},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_losses(check_case, name):
    check_case(CASES[name])
