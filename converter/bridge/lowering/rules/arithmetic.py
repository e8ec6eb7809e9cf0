"""Arithmetic element by element, and products of tensors that are one Paddle operator."""

from __future__ import annotations

import math

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("abs", when=lambda op, opset: opset < 13, why="paddle2onnx asks for opset 13")
def absolute(op: Operation, graph: Graph) -> Tensor:
    """ONNX has Abs for every number since opset 6."""
    return graph.abs(op[0])


def _integers(op: Operation, opset: int) -> bool:
    return op.type(0).dtype in ("int32", "int64")


@lowering(
    "floor_divide", when=_integers, why="paddle2onnx divides float32 numbers, exact below 2^24 only"
)
def floor_divide(op: Operation, graph: Graph) -> Tensor:
    """(x - x mod y) / y, whose remainder has y's sign: ONNX's Div alone rounds towards 0.

    Before opset 10, which has no Mod: one less than Div gives where the signs of its remainder and
    of y differ.
    """
    x, y = op[0], op[1]
    if graph.opset >= 10:
        return (x - graph.emit("Mod", x, y)) / y
    quotient = x / y
    signs = graph.cast(x - quotient * y, "float32") * graph.cast(y, "float32")
    return quotient - graph.cast(signs < 0.0, x.dtype)


@lowering("trunc")
def trunc(op: Operation, graph: Graph) -> Tensor:
    """sign(x) * floor(|x|); before opset 9, which has no Sign, both halves by themselves."""
    x = op[0]
    if not x.is_float:
        return graph.emit("Identity", x)
    if graph.opset >= 9:
        return graph.sign(x) * graph.floor(graph.abs(x))
    return graph.floor(graph.emit("Relu", x)) - graph.floor(graph.emit("Relu", -x))


@lowering("expm1")
def expm1(op: Operation, graph: Graph) -> Tensor:
    """tanh(x / 2) * (exp(x) + 1), which equals exp(x) - 1 and does not cancel near 0."""
    x = op[0]
    return graph.emit("Tanh", x * 0.5) * (graph.exp(x) + 1.0)


@lowering("lerp")
def lerp(op: Operation, graph: Graph) -> Tensor:
    """x + weight * (y - x)."""
    x = op[0]
    return x + op[2] * (op[1] - x)


@lowering("addmm", "baddbmm")
def addmm(op: Operation, graph: Graph) -> Tensor:
    """beta * input + alpha * (x @ y)."""
    product = op[1] @ op[2]
    alpha, beta = float(op.attr("alpha", 1.0)), float(op.attr("beta", 1.0))
    scaled = product if alpha == 1.0 else product * alpha
    added = op[0] if beta == 1.0 else op[0] * beta
    return added + scaled


@lowering("bilinear")
def bilinear(op: Operation, graph: Graph) -> Tensor:
    """out[b, k] = sum over i, j of x[b, i] * weight[k, i, j] * y[b, j], plus a bias."""
    outputs, first, second = op.type(2).shape
    weight = graph.transpose(op[2], [1, 0, 2])
    weight = graph.reshape(weight, [first, outputs * second])
    left = graph.reshape(op[0] @ weight, [-1, outputs, second])
    result = graph.sum(left * graph.unsqueeze(op[1], [1]), [2])
    return result + op[3] if op.has(3) else result


@lowering("heaviside")
def heaviside(op: Operation, graph: Graph) -> Tensor:
    """0 below 0, y at 0, 1 above."""
    x, y = op[0], op[1]
    step = graph.cast(x > 0.0, x.dtype)
    return graph.where(graph.equal(x, 0.0), y, step)


@lowering("copysign")
def copysign(op: Operation, graph: Graph) -> Tensor:
    """The magnitude of x with the sign of y, that of -0.0 too."""
    magnitude = graph.abs(op[0])
    return graph.where(graph.is_negative(op[1]), -magnitude, magnitude)


@lowering("fmax", "fmin")
def fmax(op: Operation, graph: Graph) -> Tensor:
    """The larger (smaller) one; the other one where one is NaN."""
    x, y = op[0], op[1]
    choose = graph.maximum if op.name.endswith("fmax") else graph.minimum
    if not x.is_float:
        return choose(x, y)
    other = graph.where(graph.is_nan(y), x, choose(x, y))
    return graph.where(graph.is_nan(x), y, other)


def _integers_early(op: Operation, opset: int) -> bool:
    return opset < 12 and op.type(0).dtype.startswith(("int", "uint"))


@lowering("maximum", "minimum", when=_integers_early, why="ONNX has it for integers from 12 on")
def maximum(op: Operation, graph: Graph) -> Tensor:
    """The larger (smaller) of two integers through a comparison."""
    choose = graph.maximum if op.name.endswith("maximum") else graph.minimum
    return choose(op[0], op[1])


@lowering("elementwise_pow", when=_integers_early, why="ONNX has it for integers from 12 on")
def integer_power(op: Operation, graph: Graph) -> Tensor:
    """Through float64, exact up to 2 ** 53."""
    base, exponent = graph.cast(op[0], "float64"), graph.cast(op[1], "float64")
    return graph.cast(base**exponent, op.result_type().dtype)


@lowering("atan2", when=lambda op, opset: True, why="paddle2onnx gets y = 0 and x < 0 wrong")
def atan2(op: Operation, graph: Graph) -> Tensor:
    """atan(y / x), moved by pi where x is negative (by its sign bit, as IEEE 754 has it)."""
    dtype = op.result_type().dtype
    y, x = graph.cast(op[0], dtype), graph.cast(op[1], dtype)
    return angle_of(graph, y, x)


def angle_of(graph: Graph, y: Tensor, x: Tensor) -> Tensor:
    """The angle of the point (x, y) in (-pi, pi]."""
    same = graph.equal(graph.abs(y), graph.abs(x))  # 0 / 0 and inf / inf, too
    ratio = graph.where(same, graph.sign(y) * graph.sign(x), y / x)
    turn = graph.where(graph.is_negative(y), graph.constant(-math.pi, x.dtype), math.pi)
    return graph.emit("Atan", ratio) + graph.where(graph.is_negative(x), turn, 0.0)


def _has_decimals(op: Operation, opset: int) -> bool:
    return int(op.attr("decimals", 0)) != 0


@lowering("round", when=_has_decimals, why="paddle2onnx ignores decimals")
def round_decimals(op: Operation, graph: Graph) -> Tensor:
    """round(x * 10 ** decimals) / 10 ** decimals."""
    graph.since(11, "Round")
    power = 10.0 ** int(op.attr("decimals"))
    return graph.emit("Round", op[0] * power) / power


@lowering("renorm")
def renorm(op: Operation, graph: Graph) -> Tensor:
    """Slices along ``axis`` whose p-norm is above ``max_norm`` are scaled down to it."""
    x, p = op[0], float(op.attr("p"))
    axis, limit = op.axis(int(op.attr("axis"))), float(op.attr("max_norm"))
    others = [other for other in range(op.rank()) if other != axis]
    norm = graph.sum(graph.abs(x) ** p, others, keepdims=True) ** (1 / p)
    scale = graph.where(norm > limit, limit / (norm + 1e-7), 1.0)
    return x * scale


@lowering("label_smooth")
def label_smooth(op: Operation, graph: Graph) -> Tensor:
    """(1 - epsilon) * label + epsilon * prior, the prior uniform unless given."""
    label, epsilon = op[0], float(op.attr("epsilon"))
    kept = label * (1.0 - epsilon)
    if op.has(1):
        return kept + op[1] * epsilon
    classes = op.extents()[-1]
    if isinstance(classes, Tensor):
        return kept + epsilon / graph.cast(classes, label.dtype)
    return kept + epsilon / classes


@lowering("squared_l2_norm")
def squared_l2_norm(op: Operation, graph: Graph) -> Tensor:
    """The sum of the squares, of shape [1]."""
    x = op[0]
    return graph.reshape(graph.sum(x * x), list(op.result_type().shape))
