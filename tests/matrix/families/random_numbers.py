"""Random operators: only shape, dtype and range of what they give can be compared."""

import paddle
from paddle.nn import functional as F

from tests.matrix.case import Family, f32

family = Family("random_numbers", __file__)

x = f32("x", (3, 4), (2, 5))
unit = f32("x", (3, 4), (2, 5), low=0.1, high=0.9)
whole = (float("-inf"), float("inf"))

for name, function, source, interval in (
    ("bernoulli", paddle.bernoulli, unit, (0, 1)),
    ("rand_of_shape", lambda x: x * 0.0 + paddle.rand(paddle.shape(x)), x, (0, 1)),
    ("rand_static", lambda x: x.sum() * 0.0 + paddle.rand([3, 4]), x, (0, 1)),
    ("uniform", lambda x: x.sum() * 0.0 + paddle.uniform([2, 3], min=-2.0, max=3.0), x, (-2, 3)),
    (
        "uniform_of_shape",
        lambda x: x * 0.0 + paddle.uniform(paddle.shape(x), min=-2.0, max=3.0),
        x,
        (-2, 3),
    ),
    ("randn_of_shape", lambda x: x * 0.0 + paddle.randn(paddle.shape(x)), x, whole),
    ("randn_static", lambda x: x.sum() * 0.0 + paddle.randn([3, 4]), x, whole),
    ("normal", lambda x: x.sum() * 0.0 + paddle.normal(5.0, 0.5, [3, 4]), x, (0, 10)),
    ("normal_tensor_mean", lambda x: paddle.normal(x, 0.5), x, whole),
    ("standard_normal", lambda x: x.sum() * 0.0 + paddle.standard_normal([3, 4]), x, whole),
    (
        "randint",
        lambda x: (x.sum() * 0.0).astype("int64") + paddle.randint(2, 9, [3, 4]),
        x,
        (2, 8),
    ),
    ("randint_like", lambda x: paddle.randint_like(x, 2, 9), x, (2, 8)),
    ("randperm", lambda x: (x.sum() * 0.0).astype("int64") + paddle.randperm(6), x, (0, 5)),
    ("multinomial", lambda x: paddle.multinomial(x, 2), unit, (0, 4)),
    ("multinomial_replacement", lambda x: paddle.multinomial(x, 7, replacement=True), unit, (0, 4)),
    ("poisson", paddle.poisson, unit, (0, 50)),
    ("gumbel_softmax", lambda x: F.gumbel_softmax(x), x, (0, 1)),
    ("gumbel_softmax_hard", lambda x: F.gumbel_softmax(x, hard=True), x, (0, 1)),
    ("exponential", lambda x: paddle.Tensor.exponential_(x * 1.0, 1.0), x, (0, 100)),
    ("noise_added", lambda x: x + paddle.randn(paddle.shape(x)) * 1e-3, x, whole),
):
    family.case(name, function, source, random=True, interval=interval, weak=True)
