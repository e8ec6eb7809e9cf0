"""Operators that stand for a few others."""

import numpy as np
import paddle
import pytest

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
SCALE, BIAS = (RNG.normal(size=3).astype("float32") for _ in range(2))
TEXT = RNG.normal(size=(2, 7, 8)).astype("float32")
SCORES = RNG.normal(size=(2, 4, 8, 32)).astype("float32")
MASK = np.where(RNG.uniform(size=(2, 1, 8, 32)) < 0.3, np.float32(-10000), np.float32(0))
BLIND = np.where(np.arange(32) < 31, np.float32(-1e9), np.float32(0)) + np.zeros_like(MASK)


def encode(x):
    return paddle._C_ops.add_position_encoding(x, 0.5, 1.5)


CASES = {
    "affine_channel": (
        lambda x, s, b: paddle._C_ops.affine_channel(x, s, b, "NCHW"),
        [IMAGE, SCALE, BIAS],
    ),
    "affine_channel_last": (
        lambda x, s, b: paddle._C_ops.affine_channel(x, s, b, "NHWC"),
        [IMAGE.transpose(0, 2, 3, 1).copy(), SCALE, BIAS],
    ),
    "softmax_mask": (
        paddle.incubate.softmax_mask_fuse,
        [SCORES, MASK],
        {"more": [[SCORES, BLIND]]},
    ),
    "position_encoding": (encode, [TEXT], {"specs": [([-1, -1, 8], "float32")]}),
    "position_encoding_static": (encode, [TEXT], {"static": True}),
    "position_encoding_of_two": (encode, [TEXT[..., :2].copy()], {"static": True}),
    "position_encoding_far": (
        encode,
        [np.zeros((1, 5000, 4), "float32")],
        {"specs": [([-1, -1, 4], "float32")]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_fused(check_case, name):
    function, arrays, *rest = CASES[name]
    options = {"opsets": (11, 13, 17), "atol": 1e-6} | dict(*rest)
    check_case((function, arrays, options))


def test_affine_channel_needs_no_opset(check):
    check(CASES["affine_channel"][0], IMAGE, SCALE, BIAS, opset=7)
