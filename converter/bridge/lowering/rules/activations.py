"""Activation functions that paddle2onnx lacks, or has from a later opset only.

Formulas are those of Paddle's documentation of ``paddle.nn.functional`` unless said otherwise.
"""

from __future__ import annotations

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
