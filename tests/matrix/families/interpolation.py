"""Interpolation in every mode, by size, scale and tensor, with both alignments."""

import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, f32

family = Family("interpolation", __file__)

line = f32("x", (2, 3, 8), (1, 3, 11))
image = f32("x", (2, 3, 6, 8), (1, 3, 9, 5))
volume = f32("x", (2, 3, 4, 5, 6), (1, 3, 6, 4, 5))


def modes():
    yield "nearest", {}
    for mode in ("bilinear", "bicubic"):
        yield f"{mode}", {"align_corners": False}
        yield f"{mode}_corners", {"align_corners": True}
    yield "bilinear_mode0", {"align_corners": False, "align_mode": 0}
    yield "bilinear_mode1", {"align_corners": False, "align_mode": 1}


for label, arguments in modes():
    mode = label.split("_")[0]

    def resize(x, mode=mode, arguments=arguments, **where):
        return F.interpolate(x, mode=mode, **arguments, **where)

    family.case(f"{label}_size", lambda x, f=resize: f(x, size=[10, 14]), image, static=True)
    family.case(f"{label}_size_smaller", lambda x, f=resize: f(x, size=[4, 3]), image)
    family.case(f"{label}_scale", lambda x, f=resize: f(x, scale_factor=2), image, static=True)
    family.case(f"{label}_scale_fraction", lambda x, f=resize: f(x, scale_factor=1.6), image)
    family.case(f"{label}_scale_pair", lambda x, f=resize: f(x, scale_factor=[2.0, 3.0]), image)
    family.case(
        f"{label}_like",
        lambda x, y, f=resize: f(x, size=paddle.shape(y)[2:]),
        image,
        f32("y", (2, 1, 12, 7), (1, 1, 5, 10)),
    )

family.case(
    "nearest_corners",
    lambda x: F.interpolate(x, size=[10, 14], mode="nearest", align_corners=False),
    image,
)
family.case(
    "nearest_scale_half",
    lambda x: F.interpolate(x, scale_factor=0.5, mode="nearest"),
    f32("x", (2, 3, 6, 8), (1, 3, 10, 4)),
)
family.case(
    "bilinear_scale_half",
    lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"),
    f32("x", (2, 3, 6, 8), (1, 3, 10, 4)),
)
family.case(
    "bilinear_size_tensors",
    lambda x: F.interpolate(
        x, size=[paddle.shape(x)[2] * 2, paddle.shape(x)[3] + 3], mode="bilinear"
    ),
    image,
)
family.case(
    "area_size",
    lambda x: F.interpolate(x, size=[3, 4], mode="area"),
    f32("x", (2, 3, 6, 8), (3, 3, 6, 8)),
)
family.case("area_size_dynamic", lambda x: F.interpolate(x, size=[3, 2], mode="area"), image)
family.case(
    "area_not_dividing",
    lambda x: F.interpolate(x, size=[4, 5], mode="area"),
    f32("x", (2, 3, 6, 8)),
)
family.case(
    "linear_size", lambda x: F.interpolate(x, size=[13], mode="linear", data_format="NCW"), line
)
family.case(
    "linear_corners",
    lambda x: F.interpolate(x, size=[13], mode="linear", align_corners=True, data_format="NCW"),
    line,
)
family.case(
    "linear_scale",
    lambda x: F.interpolate(x, scale_factor=2, mode="linear", data_format="NCW"),
    line,
)
family.case(
    "nearest_1d",
    lambda x: F.interpolate(x.unsqueeze(-1), size=[16, 1], mode="nearest").squeeze(-1),
    line,
)
family.case(
    "trilinear_size",
    lambda x: F.interpolate(x, size=[6, 7, 9], mode="trilinear", data_format="NCDHW"),
    volume,
)
family.case(
    "trilinear_corners",
    lambda x: F.interpolate(
        x, size=[6, 7, 9], mode="trilinear", align_corners=True, data_format="NCDHW"
    ),
    volume,
)
family.case(
    "trilinear_scale",
    lambda x: F.interpolate(x, scale_factor=2, mode="trilinear", data_format="NCDHW"),
    volume,
)
family.case(
    "nearest_3d",
    lambda x: F.interpolate(x, size=[6, 7, 9], mode="nearest", data_format="NCDHW"),
    volume,
)
family.case(
    "nearest_nhwc",
    lambda x: F.interpolate(x, scale_factor=2, mode="nearest", data_format="NHWC"),
    f32("x", (2, 6, 8, 3), (1, 9, 5, 3)),
)
family.case(
    "bilinear_nhwc",
    lambda x: F.interpolate(x, size=[10, 14], mode="bilinear", data_format="NHWC"),
    f32("x", (2, 6, 8, 3), (1, 9, 5, 3)),
)
family.layer(
    "upsample_layer",
    lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    image,
)
family.layer("upsampling_nearest", lambda: nn.UpsamplingNearest2D(scale_factor=3), image)
family.layer("upsampling_bilinear", lambda: nn.UpsamplingBilinear2D(size=[9, 9]), image)

grid = f32("grid", (2, 5, 4, 2), (1, 3, 7, 2), low=-1.2, high=1.2)
for mode in ("bilinear", "nearest"):
    for border in ("zeros", "border", "reflection"):
        for corners in (True, False):
            family.case(
                f"grid_sample_{mode}_{border}{'_corners' if corners else ''}",
                lambda x, g, m=mode, p=border, c=corners: F.grid_sample(x, g, m, p, c),
                image,
                grid,
                static=border == "zeros" and mode == "bilinear",
            )
family.case(
    "grid_sample_3d",
    lambda x, g: F.grid_sample(x, g),
    volume,
    f32("grid", (2, 3, 4, 5, 3), (1, 4, 3, 2, 3), low=-1, high=1),
)
theta = f32("theta", (2, 2, 3), (1, 2, 3))
family.case(
    "affine_grid",
    lambda t: F.affine_grid(t, [2, 3, 5, 7], align_corners=True),
    f32("theta", (2, 2, 3)),
)
family.case(
    "affine_grid_half_pixel",
    lambda t: F.affine_grid(t, [2, 3, 5, 7], align_corners=False),
    f32("theta", (2, 2, 3)),
)
family.case("affine_grid_dynamic", lambda t, x: F.affine_grid(t, paddle.shape(x)), theta, image)
family.case(
    "affine_grid_sample",
    lambda t, x: F.grid_sample(x, F.affine_grid(t, x.shape)),
    f32("theta", (2, 2, 3)),
    f32("x", (2, 3, 6, 8)),
)
