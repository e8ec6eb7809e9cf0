"""Comparisons and logic."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


def _not_bool(op: Operation, opset: int) -> bool:
    return op.type(0).dtype != "bool"


@lowering(
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    when=_not_bool,
    why="paddle2onnx leaves numbers as operands, which ONNX takes bools for",
)
def logical(op: Operation, graph: Graph) -> Tensor:
    """On what is not zero."""
    kind = op.name.rpartition("_")[2].capitalize()
    truths = [graph.cast(op[index], "bool") for index in range(len(op.operands))]
    return graph.emit(kind, *truths)


def _early_floats(op: Operation, opset: int) -> bool:
    return opset < 12


@lowering(
    "greater_equal",
    "less_equal",
    when=_early_floats,
    why="paddle2onnx makes it the opposite of the reverse before opset 12, wrong for NaN",
)
def ordered(op: Operation, graph: Graph) -> Tensor:
    """Ordered comparison, false for NaN."""
    x, y = op[0], op[1]
    if not x.is_float and x.dtype not in ("int32", "int64"):
        x, y = graph.cast(x, "int32"), graph.cast(y, "int32")
    if graph.opset < 9 and not x.is_float:
        x, y = graph.cast(x, "float64"), graph.cast(y, "float64")
    return x >= y if op.name.endswith("greater_equal") else x <= y


@lowering("isclose")
def isclose(op: Operation, graph: Graph) -> Tensor:
    """|x - y| <= atol + rtol * |y|, or equal, or both NaN where that counts."""
    return _close(op, graph)


@lowering("allclose")
def allclose(op: Operation, graph: Graph) -> Tensor:
    """Whether ``isclose`` holds everywhere."""
    return graph.all_true(_close(op, graph))


def _close(op: Operation, graph: Graph) -> Tensor:
    x, y = op[0], op[1]
    if not x.is_float:
        x, y = graph.cast(x, "float64"), graph.cast(y, "float64")
    # The tolerances are operands (0-D, float64) or attributes.
    tolerances = []
    for index, name in ((2, "rtol"), (3, "atol")):
        if op.has(index):
            tolerances.append(graph.cast(graph.scalar(op[index]), x.dtype))
        else:
            tolerances.append(graph.constant(float(op.attr(name)), x.dtype))
    relative, absolute = tolerances
    near = graph.abs(x - y) <= absolute + relative * graph.abs(y)
    near = near | graph.equal(x, y)
    if op.attr("equal_nan", False):
        near = near | (graph.is_nan(x) & graph.is_nan(y))
    return near


@lowering("equal_all")
def equal_all(op: Operation, graph: Graph) -> Tensor:
    """Whether all elements are equal. Shapes that are known to differ make it false."""
    x, y = op[0], op[1]
    pairs = zip(op.type(0).shape, op.type(1).shape, strict=False)
    if op.rank(0) != op.rank(1) or any(a != b and min(a, b) >= 0 for a, b in pairs):
        return graph.constant(False, "bool")
    if x.dtype == "bool":
        x, y = graph.cast(x, "int32"), graph.cast(y, "int32")
    return graph.all_true(graph.equal(x, y))
