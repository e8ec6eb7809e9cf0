"""Inverse hyperbolic functions: ONNX has them since opset 9, paddle2onnx does not map them."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("acosh")
def acosh(op: Operation, graph: Graph) -> Tensor:
    """Acosh; before opset 9 log(x + sqrt(x * x - 1)), DLMF 4.37.19, NaN below 1 as in Paddle."""
    x = op[0]
    if graph.opset >= 9:
        return graph.emit("Acosh", x)
    return graph.log(x + graph.sqrt(x * x - 1.0))


@lowering("asinh")
def asinh(op: Operation, graph: Graph) -> Tensor:
    """Asinh from opset 9 on; no stable form before (the logarithm cancels for negative x)."""
    graph.since(9, "Asinh")
    return graph.emit("Asinh", op[0])


@lowering("atanh")
def atanh(op: Operation, graph: Graph) -> Tensor:
    """Atanh; before opset 9 log((1 + x) / (1 - x)) / 2, DLMF 4.37.24."""
    x = op[0]
    if graph.opset >= 9:
        return graph.emit("Atanh", x)
    return graph.log((x + 1.0) / (1.0 - x)) * 0.5
