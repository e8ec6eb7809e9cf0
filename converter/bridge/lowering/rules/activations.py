"""Activation functions that paddle2onnx lacks, or has from a later opset only.

Formulas are those of Paddle's documentation of ``paddle.nn.functional`` unless said otherwise.
"""

from __future__ import annotations

import math

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("celu")
def celu(op: Operation, graph: Graph) -> Tensor:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)); ONNX's Celu is float32 from 12 on."""
    alpha = float(op.attr("alpha", 1.0))
    x = op[0]
    negative = alpha * (graph.exp(graph.minimum(x, 0.0) / alpha) - 1.0)
    return graph.maximum(x, 0.0) + negative


@lowering("stanh")
def stanh(op: Operation, graph: Graph) -> Tensor:
    """b * tanh(a * x)."""
    inner = op[0] * float(op.attr("scale_a"))
    return graph.emit("Tanh", inner) * float(op.attr("scale_b"))


@lowering("logit")
def logit(op: Operation, graph: Graph) -> Tensor:
    """log(x / (1 - x)), x limited to [eps, 1 - eps]; without eps NaN outside [0, 1]."""
    x = op[0]
    eps = float(op.attr("eps", 0.0))
    if eps > 0:
        x = graph.clip(x, eps, 1.0 - eps)
    return graph.log(x / (1.0 - x))


def _softplus_form(op: Operation, opset: int) -> bool:
    other = float(op.attr("beta", 1.0)) != 1.0 or float(op.attr("threshold", 20.0)) != 20.0
    return other or op.type(0).dtype == "float64"


@lowering("softplus", when=_softplus_form, why="paddle2onnx aborts on it, or has no float64")
def softplus(op: Operation, graph: Graph) -> Tensor:
    """log(1 + exp(beta * x)) / beta, and x where beta * x is above the threshold."""
    x = op[0]
    beta, threshold = float(op.attr("beta", 1.0)), float(op.attr("threshold", 20.0))
    scaled = x * beta
    smooth = softplus_of(graph, scaled) / beta
    if threshold >= 20.0 and x.dtype != "float64":  # float32 cannot tell the two apart there
        return smooth
    return graph.where(scaled > threshold, x, smooth)


@lowering("logsigmoid", when=lambda op, opset: True, why="paddle2onnx gives -inf below -88")
def log_sigmoid(op: Operation, graph: Graph) -> Tensor:
    """-softplus(-x), which neither over- nor underflows."""
    return -softplus_of(graph, -op[0])


def softplus_of(graph: Graph, x: Tensor) -> Tensor:
    """log(1 + exp(x)); ONNX Runtime has no Softplus of float64."""
    if x.dtype != "float64":
        return graph.emit("Softplus", x)
    return graph.maximum(x, 0.0) + graph.log(1.0 + graph.exp(-graph.abs(x)))


@lowering("swiglu")
def swiglu(op: Operation, graph: Graph) -> Tensor:
    """silu(x) * y; without y, x holds both halves along its last axis."""
    x = op[0]
    if op.has(1):
        y = op[1]
    else:
        half = op.type(0).shape[-1] // 2
        x, y = graph.split(x, [half, half], axis=op.rank() - 1)
    return x * graph.emit("Sigmoid", x) * y


@lowering("maxout")
def maxout(op: Operation, graph: Graph) -> Tensor:
    """The maximum of each run of ``groups`` neighbours along ``axis``."""
    groups, axis = int(op.attr("groups")), op.axis(int(op.attr("axis", 1)))
    extents = op.extents()
    extent = extents[axis]
    count = -1 if isinstance(extent, Tensor) else extent // groups
    shape = graph.join(*extents[:axis], count, groups, *extents[axis + 1 :])
    grouped = graph.reshape(op[0], shape, rank=op.rank() + 1)
    return graph.reduce("Max", grouped, [axis + 1])


def _in_training(op: Operation, opset: int) -> bool:
    return not op.attr("is_test", False)


@lowering("rrelu", when=_in_training)
def rrelu_in_training(op: Operation, graph: Graph) -> tuple[Tensor, None]:
    """A slope drawn from [lower, upper) for each negative element."""
    x = op[0]
    slope = graph.emit(
        "RandomUniformLike", x, low=float(op.attr("lower")), high=float(op.attr("upper"))
    )
    return graph.where(x >= 0.0, x, x * slope), None


@lowering("rrelu")
def rrelu(op: Operation, graph: Graph) -> tuple[Tensor, None]:
    """In evaluation a leaky ReLU of slope (lower + upper) / 2."""
    slope = (float(op.attr("lower")) + float(op.attr("upper"))) / 2
    return graph.emit("LeakyRelu", op[0], alpha=slope), None


def _other_range(op: Operation, opset: int) -> bool:
    return (op.attr("t_min", -1.0), op.attr("t_max", 1.0)) != (-1.0, 1.0)


@lowering("hardtanh", when=_other_range, why="paddle2onnx ignores min and max")
def hardtanh(op: Operation, graph: Graph) -> Tensor:
    """x limited to [min, max]."""
    return graph.clip(op[0], float(op.attr("t_min", -1.0)), float(op.attr("t_max", 1.0)))


def _has_value(op: Operation, opset: int) -> bool:
    return float(op.attr("value", 0.0)) != 0.0


@lowering("thresholded_relu", when=_has_value, why="paddle2onnx ignores the value")
def thresholded_relu(op: Operation, graph: Graph) -> Tensor:
    """x above the threshold, else the value."""
    x = op[0]
    return graph.where(x > float(op.attr("threshold", 1.0)), x, float(op.attr("value", 0.0)))


def _approximate(op: Operation, opset: int) -> bool:
    return bool(op.attr("approximate", False))


@lowering("gelu", when=_approximate, why="paddle2onnx ignores approximate")
def gelu_tanh(op: Operation, graph: Graph) -> Tensor:
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))."""
    x = op[0]
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
    return 0.5 * x * (1.0 + graph.emit("Tanh", inner))


def _channels_last(op: Operation, opset: int) -> bool:
    return bool(op.attr("data_format") == "NHWC" and op.attr("mode") == "channel")


@lowering("prelu", when=_channels_last, why="paddle2onnx takes the channels for axis 1")
def prelu_nhwc(op: Operation, graph: Graph) -> Tensor:
    """A slope for each channel, which is the last axis."""
    return graph.emit("PRelu", op[0], op[1])


@lowering("gumbel_softmax")
def gumbel_softmax(op: Operation, graph: Graph) -> Tensor:
    """softmax((x + g) / temperature) with g = -log(-log(u)); one-hot of its maximum if hard."""
    x, axis, rank = op[0], op.axis(int(op.attr("axis", -1))), op.rank()
    uniform = graph.emit("RandomUniformLike", x, low=1e-7, high=1.0)
    noise = -graph.log(-graph.log(uniform))
    logits = (x + noise) / float(op.attr("temperature", 1.0))
    soft = softmax_of(graph, logits, axis)
    if not op.attr("hard", False):
        return soft
    graph.since(11, "OneHot with a negative axis")
    best = graph.emit("ArgMax", soft, axis=axis, keepdims=0, dtype="int64", rank=rank - 1)
    depth = graph.extent(x, axis)
    inputs = (best, depth, graph.constant([0, 1], x.dtype))
    return graph.emit_all("OneHot", inputs, [x.dtype], [rank], axis=axis)[0]


def softmax_of(graph: Graph, x: Tensor, axis: int) -> Tensor:
    """Softmax along one axis; ONNX's own before 13 flattens the axes after it."""
    if graph.opset >= 13 or (x.rank is not None and axis == x.rank - 1):
        return graph.emit("Softmax", x, axis=axis)
    shifted = graph.exp(x - graph.reduce("Max", x, [axis], keepdims=True))
    return shifted / graph.sum(shifted, [axis], keepdims=True)
