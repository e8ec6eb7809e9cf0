"""Dtypes that paddle2onnx or ONNX Runtime lacks for an operator; done in a wider one.

ONNX Runtime has arithmetic and comparisons of 8 and 16 bit integers in part, and several functions
for float32 alone.
"""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

_NARROW = ("uint8", "int8", "int16")


def _narrow(op: Operation, opset: int) -> bool:
    return op.type(0).dtype in _NARROW


@lowering(
    "add", "subtract", "multiply", when=_narrow, why="ONNX Runtime lacks it for 8 and 16 bits"
)
def arithmetic(op: Operation, graph: Graph) -> Tensor:
    """In int32; the cast back wraps around like Paddle's arithmetic."""
    kind = {"add": "Add", "subtract": "Sub", "multiply": "Mul"}[op.name.removeprefix("pd_op.")]
    x, y = graph.cast(op[0], "int32"), graph.cast(op[1], "int32")
    return graph.cast(graph.emit(kind, x, y), op.result_type().dtype)


def _double(op: Operation, opset: int) -> bool:
    return op.type(0).dtype == "float64"


@lowering("tan", when=_double, why="ONNX Runtime has no Tan of float64")
def tan(op: Operation, graph: Graph) -> Tensor:
    """sin / cos."""
    return graph.emit("Sin", op[0]) / graph.emit("Cos", op[0])


@lowering("elu", when=_double, why="ONNX Runtime has no Elu of float64")
def elu(op: Operation, graph: Graph) -> Tensor:
    """x above 0, else alpha * (exp(x) - 1)."""
    x, alpha = op[0], float(op.attr("alpha", 1.0))
    negative = alpha * (graph.exp(graph.minimum(x, 0.0)) - 1.0)
    return graph.where(x > 0.0, x, negative)


def _turned_vector(op: Operation, opset: int) -> bool:
    turned = (op.attr("transpose_x", False), op.attr("transpose_y", False))
    return any(turned[index] and op.rank(index) == 1 for index in (0, 1))


@lowering("matmul", when=_turned_vector, why="paddle2onnx writes beyond the axes of a vector")
@lowering("matmul", when=_double, why="paddle2onnx casts one operand to float32")
def matmul(op: Operation, graph: Graph) -> Tensor:
    """The product, operands transposed if the attributes say so; vectors never are."""
    operands = []
    for index, name in ((0, "transpose_x"), (1, "transpose_y")):
        value, rank = op[index], op.rank(index)
        if op.attr(name, False) and rank > 1:
            value = graph.transpose(value, [*range(rank - 2), rank - 1, rank - 2])
        operands.append(value)
    return operands[0] @ operands[1]
