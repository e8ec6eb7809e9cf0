"""``x[slices] = value``."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.rules.diagonals import places
from converter.bridge.lowering.rules.scattering import Rows


def _other_form(op: Operation, opset: int) -> bool:
    if opset < 17:
        return True
    steps = op.constant(len(op.operands) - 1)
    return (
        len(op.attr("axes", [])) != 1
        or bool(op.attr("decrease_axes", []) or op.attr("none_axes", []))
        or steps is None
        or steps.reshape(-1).tolist() != [1]
    )


_WHY = "paddle2onnx asks for opset 17 and gets some slices wrong"


@lowering("set_value", "set_value_", when=_other_form, why=_WHY)
def set_value(op: Operation, graph: Graph) -> Tensor:
    """The values are attributes."""
    import numpy as np

    shape = [int(extent) for extent in op.attr("shape", [])]
    values = np.array(op.attr("values"), op[0].dtype)
    if values.size == 1:
        return _assign(op, graph, graph.constant(values.reshape(-1)[0], op[0].dtype), 1)
    return _assign(op, graph, graph.constant(values.reshape(shape), op[0].dtype), 1)


@lowering("set_value_with_tensor", "set_value_with_tensor_", when=_other_form, why=_WHY)
def set_value_with_tensor(op: Operation, graph: Graph) -> Tensor:
    """The values are an operand."""
    return _assign(op, graph, graph.cast(op[1], op[0].dtype), 2)


def _assign(op: Operation, graph: Graph, value: Tensor, first: int) -> Tensor:
    """Write ``value`` to all places that the slices of ``first`` and later operands name."""
    graph.since(11, "ScatterND")
    axes = [op.axis(int(axis)) for axis in op.attr("axes", [])]
    if not axes:
        return graph.expand(value, graph.shape(op[0]), rank=op.rank())
    bounds = [_bounds(op, graph, first + index) for index in range(3)]
    extents = op.extents()
    coordinates = []
    depth = max(axes) + 1
    for axis in range(depth):
        numbers = places(graph, extents[axis])
        if axis in axes:
            at = axes.index(axis)
            start, end, step = (graph.slice(bound, [at], [at + 1], [0]) for bound in bounds)
            inputs = (numbers, start, end, graph.ints(0), step)
            numbers = graph.emit_all("Slice", inputs, ["int64"], [1])[0]
        coordinates.append(
            graph.unsqueeze(numbers, [other for other in range(depth) if other != axis])
        )
    rows = Rows(graph, op[0], coordinates)
    return rows.back(rows.write(rows.flat(_aligned(op, graph, value))))


def _bounds(op: Operation, graph: Graph, index: int) -> Tensor:
    if op.constant(index) is None and op.program.list_items(op.operands[index]) is not None:
        items = [graph.reshape(graph.cast(item, "int64"), [1]) for item in op.tensors(index)]
        return graph.join(*items)
    return graph.cast(op[index], "int64")


def _aligned(op: Operation, graph: Graph, value: Tensor) -> Tensor:
    """``value`` with the axes that an index number dropped, and without those None made."""
    dropped = sorted(op.axis(int(axis)) for axis in op.attr("decrease_axes", []))
    made = [int(axis) for axis in op.attr("none_axes", [])]
    if value.rank is None:
        raise CannotLower("the number of its values' axes is not known")
    if value.rank == 0:
        return value
    target = op.rank() - len(dropped) + len(made)
    rank = value.rank
    if rank < target:
        value = graph.unsqueeze(value, list(range(target - rank)))
    elif rank > target:
        value = graph.squeeze(value, list(range(rank - target)))
    return graph.unsqueeze(graph.squeeze(value, made), dropped)
