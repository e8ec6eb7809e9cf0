"""Every dtype as input, weight and output, and the casts between them."""

from dataclasses import replace

import paddle
from paddle import nn

from tests.matrix.case import Family, boolean, f32, f64, given, i8, i32, i64, u8

family = Family("dtypes", __file__)


def some_zeros(rng, shape):
    return rng.integers(0, 3, shape)


# Not int16: Paddle's predictor neither takes nor returns it.
names = ("float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool")
for source in names:
    low, high = (0, 100) if source.startswith(("u", "i")) else (None, None)
    x = given(source)("x", (3, 4), (2, 5), low=low, high=high)
    for target in names:
        if target != source:
            name = f"cast_{source}_to_{target}"
            drawn = replace(x, draw=some_zeros) if target == "bool" else x
            family.case(name, lambda x, t=target: x.astype(t), drawn, sample=False)
for name in ("float16", "float64", "int8", "int32", "uint8", "int64"):
    low, high = (0, 10) if name.startswith(("u", "i")) else (None, None)
    x = given(name)("x", (3, 4), (2, 4), low=low, high=high)
    y = given(name)("y", (3, 4), (2, 4), low=low, high=high)
    if name != "float16":
        family.case(f"add_{name}", paddle.add, x, y)
    if name != "uint8":
        family.case(f"concat_{name}", lambda x, y: paddle.concat([x, y], 1), x, y)
    family.case(f"reshape_{name}", lambda x: x.reshape([-1, 2]).transpose([1, 0]), x)
    family.case(f"slice_{name}", lambda x: x[:, 1:3], x)
    if name in ("float64", "int32", "int64"):
        family.case(f"where_{name}", paddle.where, boolean("m", (3, 4), (2, 4)), x, y)
family.case(
    "through_bfloat16",
    lambda x: x.astype("bfloat16").astype("float32"),
    f32("x", (3, 4), (2, 5)),
    rtol=1e-6,
)
family.case(
    "bfloat16_arithmetic",
    lambda x: (x.astype("bfloat16") * 2.0).astype("float32"),
    f32("x", (3, 4), (2, 5)),
)
family.case("float_to_int_negative", lambda x: (x * 3.0).astype("int32"), f32("x", (3, 4), (2, 5)))
family.case("int64_large", lambda x: (x * 2 + 1) // 3, i64("x", (4,), (6,), low=2**40, high=2**41))
family.case(
    "uint8_to_float_scaled",
    lambda x: x.astype("float32") / 255.0,
    u8("x", (3, 4), (2, 5), low=0, high=256),
)
family.case(
    "int8_to_float",
    lambda x: x.astype("float32") * 0.5,
    i8("x", (3, 4), (2, 5), low=-100, high=100),
)
family.case(
    "int16_inside", lambda x: (x.astype("int16") * 2).astype("int32"), i32("x", (3, 4), (2, 5))
)
family.case("bool_output", lambda x: x > 0.3, f32("x", (3, 4), (2, 5)))
family.case("bool_arithmetic", lambda x: x.astype("int64").sum(), boolean("x", (3, 4), (2, 5)))
family.case(
    "mixed_outputs",
    lambda x: (x * 2.0, x.argmax(-1), x > 0.0, x.astype("float64")),
    f32("x", (3, 4), (2, 5)),
)
family.case("float64_scalar_math", lambda x: x * 1.1 + 0.3, f64("x", (3, 4), (2, 5)))
family.case(
    "int32_topk", lambda x: paddle.topk(x, 2)[0], i32("x", (3, 8), (2, 8), low=0, high=1000)
)
family.case("int_division", lambda x: x // 3 + x % 3, i64("x", (6,), (4,), low=0, high=50))


class Half(nn.Layer):
    """Weights stored as float16, computed in float32."""

    def __init__(self, dtype: str):
        super().__init__()
        self.weight = self.create_parameter(
            [4, 6], dtype=dtype, default_initializer=nn.initializer.Normal()
        )

    def forward(self, x):
        return paddle.matmul(x, self.weight.astype("float32"))


class WholeDouble(nn.Layer):
    def __init__(self):
        super().__init__()
        self.weight = self.create_parameter(
            [4, 6], dtype="float64", default_initializer=nn.initializer.Normal()
        )

    def forward(self, x):
        return paddle.matmul(x, self.weight)


for name in ("float16", "bfloat16", "float64"):
    family.layer(f"weights_{name}", lambda n=name: Half(n), f32("x", (3, 4), (2, 4)), rtol=1e-3)
family.layer("whole_float64", WholeDouble, f64("x", (3, 4), (2, 4)))
family.layer("integer_buffer", lambda: IntegerBuffer(), i64("x", (3, 4), (2, 4)))


class IntegerBuffer(nn.Layer):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", paddle.arange(20, dtype="int64") * 3)

    def forward(self, x):
        return paddle.gather(self.table, x.flatten()).reshape([-1, 4]) + 1
