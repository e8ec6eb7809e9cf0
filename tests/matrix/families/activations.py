"""Every activation of ``paddle.nn.functional``, and its parameters."""

import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, f32

family = Family("activations", __file__)

x = f32("x", (2, 6, 5), (3, 6, 9))
image = f32("x", (2, 4, 6, 5), (1, 4, 3, 7))

for name in (
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "silu",
    "swish",
    "mish",
    "softsign",
    "tanhshrink",
    "log_sigmoid",
    "selu",
    "elu",
    "celu",
    "gelu",
    "hardtanh",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "leaky_relu",
    "softplus",
    "softshrink",
    "thresholded_relu",
    "softmax",
    "log_softmax",
):
    family.case(name, getattr(F, name), x)

family.case("elu_alpha", lambda x: F.elu(x, 0.3), x)
family.case("celu_alpha", lambda x: F.celu(x, 0.4), x)
family.case("selu_parameters", lambda x: F.selu(x, 1.2, 1.4), x)
family.case("gelu_tanh", lambda x: F.gelu(x, approximate=True), x)
family.case("hardtanh_range", lambda x: F.hardtanh(x, -0.4, 0.7), x)
family.case("hardshrink_threshold", lambda x: F.hardshrink(x, 1.1), x)
family.case("hardsigmoid_slope", lambda x: F.hardsigmoid(x, 0.2, 0.4), x)
family.case("leaky_relu_slope", lambda x: F.leaky_relu(x, 0.1), x)
family.case("softplus_beta", lambda x: F.softplus(x, beta=2.5), x)
family.case("softplus_threshold", lambda x: F.softplus(x, beta=0.5, threshold=1.0), x)
family.case("softshrink_threshold", lambda x: F.softshrink(x, 0.2), x)
family.case("thresholded_relu_parameters", lambda x: F.thresholded_relu(x, 0.3, -1.0), x)
family.case("softmax_axis", lambda x: F.softmax(x, axis=1), x)
family.case("softmax_first_axis", lambda x: F.softmax(x, axis=0), x)
family.case("log_softmax_axis", lambda x: F.log_softmax(x, axis=1), x)
family.case("maxout", lambda x: F.maxout(x, groups=2, axis=1), image)
family.case(
    "maxout_last_axis",
    lambda x: F.maxout(x, groups=3, axis=-1),
    f32("x", (2, 4, 3, 6), (3, 5, 2, 6)),
)
family.case("glu", lambda x: F.glu(x, axis=1), image)
family.case("swiglu_halves", lambda x: (lambda a, b: F.silu(a) * b)(*x.chunk(2, axis=1)), image)
family.case("stanh", lambda x: paddle.stanh(x, 0.7, 1.6), x)
family.case("rrelu_eval", lambda x: F.rrelu(x, 0.1, 0.4, training=False), x)
family.layer("prelu_one", lambda: nn.PReLU(1, 0.2), image)
family.layer("prelu_channels", lambda: nn.PReLU(4, 0.3), image)
