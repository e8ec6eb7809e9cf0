"""Gamma, Bessel and inverse error functions, computed in float64.

The relative error of each formula is below 1e-7 on the domain that its docstring gives, so what
is left is the rounding to float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

#: Bernoulli numbers B2, B4, ...
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Horner's scheme, the highest power's coefficient first."""
    graph = x.graph
    result: Tensor | float = float(coefficients[0])
    for coefficient in coefficients[1:]:
        result = result * x + float(coefficient)
    return graph.like(result, x)


def _wide(op: Operation, graph: Graph) -> Tensor:
    return graph.cast(op[0], "float64")


def _sine_of_pi(graph: Graph, x: Tensor) -> tuple[Tensor, Tensor]:
    """|sin(pi * x)| and cot(pi * x); exact zeros at the integers."""
    part = (x - graph.floor(x)) * math.pi
    sine, cosine = graph.emit("Sin", part), graph.emit("Cos", part)
    return sine, cosine / sine


@lowering("lgamma", "gammaln")
def lgamma(op: Operation, graph: Graph) -> Tensor:
    """Stirling's series (DLMF 5.11.1) at 8 and above, reached by the recurrence; every real x."""
    graph.since(9, "Where")
    x = _wide(op, graph)
    reflected = x < 0.5
    positive = graph.where(reflected, 1.0 - x, x)
    # log of x (x + 1) ... (x + 7): only where x is below 8, elsewhere it could overflow
    small = positive < 8.0
    base = graph.where(small, positive, 1.0)
    product = base
    for step in range(1, 8):
        product = product * (base + float(step))
    z = graph.where(small, positive + 8.0, positive)
    inverse = 1.0 / z
    terms = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1)][::-1]
    series = _polynomial(inverse * inverse, terms) * inverse
    # Written as one product: at infinity z * log(z) - z would be NaN.
    main = (z - 0.5) * (graph.log(z) - 1.0) + (0.5 * math.log(2 * math.pi) - 0.5)
    value = main + series - graph.where(small, graph.log(product), 0.0)
    sine, _ = _sine_of_pi(graph, x)
    mirrored = graph.log(math.pi / sine) - value
    return graph.where(reflected, mirrored, value)


@lowering("digamma")
def digamma(op: Operation, graph: Graph) -> Tensor:
    """The asymptotic series (DLMF 5.11.2) at 8 and above, reached by the recurrence."""
    graph.since(9, "Where")
    x = _wide(op, graph)
    return _digamma(graph, x)


def _digamma(graph: Graph, x: Tensor) -> Tensor:
    reflected = x < 0.5
    positive = graph.where(reflected, 1.0 - x, x)
    z = positive + 8.0
    inverse = 1.0 / z
    terms = [-b / (2 * k) for k, b in enumerate(_BERNOULLI, 1)][::-1]
    square = inverse * inverse
    value = graph.log(z) - 0.5 * inverse + _polynomial(square, terms) * square
    for step in range(8):
        value = value - 1.0 / (positive + float(step))
    _, cotangent = _sine_of_pi(graph, x)
    return graph.where(reflected, value - math.pi * cotangent, value)


@lowering("polygamma")
def polygamma(op: Operation, graph: Graph) -> Tensor:
    """Euler-Maclaurin (DLMF 5.15.8) at 12 and above, the recurrence, and reflection (5.15.6)."""
    graph.since(9, "Where")
    x, order = _wide(op, graph), int(op.attr("n"))
    if order == 0:
        return _digamma(graph, x)
    if order > 8:
        raise CannotLower(f"order {order} of polygamma is above 8")
    sign = -1.0 if order % 2 == 0 else 1.0
    reflected = x < 0.5
    positive = graph.where(reflected, 1.0 - x, x)
    z = positive + 12.0
    value = math.factorial(order - 1) * z ** float(-order)
    value = value + math.factorial(order) / 2 * z ** float(-order - 1)
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        factor = bernoulli * math.factorial(2 * k + order - 1) / math.factorial(2 * k)
        value = value + factor * z ** float(-2 * k - order)
    for step in range(12):
        value = value + math.factorial(order) * (positive + float(step)) ** float(-order - 1)
    value = value * sign
    # pi times the order-th derivative of cot(pi x), a polynomial in c = cot(pi x)
    derivative = [0.0, 1.0]
    for _ in range(order):
        slope = [index * c for index, c in enumerate(derivative)][1:]
        derivative = [
            -math.pi * (_at(slope, power) + _at(slope, power - 2))
            for power in range(len(slope) + 2)
        ]
    _, cotangent = _sine_of_pi(graph, x)
    turned = math.pi * _polynomial(cotangent, derivative[::-1])
    mirrored = (value if order % 2 == 0 else -value) - turned
    return graph.where(reflected, mirrored, value)


def _at(values: Sequence[float], index: int) -> float:
    return values[index] if 0 <= index < len(values) else 0.0


@lowering("i0", "i0e", "i1", "i1e")
def bessel(op: Operation, graph: Graph) -> Tensor:
    """Power series (DLMF 10.25.2) up to 12, above it the asymptotic one (10.40.1)."""
    graph.since(9, "Where")
    order, scaled = int(op.name.removesuffix("e")[-1]), op.name.endswith("e")
    x = _wide(op, graph)
    size = graph.abs(x)
    near = graph.minimum(size, 12.0) if graph.opset >= 13 else graph.where(size < 12.0, size, 12.0)
    quarter = near * near * 0.25
    terms = [1 / (math.factorial(k) * math.factorial(k + order)) for k in range(26)][::-1]
    series = _polynomial(quarter, terms)
    if order:
        series = series * near * 0.5
    far = graph.where(size < 12.0, 12.0, size)
    expansion, coefficient = [1.0], 1.0
    for k in range(1, 16):
        coefficient *= -(4 * order * order - (2 * k - 1) ** 2) / (8 * k)
        expansion.append(coefficient)
    tail = _polynomial(1.0 / far, expansion[::-1]) / graph.sqrt(far * (2 * math.pi))
    if scaled:
        series = series * graph.exp(-near)
    else:
        tail = tail * graph.exp(far)
    value = graph.where(size < 12.0, series, tail)
    return value * graph.sign(x) if order else value


@lowering("erfinv")
def erfinv(op: Operation, graph: Graph) -> Tensor:
    """Giles, "Approximating the erfinv function" (2010), single precision; infinite at +-1."""
    if op.result_type().dtype == "float64":
        raise CannotLower("its formula is not right to float64 accuracy")
    graph.since(9, "Where")
    x = _wide(op, graph)
    w = -graph.log((1.0 - x) * (1.0 + x))
    centre = [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087]
    centre += (-0.00125372503, -0.00417768164, 0.246640727, 1.50140941)
    tail = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773]
    tail += (-0.0076224613, 0.00943887047, 1.00167406, 2.83297682)
    near = _polynomial(w - 2.5, centre)
    far = _polynomial(graph.sqrt(w) - 3.0, tail)
    value = graph.where(w < 5.0, near, far) * x
    return graph.where(graph.equal(graph.abs(x), 1.0), x * math.inf, value)
