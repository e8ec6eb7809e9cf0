"""Reductions over every form of axis, in every dtype that matters, and cumulative ones."""

import paddle

from tests.matrix.case import Family, boolean, f32, f64, i32, i64

family = Family("reductions", __file__)

x = f32("x", (2, 6, 5), (3, 4, 7))
positive = f32("x", (2, 6, 5), (3, 4, 7), low=0.5, high=1.5)
still = f32("x", (2, 6, 5))
whole = i64("x", (2, 6, 5), (3, 4, 7), low=-9, high=9)
yes = boolean("x", (2, 6, 5), (3, 4, 7))

for name in ("sum", "mean", "max", "min", "amax", "amin", "prod", "logsumexp"):
    function = getattr(paddle, name)
    source = positive if name == "prod" else x
    family.case(f"{name}_all", lambda x, f=function: f(x), source, static=True)
    family.case(f"{name}_all_keepdim", lambda x, f=function: f(x, keepdim=True), source)
    family.case(f"{name}_last", lambda x, f=function: f(x, axis=-1), source)
    family.case(f"{name}_middle_keepdim", lambda x, f=function: f(x, axis=1, keepdim=True), source)
    family.case(f"{name}_axes", lambda x, f=function: f(x, axis=[0, 2]), source, static=True)
for name in ("std", "var"):
    function = getattr(paddle, name)
    family.case(f"{name}_all", lambda x, f=function: f(x), x)
    family.case(f"{name}_axis", lambda x, f=function: f(x, axis=1), x)
    family.case(
        f"{name}_biased", lambda x, f=function: f(x, axis=[1, 2], unbiased=False, keepdim=True), x
    )
for name in ("any", "all"):
    function = getattr(paddle, name)
    family.case(f"{name}_all", lambda x, f=function: f(x), boolean("x", (2, 2), (3, 2)), weak=True)
    family.case(f"{name}_axis", lambda x, f=function: f(x, axis=1), boolean("x", (9, 2), (12, 2)))
    family.case(
        f"{name}_axes_keepdim",
        lambda x, f=function: f(x, axis=[0, 2], keepdim=True),
        boolean("x", (1, 6, 2), (1, 9, 2)),
    )
for name in ("nansum", "nanmean"):
    function = getattr(paddle, name)
    family.case(f"{name}", lambda x, f=function: f(paddle.sqrt(x), axis=1), x)
    family.case(f"{name}_all", lambda x, f=function: f(paddle.sqrt(x)), x)
for name in ("median", "nanmedian"):
    function = getattr(paddle, name)
    family.case(f"{name}_axis", lambda x, f=function: f(x, axis=-1), x)
    family.case(f"{name}_even", lambda x, f=function: f(x, axis=-1), f32("x", (3, 6), (2, 6)))
    family.case(
        f"{name}_odd_keepdim",
        lambda x, f=function: f(x, axis=1, keepdim=True),
        f32("x", (3, 5), (2, 5)),
    )
    family.case(f"{name}_all", lambda x, f=function: f(x), f32("x", (3, 5)))
family.case("median_min", lambda x: paddle.median(x, axis=-1, mode="min"), f32("x", (3, 6), (2, 6)))
family.case("nanmedian_nan", lambda x: paddle.nanmedian(paddle.log(x), axis=-1), f32("x", (3, 7)))
family.case("quantile", lambda x: paddle.quantile(x, 0.3, axis=1), still)
family.case(
    "quantile_several", lambda x: paddle.quantile(x, [0.1, 0.5, 0.9], axis=-1, keepdim=True), still
)
family.case("quantile_all", lambda x: paddle.quantile(x, 0.75), still)
family.case(
    "quantile_nearest", lambda x: paddle.quantile(x, 0.3, axis=1, interpolation="nearest"), still
)
family.case("nanquantile", lambda x: paddle.nanquantile(x, 0.3, axis=1), still)
family.case("sum_int64", lambda x: paddle.sum(x, axis=1), whole)
family.case("sum_int32", lambda x: paddle.sum(x, axis=1), i32("x", (2, 6), (3, 4)))
family.case("sum_bool", lambda x: paddle.sum(x, axis=-1), yes)
family.case("sum_dtype", lambda x: paddle.sum(x, axis=1, dtype="float64"), x)
family.case("mean_float64", lambda x: paddle.mean(x, axis=1), f64("x", (2, 6), (3, 4)))
family.case("max_int64", lambda x: paddle.max(x, axis=1), whole)
family.case("min_int32", lambda x: paddle.min(x, axis=1), i32("x", (2, 6), (3, 4)))
family.case("prod_int64", lambda x: paddle.prod(x, axis=1), i64("x", (3, 4), (2, 5), low=1, high=5))
family.case("count_nonzero", lambda x: paddle.count_nonzero(x, axis=1), whole)
family.case("count_nonzero_all", lambda x: paddle.count_nonzero(x), whole)
family.case("mean_after_relu", lambda x: paddle.nn.functional.relu(x).mean() * x, x)

for name in ("cumsum", "cumprod", "logcumsumexp"):
    function = getattr(paddle, name)
    key = "dim" if name == "cumprod" else "axis"
    source = positive if name == "cumprod" else x
    for axis in (0, 1, -1):
        family.case(
            f"{name}_{axis if axis >= 0 else 'last'}",
            lambda x, f=function, k=key, a=axis: f(x, **{k: a}),
            source,
            static=axis == 1,
        )
    family.case(f"{name}_flat", lambda x, f=function: f(x), source)
family.case("cumsum_int64", lambda x: paddle.cumsum(x, axis=1), whole)
family.case("cumsum_bool", lambda x: paddle.cumsum(x.astype("int32"), axis=1), yes)
for name in ("cummax", "cummin"):
    function = getattr(paddle, name)
    family.case(f"{name}_axis", lambda x, f=function: f(x, axis=1), x, static=True)
    family.case(f"{name}_last", lambda x, f=function: f(x, axis=-1)[0], x)
    family.case(f"{name}_int64", lambda x, f=function: f(x, axis=1), whole)
    family.case(f"{name}_flat", lambda x, f=function: f(x)[0], x)
family.case("diff", lambda x: paddle.diff(x), x)
family.case("diff_axis", lambda x: paddle.diff(x, n=2, axis=1), still)
