"""Padding in every mode, rank and layout, with values as numbers and as tensors."""

import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, f32, i32, i64

family = Family("padding", __file__)

line = f32("x", (2, 4, 8), (1, 4, 11))
image = f32("x", (2, 4, 6, 7), (1, 4, 9, 5))
volume = f32("x", (2, 3, 4, 5, 6), (1, 3, 6, 4, 5))

for mode in ("constant", "reflect", "replicate", "circular"):
    family.case(
        f"pad1d_{mode}", lambda x, m=mode: F.pad(x, [2, 1], mode=m, data_format="NCL"), line
    )
    family.case(
        f"pad2d_{mode}", lambda x, m=mode: F.pad(x, [1, 2, 3, 0], mode=m), image, static=True
    )
    family.case(
        f"pad3d_{mode}",
        lambda x, m=mode: F.pad(x, [1, 2, 2, 1, 0, 3], mode=m, data_format="NCDHW"),
        volume,
    )
    family.case(
        f"pad1d_{mode}_nlc",
        lambda x, m=mode: F.pad(x, [2, 1], mode=m, data_format="NLC"),
        f32("x", (2, 8, 4), (1, 11, 4)),
    )
    family.case(
        f"pad2d_{mode}_nhwc",
        lambda x, m=mode: F.pad(x, [1, 2, 3, 0], mode=m, data_format="NHWC"),
        f32("x", (2, 6, 7, 4), (1, 9, 5, 4)),
    )
    family.case(
        f"pad3d_{mode}_ndhwc",
        lambda x, m=mode: F.pad(x, [1, 2, 2, 1, 0, 3], mode=m, data_format="NDHWC"),
        f32("x", (2, 4, 5, 6, 3), (1, 6, 4, 5, 3)),
    )
family.case("pad2d_value", lambda x: F.pad(x, [1, 1, 2, 0], value=-1.75), image)
family.case("pad2d_inf", lambda x: F.relu(F.pad(x, [1, 1, 2, 0], value=float("-inf"))), image)
family.case(
    "pad3d_value", lambda x: F.pad(x, [1, 1, 1, 1, 2, 0], value=0.5, data_format="NCDHW"), volume
)
family.case("pad_full_rank", lambda x: F.pad(x, [0, 1, 1, 0, 2, 2, 0, 3], value=0.25), image)
family.case(
    "pad_full_rank_2d", lambda x: F.pad(x, [1, 2, 0, 3], value=1.5), f32("x", (3, 4), (5, 2))
)
family.case(
    "pad_full_rank_int", lambda x: F.pad(x, [1, 2, 0, 3], value=7), i64("x", (3, 4), (5, 2))
)
family.case(
    "pad_full_rank_reversed",
    lambda x: F.pad(x, [0, 0, 0, 0, 1, 2, 3, 0], value=1.0, pad_from_left_axis=False),
    image,
)
family.case("pad_negative", lambda x: F.pad(x, [-1, 0, 1, -2]), image)
family.case("pad_tensor", lambda x, p: F.pad(x, p, value=0.5), image, i32("p", (4,), low=0, high=3))
family.case(
    "pad_of_shape",
    lambda x: F.pad(x, [0, 12 - paddle.shape(x)[3], 0, 1]),
    f32("x", (2, 4, 6, 7), (1, 4, 9, 5)),
)
family.layer("zero_pad2d", lambda: nn.ZeroPad2D([1, 2, 0, 1]), image)
family.layer("pad1d_layer", lambda: nn.Pad1D(2, mode="reflect"), line)
family.layer("pad2d_layer", lambda: nn.Pad2D(1, mode="replicate"), image)
family.layer("pad3d_layer", lambda: nn.Pad3D(1, mode="constant", value=2.0), volume)
