"""Pooling in every rank and mode: padding, ceil_mode, exclusive, adaptive, indices, Lp, unpool."""

from paddle.nn import functional as F

from tests.matrix.case import Family, f32

family = Family("pooling", __file__)

line = f32("x", (2, 4, 12), (1, 4, 19))
image = f32("x", (2, 4, 12, 9), (1, 4, 7, 16))
volume = f32("x", (2, 3, 6, 8, 7), (1, 3, 8, 6, 5))
even = f32("x", (2, 4, 12, 8), (3, 4, 12, 8))

for kind, function in (("max", F.max_pool2d), ("avg", F.avg_pool2d)):

    def add(name: str, *inputs, pool=function, kind=kind, static=False, **arguments) -> None:
        options = {"static": static}
        family.case(f"{kind}_pool2d_{name}", lambda x: pool(x, **arguments), *inputs, **options)

    add("plain", image, kernel_size=2, static=True)
    add("stride1", image, kernel_size=3, stride=1)
    add("rectangle", image, kernel_size=(3, 2), stride=(2, 1))
    add("padding", image, kernel_size=3, stride=2, padding=1)
    add("padding_pair", image, kernel_size=3, stride=2, padding=(1, 0))
    add("padding_four", image, kernel_size=3, stride=2, padding=[1, 0, 0, 1])
    add("padding_full", image, kernel_size=3, stride=2, padding=[[0, 0], [0, 0], [1, 0], [0, 1]])
    add("ceil", image, kernel_size=3, stride=2, ceil_mode=True, static=True)
    add("ceil_padding", image, kernel_size=3, stride=2, padding=1, ceil_mode=True, static=True)
    add("ceil_big_padding", image, kernel_size=5, stride=3, padding=2, ceil_mode=True)
    add("ceil_stride3", image, kernel_size=2, stride=3, ceil_mode=True)
    add("same", image, kernel_size=3, stride=2, padding="SAME")
    add("same_static", f32("x", (2, 4, 11, 9)), kernel_size=3, stride=2, padding="SAME")
    add("valid", image, kernel_size=3, stride=2, padding="VALID")
    add("nhwc", f32("x", (2, 9, 8, 4), (1, 6, 7, 4)), kernel_size=2, data_format="NHWC")
    add("whole", f32("x", (2, 4, 6, 6), (3, 4, 6, 6)), kernel_size=6)

family.case("avg_pool2d_inclusive", lambda x: F.avg_pool2d(x, 3, 2, 1, exclusive=False), image)
family.case(
    "avg_pool2d_inclusive_ceil",
    lambda x: F.avg_pool2d(x, 3, 2, 1, exclusive=False, ceil_mode=True),
    image,
)
family.case("avg_pool2d_divisor", lambda x: F.avg_pool2d(x, 2, divisor_override=3), image)
family.case("max_pool1d", lambda x: F.max_pool1d(x, 3, 2, 1), line)
family.case("max_pool1d_ceil", lambda x: F.max_pool1d(x, 3, 2, 1, ceil_mode=True), line)
family.case("avg_pool1d", lambda x: F.avg_pool1d(x, 3, 2, 1), line)
family.case("avg_pool1d_inclusive", lambda x: F.avg_pool1d(x, 3, 2, 1, exclusive=False), line)
family.case("max_pool3d", lambda x: F.max_pool3d(x, 2, 2), volume)
family.case("max_pool3d_padding", lambda x: F.max_pool3d(x, 3, 2, 1, ceil_mode=True), volume)
family.case("avg_pool3d", lambda x: F.avg_pool3d(x, 2, 2), volume)
family.case("avg_pool3d_padding", lambda x: F.avg_pool3d(x, 3, 2, 1), volume)
family.case("max_pool2d_indices", lambda x: F.max_pool2d(x, 2, return_mask=True), image)
family.case(
    "max_pool2d_indices_padding", lambda x: F.max_pool2d(x, 3, 2, 1, return_mask=True), image
)
family.case(
    "max_pool2d_indices_static",
    lambda x: F.max_pool2d(x, 2, return_mask=True),
    f32("x", (2, 4, 8, 6)),
)
family.case("max_pool1d_indices", lambda x: F.max_pool1d(x, 2, return_mask=True), line)
family.case(
    "max_pool3d_indices", lambda x: F.max_pool3d(x, 2, return_mask=True), f32("x", (2, 3, 6, 8, 4))
)

for kind, function in (("max", F.adaptive_max_pool2d), ("avg", F.adaptive_avg_pool2d)):
    static = f32("x", (2, 4, 12, 9), (3, 4, 12, 9))
    family.case(f"adaptive_{kind}_pool2d_one", lambda x, f=function: f(x, 1), image, static=True)
    family.case(f"adaptive_{kind}_pool2d_divides", lambda x, f=function: f(x, (4, 3)), static)
    family.case(
        f"adaptive_{kind}_pool2d_not_dividing",
        lambda x, f=function: f(x, (5, 4)),
        static,
        static=True,
    )
    family.case(f"adaptive_{kind}_pool2d_larger", lambda x, f=function: f(x, (15, 10)), static)
    family.case(f"adaptive_{kind}_pool2d_dynamic", lambda x, f=function: f(x, (3, 2)), image)
    family.case(
        f"adaptive_{kind}_pool2d_dynamic_dividing",
        lambda x, f=function: f(x, (3, 2)),
        f32("x", (2, 4, 12, 8), (1, 4, 6, 10)),
    )
    family.case(
        f"adaptive_{kind}_pool2d_one_dynamic_side",
        lambda x, f=function: f(x, (1, 4)),
        f32("x", (2, 4, 12, 8), (1, 4, 7, 8)),
    )
    family.case(f"adaptive_{kind}_pool2d_kept_side", lambda x, f=function: f(x, (None, 3)), static)
family.case(
    "adaptive_avg_pool2d_nhwc",
    lambda x: F.adaptive_avg_pool2d(x, 2, data_format="NHWC"),
    f32("x", (2, 8, 6, 4), (3, 8, 6, 4)),
)
family.case(
    "adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x, 4), f32("x", (2, 3, 12), (5, 3, 12))
)
family.case(
    "adaptive_avg_pool1d_not_dividing",
    lambda x: F.adaptive_avg_pool1d(x, 5),
    f32("x", (2, 3, 12), (5, 3, 12)),
)
family.case("adaptive_avg_pool1d_one", lambda x: F.adaptive_avg_pool1d(x, 1), line)
family.case(
    "adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x, 4), f32("x", (2, 3, 12), (5, 3, 12))
)
family.case(
    "adaptive_max_pool1d_not_dividing",
    lambda x: F.adaptive_max_pool1d(x, 5),
    f32("x", (2, 3, 12), (5, 3, 12)),
)
family.case(
    "adaptive_max_pool2d_indices",
    lambda x: F.adaptive_max_pool2d(x, 3, return_mask=True),
    f32("x", (2, 4, 12, 9), (3, 4, 12, 9)),
)
family.case(
    "adaptive_avg_pool3d",
    lambda x: F.adaptive_avg_pool3d(x, 2),
    f32("x", (2, 3, 6, 8, 4), (3, 3, 6, 8, 4)),
)
family.case(
    "adaptive_avg_pool3d_not_dividing",
    lambda x: F.adaptive_avg_pool3d(x, 3),
    f32("x", (2, 3, 7, 8, 5), (3, 3, 7, 8, 5)),
)
family.case(
    "adaptive_max_pool3d",
    lambda x: F.adaptive_max_pool3d(x, 2),
    f32("x", (2, 3, 6, 8, 4), (3, 3, 6, 8, 4)),
)
family.case(
    "lp_pool1d",
    lambda x: F.lp_pool1d(x, 2, 3, 2),
    f32("x", (2, 4, 12), (1, 4, 19), low=0.1, high=2),
)
family.case(
    "lp_pool2d",
    lambda x: F.lp_pool2d(x, 2, 2),
    f32("x", (2, 4, 12, 9), (1, 4, 7, 16), low=0.1, high=2),
)
family.case(
    "lp_pool2d_p3",
    lambda x: F.lp_pool2d(x, 3, 3, 2, ceil_mode=True),
    f32("x", (2, 4, 12, 9), low=0.1, high=2),
)
family.case(
    "fractional_max_pool2d",
    lambda x: F.fractional_max_pool2d(x, 4, random_u=0.3),
    f32("x", (2, 4, 12, 9)),
)


def unpool2d(x):
    pooled, indices = F.max_pool2d(x, 2, 2, return_mask=True)
    return F.max_unpool2d(pooled, indices, 2, 2)


def unpool1d(x):
    pooled, indices = F.max_pool1d(x, 2, 2, return_mask=True)
    return F.max_unpool1d(pooled, indices, 2, 2)


def unpool3d(x):
    pooled, indices = F.max_pool3d(x, 2, 2, return_mask=True)
    return F.max_unpool3d(pooled, indices, 2, 2)


family.case("max_unpool2d", unpool2d, f32("x", (2, 4, 8, 6)))
family.case("max_unpool2d_dynamic", unpool2d, even)
family.case("max_unpool1d", unpool1d, f32("x", (2, 4, 8)))
family.case("max_unpool3d", unpool3d, f32("x", (2, 3, 4, 6, 4)))
