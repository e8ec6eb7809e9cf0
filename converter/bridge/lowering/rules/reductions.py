"""Reductions: those paddle2onnx lacks, those that make a 0-D result, and early opsets."""

from __future__ import annotations

import math

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.model.pir_document import operation_name

#: What ONNX Runtime has no reductions for, and what they are done in.
_WIDER = {"bool": "int32", "uint8": "int32", "int8": "int32", "int16": "int32"}


def axes_of(op: Operation) -> list[int] | None:
    """The axes reduced, not negative; ``None`` for all of them."""
    if op.attr("reduce_all", False):
        return None
    given = op.attr("axis")
    if given is None and op.has(1):
        given = op.known(1, "axis").reshape(-1).tolist()
    if given is None:
        return None
    axes = [op.axis(int(axis)) for axis in (given if isinstance(given, list) else [given])]
    return sorted(set(axes)) if axes and len(set(axes)) < op.rank() else None


def keeps_axes(op: Operation) -> bool:
    """Whether reduced axes stay with extent 1."""
    return bool(op.attr("keepdim", op.attr("keep_dim", False)))


def _reduce(graph: Graph, kind: str, x: Tensor, axes: list[int] | None, keep: bool) -> Tensor:
    if x.rank == 0:
        return graph.emit("Identity", x)
    return graph.reduce(kind, x, axes, keep)


def _given_by_other_operator(op: Operation) -> bool:
    if not op.has(1):
        return False
    producer = op.program.producers.get(op.operands[1])
    return producer is None or operation_name(producer) != "pd_op.full_int_array"


def _mishandled(op: Operation, opset: int) -> bool:
    return (
        not op.result_type().shape
        or op.type(0).dtype in _WIDER
        or (op.type(0).dtype == "float64" and opset < 13)
        or _given_by_other_operator(op)
        or axes_of(op) is None
    )


_MISHANDLED = "paddle2onnx aborts on this form, makes its 0-D result [1] or asks for opset 13"


@lowering("sum", when=lambda op, opset: opset < 13 or _mishandled(op, opset), why=_MISHANDLED)
def reduce_sum(op: Operation, graph: Graph) -> Tensor:
    """The sum, in the dtype of the result."""
    dtype = op.result_type().dtype
    x = graph.cast(op[0], _WIDER.get(dtype, dtype))
    return _reduce(graph, "Sum", x, axes_of(op), keeps_axes(op))


@lowering("mean", when=_mishandled, why=_MISHANDLED)
def reduce_mean(op: Operation, graph: Graph) -> Tensor:
    """The mean, in the dtype of the result."""
    x = graph.cast(op[0], op.result_type().dtype)
    return _reduce(graph, "Mean", x, axes_of(op), keeps_axes(op))


@lowering("mean_all")
def mean_all(op: Operation, graph: Graph) -> Tensor:
    """The mean of all elements, 0-D."""
    return _reduce(graph, "Mean", op[0], None, False)


@lowering("amax", "amin")
def amax(op: Operation, graph: Graph) -> Tensor:
    """The maximum or minimum; it differs from max and min in its gradient only."""
    return _extreme(op, graph)


@lowering("max", "min", when=_mishandled, why=_MISHANDLED)
def reduce_max(op: Operation, graph: Graph) -> Tensor:
    """The maximum or minimum."""
    return _extreme(op, graph)


def _extreme(op: Operation, graph: Graph) -> Tensor:
    kind = "Max" if op.name.endswith("max") else "Min"
    x = graph.cast(op[0], _WIDER.get(op[0].dtype, op[0].dtype))
    return _reduce(graph, kind, x, axes_of(op), keeps_axes(op))


@lowering("prod", when=_mishandled, why=_MISHANDLED)
def prod(op: Operation, graph: Graph) -> Tensor:
    """The product, in the dtype of the result."""
    dtype = op.result_type().dtype
    x = graph.cast(op[0], _WIDER.get(dtype, dtype))
    return _reduce(graph, "Prod", x, axes_of(op), keeps_axes(op))


@lowering("logsumexp", when=_mishandled, why=_MISHANDLED)
def logsumexp(op: Operation, graph: Graph) -> Tensor:
    """log(sum(exp(x)))."""
    return _reduce(graph, "LogSumExp", op[0], axes_of(op), keeps_axes(op))


def _mishandled_bools(op: Operation, opset: int) -> bool:
    return not op.result_type().shape or op.type(0).dtype != "bool" or axes_of(op) is None


@lowering("all", "any", when=_mishandled_bools, why=_MISHANDLED)
def reduce_bools(op: Operation, graph: Graph) -> Tensor:
    """Whether all or any elements are true (not zero)."""
    kind = "Min" if op.name.endswith("all") else "Max"
    x = graph.cast(graph.cast(op[0], "bool"), "int32")
    return graph.cast(_reduce(graph, kind, x, axes_of(op), keeps_axes(op)), "bool")


@lowering("reduce_as")
def reduce_as(op: Operation, graph: Graph) -> Tensor:
    """The sum over the axes along which the target is 1 or missing."""
    shape, target = op.type(0).shape, op.type(1).shape
    missing = len(shape) - len(target)
    axes = list(range(missing))
    for axis, (extent, wanted) in enumerate(zip(shape[missing:], target, strict=True), missing):
        if wanted < 0 or (wanted == 1 and extent < 0):
            raise CannotLower("whether an axis is reduced depends on the input's shape")
        if wanted == 1 and extent != 1:
            axes.append(axis)
    result = graph.sum(op[0], axes, keepdims=True)
    return graph.squeeze(result, list(range(missing)))


def p_norm_of(graph: Graph, x: Tensor, p: float, axes: list[int] | None, keep: bool) -> Tensor:
    """(sum |x| ** p) ** (1 / p); the extremes for +-inf, the number of non-zeros for 0."""
    size = graph.abs(x)
    if math.isinf(p):
        return _reduce(graph, "Max" if p > 0 else "Min", size, axes, keep)
    if p == 0:
        return _reduce(graph, "Sum", graph.cast(size > 0.0, x.dtype), axes, keep)
    if p in (1, 2):
        return graph.reduce(f"L{int(p)}", x, axes, keep) if x.rank else size
    return _reduce(graph, "Sum", size**p, axes, keep) ** (1 / p)


def _other_norm(op: Operation, opset: int) -> bool:
    p = float(op.attr("porder", 2.0))
    return p == 0 or math.isinf(p) or bool(op.attr("asvector", False)) or op.rank() < 2


@lowering("p_norm", when=_other_norm, why="paddle2onnx gets these orders and 0-D results wrong")
def p_norm(op: Operation, graph: Graph) -> Tensor:
    """The p-norm along one axis or of all elements."""
    axes = None if op.attr("asvector", False) else axes_of(op)
    return p_norm_of(graph, op[0], float(op.attr("porder", 2.0)), axes, keeps_axes(op))


@lowering("frobenius_norm")
def frobenius_norm(op: Operation, graph: Graph) -> Tensor:
    """The square root of the sum of the squares."""
    return p_norm_of(graph, op[0], 2.0, axes_of(op), keeps_axes(op))


@lowering("l1_norm")
def l1_norm(op: Operation, graph: Graph) -> Tensor:
    """The sum of the magnitudes."""
    return p_norm_of(graph, op[0], 1.0, None, False)


@lowering("dist", when=lambda op, opset: True, why="paddle2onnx makes its 0-D result [1]")
def dist(op: Operation, graph: Graph) -> Tensor:
    """The p-norm of x - y."""
    return p_norm_of(graph, op[0] - op[1], float(op.attr("p", 2.0)), None, False)
