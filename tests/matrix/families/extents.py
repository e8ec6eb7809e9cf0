"""0-D and empty tensors, dims that are dynamic on every axis, and odd signatures."""

import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, boolean, f32, i64

family = Family("extents", __file__)

scalar, number = f32("x", ()), i64("n", (), low=1, high=6)

# 0-D
for name, function in {
    "relu": F.relu,
    "add_scalar": lambda x: (x + 1.5) * 2.0,
    "exp": paddle.exp,
    "reshape_up": lambda x: x.reshape([1, 1]),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "sum": lambda x: paddle.sum(x) * 2.0,
    "max": lambda x: paddle.max(x) * 2.0,
    "cast": lambda x: (x * 4.0).astype("int64"),
    "stack": lambda x: paddle.stack([x, x * 2.0]),
    "compare": lambda x: x > 0.0,
    "expand": lambda x: x.expand([2, 3]),
    "softmax": lambda x: F.softmax(x.reshape([1, 1]), -1).reshape([]) * x,
    "tile": lambda x: paddle.tile(x, [3]),
    "full_like": lambda x: paddle.full_like(x, 3.0) * x,
    "sqrt_abs": lambda x: paddle.sqrt(paddle.abs(x)),
}.items():
    family.case(f"zero_d_{name}", function, scalar)
vector = f32("x", (6,), (11,))
for name, function in {
    "sum": paddle.sum,
    "mean": paddle.mean,
    "max": paddle.max,
    "min": paddle.min,
    "prod": paddle.prod,
    "argmax": paddle.argmax,
    "norm": paddle.norm,
    "logsumexp": paddle.logsumexp,
    "index": lambda x: x[2],
    "squeeze": lambda x: paddle.sum(x, keepdim=True).squeeze(),
    "reshape": lambda x: paddle.sum(x, keepdim=True).reshape([]),
    "dot": lambda x: paddle.dot(x, x),
    "numel": paddle.numel,
    "any": lambda x: paddle.any(x > 0),
    "median": lambda x: paddle.median(x),
    "std": paddle.std,
    "times_vector": lambda x: paddle.sum(x) * x,
    "gather_scalar": lambda x: paddle.gather(x, paddle.to_tensor(1)),
    "topk_first": lambda x: paddle.topk(x, 1)[0].squeeze(),
}.items():
    family.case(
        f"to_zero_d_{name}",
        function,
        vector,
        static=name in ("sum", "mean", "argmax", "index"),
        weak=name == "any",
    )
family.case("zero_d_and_vector", lambda x, y: x * y, scalar, f32("y", (5,), (7,)))
family.case("zero_d_index", lambda y, n: y[n], f32("y", (9, 3)), number)
family.case(
    "zero_d_full", lambda x, n: paddle.full([3], 2.0) * n.astype("float32") + x, scalar, number
)

# Empty in the second run.
empty = f32("x", (3, 4), (0, 4))
for name, function in {
    "relu": F.relu,
    "add": lambda x: (x + 1.0) * 2.0,
    "sum_rows": lambda x: x.sum(0),
    "sum_columns": lambda x: x.sum(1),
    "matmul": lambda x: paddle.matmul(x, paddle.ones([4, 2])),
    "concat": lambda x: paddle.concat([x, paddle.ones([2, 4])], 0),
    "reshape": lambda x: x.reshape([-1, 2, 2]),
    "transpose": lambda x: x.transpose([1, 0]),
    "softmax": lambda x: F.softmax(x, -1),
    "slice": lambda x: x[:2],
    "gather": lambda x: paddle.gather(
        paddle.concat([x, paddle.ones([2, 4])], 0), paddle.to_tensor([0, 1])
    ),
    "nonzero": lambda x: paddle.nonzero(x > 0.0),
    "mask": lambda x: x[x[:, 0] > 0.0],
    "cast": lambda x: (x * 3.0).astype("int64"),
    "shape": paddle.shape,
}.items():
    family.case(f"empty_{name}", function, empty)
family.case(
    "nothing_found", lambda x: paddle.nonzero(x > 100.0), f32("x", (3, 4), (2, 4)), weak=True
)
family.case(
    "nothing_selected",
    lambda x: paddle.masked_select(x, x > 100.0),
    f32("x", (3, 4), (2, 4)),
    weak=True,
)

# Each axis dynamic alone, and all of them.
shape = (2, 3, 6, 8)
for axis in (*range(4), None):
    other = tuple(extent + 2 if axis in (at, None) else extent for at, extent in enumerate(shape))
    label = "all" if axis is None else axis
    x = f32("x", shape, other)
    for name, function in {
        "reshape": lambda x: x.flatten(1),
        "mean": lambda x: x.mean([2, 3]),
        "transpose": lambda x: x.transpose([0, 2, 3, 1]) * 2.0,
        "softmax": lambda x: F.softmax(x, 1),
        "pool": lambda x: F.max_pool2d(x, 2),
        "resize": lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
        "pad": lambda x: F.pad(x, [1, 1, 1, 1]),
        "stack": lambda x: paddle.stack([x, x * 2.0], 1),
        "split": lambda x: [x[:, :1], x[:, 1:]],
        "cumsum": lambda x: x.cumsum(1),
        "shape_math": lambda x: x.reshape([paddle.shape(x)[0], -1, paddle.shape(x)[3]]),
        "expand": lambda x: x[:1].expand([4, -1, -1, -1]),
        "flatten_all": lambda x: x.flatten() * 2.0,
        "argmax": lambda x: x.argmax(1),
    }.items():
        family.case(f"dynamic_{label}_{name}", function, x)


class Convolution(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3, padding=1)

    def forward(self, x):
        return F.relu(self.conv(x))


for axis in (0, 2, 3):
    other = tuple(extent + 3 if axis == at else extent for at, extent in enumerate(shape))
    family.layer(f"dynamic_{axis}_conv", Convolution, f32("x", shape, other))

# Signatures.
family.case("no_input", lambda: paddle.arange(6).reshape([2, 3]).astype("float32") * 1.5)
family.case("no_input_constant", lambda: paddle.ones([2, 3]) * 3.0, weak=True)
family.case("same_twice", lambda x: (lambda y: (y, y))(x * 2.0), f32("x", (2, 3), (4, 3)))
family.case(
    "used_shape_only",
    lambda x, y: x * paddle.shape(y)[0].astype("float32"),
    f32("x", (2, 3), (4, 3)),
    f32("y", (2,), (3,)),
)
family.case(
    "constant_output",
    lambda x: (x * 2.0, paddle.full([2], 3.0)),
    f32("x", (2, 3), (4, 3)),
    weak=True,
)
family.case("dictionary_output", lambda x: {"b": x * 2.0, "a": x.sum(1)}, f32("x", (2, 3), (4, 3)))
family.case("nested_output", lambda x: [x * 2.0, (x.sum(1), x.mean(0))], f32("x", (2, 3), (4, 3)))
family.case(
    "many_inputs", lambda a, b, c, d: a * b + c - d, *[f32(n, (2, 3), (4, 3)) for n in "abcd"]
)
family.case("names_with_points", lambda x: x * 2.0, f32("images.x:0", (2, 3), (4, 3)))
family.case("chinese_name", lambda x: x * 2.0, f32("图像", (2, 3), (4, 3)))
family.case(
    "boolean_input",
    lambda m, x: paddle.where(m, x, -x),
    boolean("m", (2, 3), (4, 3)),
    f32("x", (2, 3), (4, 3)),
)
family.case(
    "rank_6",
    lambda x: x.transpose([5, 0, 1, 2, 3, 4]) * 2.0,
    f32("x", (1, 2, 1, 3, 2, 2), (2, 2, 1, 3, 1, 2)),
)
