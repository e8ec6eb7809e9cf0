"""Functions of single elements and of pairs: arithmetic, comparison, logic, bits, rounding."""

from dataclasses import replace

import numpy as np
import paddle

from tests.matrix.case import Family, boolean, f32, f64, i32, i64

family = Family("elementwise", __file__)

x = f32("x", (2, 6, 5), (3, 6, 9))
y = f32("y", (2, 6, 5), (3, 6, 9))
positive = f32("x", (2, 6, 5), (3, 6, 9), low=0.1, high=6.0)
unit = f32("x", (2, 6, 5), (3, 6, 9), low=-0.95, high=0.95)
whole = i64("x", (2, 6, 5), (3, 6, 9), low=-9, high=9)
other = i64("y", (2, 6, 5), (3, 6, 9), low=1, high=7)
yes, no = boolean("x", (2, 6, 5), (3, 6, 9)), boolean("y", (2, 6, 5), (3, 6, 9))

for name in (
    "abs",
    "neg",
    "square",
    "exp",
    "expm1",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "asinh",
    "atan",
    "erf",
    "sign",
    "sgn",
    "ceil",
    "floor",
    "round",
    "trunc",
    "frac",
    "rad2deg",
    "deg2rad",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "sinc",
):
    family.case(name, getattr(paddle, name), x)
for name in ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal", "digamma", "lgamma"):
    family.case(name, getattr(paddle, name), positive)
for name in ("gammaln",):
    family.case(name, getattr(paddle, name), positive)
for name in ("acos", "asin", "atanh", "erfinv"):
    family.case(name, getattr(paddle, name), unit)
family.case("acosh", paddle.acosh, f32("x", (2, 6, 5), (3, 6, 9), low=1.1, high=20.0))
family.case("logit", paddle.logit, f32("x", (2, 6), (3, 6), low=0.05, high=0.95))
family.case(
    "logit_eps", lambda x: paddle.logit(x, eps=0.2), f32("x", (2, 6), (3, 6), low=0.0, high=1.0)
)
family.case("polygamma", lambda x: paddle.polygamma(x, 1), positive)
family.case(
    "multigammaln", lambda x: paddle.multigammaln(x, 2), f32("x", (4,), (6,), low=2, high=9)
)
family.case("stanh", paddle.stanh, x)
family.case("round_decimals", lambda x: paddle.round(x, 2), x)
family.case("logsumexp_pair", paddle.logaddexp, x, y)
family.case("ldexp", paddle.ldexp, x, i32("y", (2, 6, 5), (3, 6, 9), low=-3, high=4))
family.case("frexp", paddle.frexp, x)

for name in ("add", "subtract", "multiply", "maximum", "minimum", "fmax", "fmin", "atan2"):
    family.case(name, getattr(paddle, name), x, y, static=name == "add")
for name in ("hypot", "copysign", "heaviside", "dist", "nextafter"):
    family.case(name, getattr(paddle, name), x, y)
far = f32("y", (2, 6, 5), (3, 6, 9), low=0.5, high=3.0)
for name in ("divide", "floor_divide", "remainder", "mod", "floor_mod", "fmod"):
    if hasattr(paddle, name):
        family.case(name, getattr(paddle, name), x, far)
family.case("pow", paddle.pow, positive, y)
for exponent, label in ((2, "two"), (0.5, "half"), (-1.5, "negative"), (3, "three")):
    family.case(f"pow_{label}", lambda x, e=exponent: paddle.pow(x, e), positive)
family.case("gammainc", paddle.gammainc, positive, far)
family.case("gammaincc", paddle.gammaincc, positive, far)
family.case("lerp", paddle.lerp, x, y, f32("w", (2, 6, 5), (3, 6, 9), low=0, high=1))
family.case("lerp_scalar", lambda x, y: paddle.lerp(x, y, 0.3), x, y)

# Broadcasting, in either direction.
family.case("broadcast_row", paddle.add, x, f32("y", (5,), (9,)))
family.case("broadcast_middle", paddle.multiply, x, f32("y", (6, 1)))
family.case("broadcast_both", paddle.subtract, f32("x", (4, 1, 3), (5, 1, 3)), f32("y", (2, 1)))
family.case("broadcast_first", paddle.add, f32("x", (3,), (3,)), f32("y", (4, 3), (2, 3)))
family.case("add_scalar", lambda x: (x + 2.5) * 1.0, x)
family.case("rsub_scalar", lambda x: 1.5 - x, x)
family.case("rdiv_scalar", lambda x: 3.0 / x, positive)
family.case("scale_bias_before", lambda x: paddle.scale(x, 2.0, 3.0, bias_after_scale=False), x)
family.case("scale_bias_after", lambda x: paddle.scale(x, 2.0, 3.0).exp(), unit)
family.case("add_n", lambda x, y: paddle.add_n([x, y, x]), x, y)
family.case("clip", lambda x: paddle.clip(x, -0.5, 1.1), x)
family.case("clip_lower", lambda x: paddle.clip(x, min=0.25), x)
family.case("clip_upper", lambda x: paddle.clip(x, max=0.25), x)
family.case("clip_int", lambda x: paddle.clip(x, -3, 4), whole)
family.case(
    "clip_tensor", lambda x, a: paddle.clip(x, a, a + 1.0), x, f32("a", (1,), low=-1, high=0)
)

coarse = f32("x", (2, 6, 5), (3, 6, 9), draw=lambda rng, shape: rng.integers(0, 4, shape))
for name in (
    "equal",
    "not_equal",
    "greater_than",
    "greater_equal",
    "less_than",
    "less_equal",
):
    family.case(f"{name}_int", getattr(paddle, name), whole, other)
    family.case(f"{name}_float", getattr(paddle, name), coarse, replace(coarse, name="y"))
family.case("equal_bool", paddle.equal, yes, no)
family.case("equal_all_not", paddle.equal_all, whole, other)
family.case("equal_all", lambda x: paddle.equal_all(x, x.abs().floor()), coarse)
family.case("allclose", lambda x: paddle.allclose(x, x * 1.0000001), x, weak=True)
family.case("allclose_not", lambda x, y: paddle.allclose(x, y), x, y, weak=True)
family.case("isclose", lambda x, y: paddle.isclose(x, y, rtol=0.1, atol=0.3), x, y)
family.case("isclose_nan", lambda x: paddle.isclose(x.log(), x.log(), equal_nan=True), x, weak=True)
for name in ("logical_and", "logical_or", "logical_xor"):
    family.case(name, getattr(paddle, name), yes, no)
family.case("logical_not", paddle.logical_not, yes)
family.case("logical_and_float", paddle.logical_and, x, y, weak=True)
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    family.case(name, getattr(paddle, name), whole, other)
    family.case(f"{name}_bool", getattr(paddle, name), yes, no)
family.case("bitwise_not", paddle.bitwise_not, whole)
family.case("bitwise_not_bool", paddle.bitwise_not, yes)
shift = i32("y", (2, 6), (3, 6), low=0, high=4)
number = i32("x", (2, 6), (3, 6), low=0, high=90)
family.case("bitwise_left_shift", paddle.bitwise_left_shift, number, shift)
family.case(
    "bitwise_right_shift",
    # A shift below 0 or above the width is undefined.
    lambda x, y: paddle.bitwise_right_shift(x, paddle.clip(y, 0, 31)),
    number,
    shift,
)
for name in ("gcd", "lcm"):
    family.case(
        name,
        getattr(paddle, name),
        i32("x", (6,), low=1, high=60),
        i32("y", (6,), low=1, high=60),
    )

for name in ("add", "subtract", "multiply", "maximum", "minimum", "floor_divide", "remainder"):
    family.case(f"{name}_int64", getattr(paddle, name), whole, other)
family.case("divide_int64", paddle.divide, whole, other)
family.case(
    "floor_divide_negative",
    paddle.floor_divide,
    whole,
    i64("y", (2, 6, 5), (3, 6, 9), low=-7, high=-1),
)
family.case(
    "remainder_negative", paddle.remainder, whole, i64("y", (2, 6, 5), (3, 6, 9), low=-7, high=-1)
)
family.case(
    "remainder_float_negative",
    paddle.remainder,
    x,
    f32("y", (2, 6, 5), (3, 6, 9), low=-3, high=-0.5),
)
family.case("abs_int", paddle.abs, whole)
family.case("sign_int32", paddle.sign, i32("x", (6,), (4,), low=-5, high=5))
family.case("pow_int", lambda x: paddle.pow(x, 3), whole)
family.case("square_float64", paddle.square, f64("x", (2, 6), (3, 6)))
family.case(
    "nan_to_num_values", lambda x: paddle.nan_to_num(paddle.log(x), nan=-7.0, neginf=-9.0), x
)
family.case("inner", paddle.inner, f32("x", (3, 4), (2, 4)), f32("y", (5, 4)))
family.case("outer", paddle.outer, f32("x", (3,), (5,)), f32("y", (4,), (2,)))
family.case("kron", paddle.kron, f32("x", (2, 3)), f32("y", (3, 2)), static=True)
family.case(
    "cross",
    lambda x, y: paddle.cross(x, y, axis=1),
    f32("x", (2, 3, 4), (5, 3, 4)),
    f32("y", (2, 3, 4), (5, 3, 4)),
)
family.case("cross_default", paddle.cross, f32("x", (4, 3), (5, 3)), f32("y", (4, 3), (5, 3)))
family.case("angle_real", paddle.angle, x)
family.case("conj_real", paddle.conj, x)
family.case("cumulative_trapezoid", paddle.cumulative_trapezoid, f32("x", (3, 6)))
family.case("trapezoid", paddle.trapezoid, f32("x", (3, 6)))
family.case("increment", lambda x: paddle.increment(x, 2.0) * 2.0, f32("x", (1,)))
for name in ("signbit", "isneginf", "isposinf"):
    family.case(name, getattr(paddle, name), f32("x", (6,)), weak=name != "signbit")
family.case("positive", lambda x: paddle.positive(x) * 1.5, x)


def odd(rng, shape):
    """Numbers, NaN and both infinities."""
    chosen = rng.integers(0, 6, shape)
    return np.choose(np.minimum(chosen, 3), [np.nan, np.inf, -np.inf, rng.normal(0, 1, shape)])


for name in ("isnan", "isinf", "isfinite", "nan_to_num"):
    family.case(name, getattr(paddle, name), f32("x", (2, 6, 5), (3, 6, 9), draw=odd))
family.case("isreal", paddle.isreal, x, weak=True)
family.case("maximum_nan", paddle.maximum, f32("x", (2, 6, 5), (3, 6, 9), draw=odd), y)
family.case("fmax_nan", paddle.fmax, f32("x", (2, 6, 5), (3, 6, 9), draw=odd), y)
