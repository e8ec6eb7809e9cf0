"""Convolutions: ranks, groups, dilation, padding forms, layouts, transposed, deformable, fold."""

import paddle
from paddle import nn
from paddle.nn import functional as F
from paddle.vision import ops

from tests.matrix.case import Family, f32

family = Family("convolution", __file__)

line = f32("x", (2, 4, 12), (1, 4, 19))
image = f32("x", (2, 4, 10, 9), (1, 4, 7, 12))
still = f32("x", (2, 4, 10, 9), (3, 4, 10, 9))
volume = f32("x", (2, 3, 6, 7, 5), (1, 3, 5, 6, 8))
nhwc = f32("x", (2, 10, 9, 4), (1, 7, 12, 4))

conv2d = {
    "plain": {"kernel_size": 3},
    "pointwise": {"kernel_size": 1},
    "no_bias": {"kernel_size": 3, "bias_attr": False},
    "stride": {"kernel_size": 3, "stride": 2, "padding": 1},
    "stride_pair": {"kernel_size": 3, "stride": (2, 1), "padding": (0, 1)},
    "rectangle": {"kernel_size": (3, 1), "padding": (1, 0)},
    "padding_four": {"kernel_size": 3, "padding": [1, 0, 2, 1]},
    "padding_full": {"kernel_size": 3, "padding": [[0, 0], [0, 0], [1, 0], [0, 2]]},
    "dilation": {"kernel_size": 3, "dilation": 2, "padding": 2},
    "groups": {"kernel_size": 3, "groups": 2},
    "depthwise": {"kernel_size": 3, "groups": 4, "padding": 1},
    "same": {"kernel_size": 3, "padding": "SAME"},
    "same_stride": {"kernel_size": 3, "stride": 2, "padding": "SAME"},
    "same_even": {"kernel_size": 4, "stride": 2, "padding": "SAME"},
    "same_dilation": {"kernel_size": 3, "dilation": 2, "padding": "SAME"},
    "valid": {"kernel_size": 3, "stride": 2, "padding": "VALID"},
    "reflect": {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    "replicate": {"kernel_size": 3, "padding": 1, "padding_mode": "replicate"},
    "circular": {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
}
for name, arguments in conv2d.items():
    family.layer(f"conv2d_{name}", lambda a=arguments: nn.Conv2D(4, 8, **a), image, static=True)
for name in ("plain", "stride", "depthwise", "same", "same_stride"):
    family.layer(
        f"conv2d_{name}_nhwc", lambda a=conv2d[name]: nn.Conv2D(4, 8, **a, data_format="NHWC"), nhwc
    )
for name in ("plain", "stride", "dilation", "groups"):
    family.layer(f"conv1d_{name}", lambda a=conv2d[name]: nn.Conv1D(4, 8, **a), line)
family.layer("conv1d_same", lambda: nn.Conv1D(4, 8, 3, stride=2, padding="SAME"), line)
family.layer(
    "conv1d_nlc", lambda: nn.Conv1D(4, 8, 3, data_format="NLC"), f32("x", (2, 12, 4), (1, 19, 4))
)
family.layer("conv1d_causal", lambda: nn.Conv1D(4, 8, 3, padding=[2, 0]), line)
family.layer("conv3d_plain", lambda: nn.Conv3D(3, 4, 3), volume)
family.layer("conv3d_stride", lambda: nn.Conv3D(3, 4, 3, stride=2, padding=1), volume)
family.layer("conv3d_groups", lambda: nn.Conv3D(3, 6, 3, groups=3, dilation=1), volume)
family.layer("conv3d_same", lambda: nn.Conv3D(3, 4, 3, stride=2, padding="SAME"), volume)
family.layer(
    "conv3d_ndhwc",
    lambda: nn.Conv3D(3, 4, 2, data_format="NDHWC"),
    f32("x", (2, 6, 7, 5, 3), (1, 5, 6, 8, 3)),
)
family.case(
    "conv2d_weight_input", lambda x, w: F.conv2d(x, w, padding=1), image, f32("w", (5, 4, 3, 3))
)

transposed = {
    "plain": {"kernel_size": 3},
    "stride": {"kernel_size": 2, "stride": 2},
    "padding": {"kernel_size": 3, "stride": 2, "padding": 1},
    "output_padding": {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
    "groups": {"kernel_size": 3, "stride": 2, "groups": 2},
    "depthwise": {"kernel_size": 4, "stride": 2, "padding": 1, "groups": 4},
    "dilation": {"kernel_size": 3, "stride": 2, "dilation": 2},
    "same": {"kernel_size": 3, "stride": 2, "padding": "SAME"},
    "valid": {"kernel_size": 3, "stride": 2, "padding": "VALID"},
    "padding_four": {"kernel_size": 3, "stride": 2, "padding": [1, 0, 0, 1]},
    "no_bias": {"kernel_size": 3, "bias_attr": False},
}
for name, arguments in transposed.items():
    family.layer(
        f"transpose2d_{name}",
        lambda a=arguments: nn.Conv2DTranspose(4, 8, **a),
        image,
        static=name in ("same", "plain"),
    )
weight = f32("w", (4, 5, 3, 3))
family.case(
    "transpose2d_output_size",
    lambda x, w: F.conv2d_transpose(x, w, stride=2, output_size=[22, 20]),
    still,
    weight,
)
family.case(
    "transpose2d_output_size_padding",
    lambda x, w: F.conv2d_transpose(x, w, stride=2, padding=1, output_size=[20, 18]),
    still,
    weight,
)
family.case(
    "transpose2d_output_size_dynamic",
    lambda x, w: F.conv2d_transpose(
        x, w, stride=2, padding=1, output_size=[2 * paddle.shape(x)[2], 2 * paddle.shape(x)[3]]
    ),
    image,
    weight,
)
family.layer(
    "transpose2d_nhwc", lambda: nn.Conv2DTranspose(4, 8, 2, stride=2, data_format="NHWC"), nhwc
)
family.layer("transpose1d_plain", lambda: nn.Conv1DTranspose(4, 8, 3, stride=2), line)
family.layer(
    "transpose1d_output_padding",
    lambda: nn.Conv1DTranspose(4, 8, 3, stride=2, padding=1, output_padding=1),
    line,
)
family.layer("transpose3d_plain", lambda: nn.Conv3DTranspose(3, 4, 2, stride=2), volume)
family.layer(
    "transpose3d_output_padding",
    lambda: nn.Conv3DTranspose(3, 4, 3, stride=2, padding=1, output_padding=1),
    volume,
)


class Deformable(nn.Layer):
    def __init__(
        self, masked: bool, groups: int = 1, deformable_groups: int = 1, stride: int = 1
    ) -> None:
        super().__init__()
        self.masked = masked
        self.offset = nn.Conv2D(4, 18 * deformable_groups, 3, padding=1, stride=stride)
        self.mask = nn.Conv2D(4, 9 * deformable_groups, 3, padding=1, stride=stride)
        self.conv = ops.DeformConv2D(
            4, 8, 3, padding=1, stride=stride, groups=groups, deformable_groups=deformable_groups
        )

    def forward(self, x):
        mask = F.sigmoid(self.mask(x)) if self.masked else None
        return self.conv(x, self.offset(x), mask)


family.layer("deformable_v1", lambda: Deformable(False), still)
family.layer("deformable_v2", lambda: Deformable(True), still, static=True)
family.layer("deformable_v2_dynamic", lambda: Deformable(True), image)
family.layer("deformable_groups", lambda: Deformable(True, 2, 2), still)
family.layer("deformable_stride", lambda: Deformable(True, stride=2), still)
family.case("unfold", lambda x: F.unfold(x, 3), image, static=True)
family.case(
    "unfold_stride", lambda x: F.unfold(x, [3, 2], strides=2, paddings=1, dilations=1), image
)
family.case("unfold_dilation", lambda x: F.unfold(x, 2, dilations=2, paddings=[1, 0, 2, 1]), image)
family.case("fold", lambda x: F.fold(x, [6, 5], [3, 2], strides=1), f32("x", (2, 24, 16)))
family.case("fold_stride", lambda x: F.fold(x, [8, 6], 2, strides=2), f32("x", (2, 12, 12)))
for name, function, channels in (
    ("pixel_shuffle", lambda x, f: F.pixel_shuffle(x, 2, f), 8),
    ("pixel_unshuffle", lambda x, f: F.pixel_unshuffle(x, 2, f), 4),
    ("channel_shuffle", lambda x, f: F.channel_shuffle(x, 2, f), 4),
):
    family.case(
        name,
        lambda x, g=function: g(x, "NCHW"),
        f32("x", (2, channels, 6, 8), (3, channels, 6, 8)),
        static=True,
    )
    family.case(
        f"{name}_nhwc",
        lambda x, g=function: g(x, "NHWC"),
        f32("x", (2, 6, 8, channels), (3, 6, 8, channels)),
    )
family.case("temporal_shift", lambda x: F.temporal_shift(x, 2, 0.25), f32("x", (4, 8, 3, 5)))
family.case(
    "conv_bn_relu_twice",
    lambda x, w: F.relu(
        F.conv2d(F.relu(F.conv2d(x, w, padding=1)), w.transpose([1, 0, 2, 3]), padding=1)
    ),
    image,
    f32("w", (6, 4, 3, 3)),
)
family.layer(
    "bilinear_layer",
    lambda: nn.Bilinear(4, 5, 6),
    f32("x", (3, 4), (2, 4)),
    f32("y", (3, 5), (2, 5)),
)
for name in ("pixel_shuffle", "channel_shuffle"):
    family.case(
        f"{name}_dynamic",
        lambda x, n=name: getattr(F, n)(x, 2),
        f32("x", (2, 8, 6, 8), (3, 8, 4, 2)),
    )
