"""``scale``, which Paddle writes for ``x + 1`` and ``x * 2``, in two forms that go wrong."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


def _is_scalar_or_integer(op: Operation, opset: int) -> bool:
    """paddle2onnx multiplies by a tensor of shape [1], and integers as float32."""
    return op.rank(0) == 0 or "int" in op.type(0).dtype


@lowering(
    "scale",
    when=_is_scalar_or_integer,
    why="paddle2onnx makes a 0-D operand 1-D, and computes integers in float32, exact up to 2^24",
)
def scale(op: Operation, graph: Graph) -> Tensor:
    """scale * x + bias, or scale * (x + bias), in x's own dtype as Paddle's kernel does."""
    x = op[0]
    if x.dtype in ("int8", "uint8", "int16"):  # ONNX Runtime does not multiply these
        x = graph.cast(x, "int32")
    factor = op.constant(1)
    bias = graph.constant(op.attr("bias", 0.0), x.dtype)
    if factor is not None:
        by = graph.constant(factor.reshape(-1)[0].item(), x.dtype)
    else:
        by = graph.cast(op[1] if op.rank(1) == 0 else graph.reshape(op[1], ()), x.dtype)
    if op.attr("bias_after_scale", True):
        return x * by + bias
    return (x + bias) * by
