"""Assignments to slices: ``x[:, i, ::2] = y``.

paddle2onnx writes them as ScatterND in a form that needs opset 17. Here each position along a
sliced axis is told whether the slice has it and which element of ``y`` it gets; ``Where`` puts both
together. That holds for constant and computed bounds, and for a ``y`` that is broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower, NeedsOpset
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

_SINCE = 17
_WHY = "paddle2onnx writes assignments to slices in opset 17"


def _too_early(op: Operation, opset: int) -> bool:
    return opset < _SINCE


@lowering("set_value_with_tensor", "set_value_with_tensor_", when=_too_early, why=_WHY)
def set_value_with_tensor(op: Operation, graph: Graph) -> Tensor:
    """``x`` with a slice replaced by a tensor."""
    extents = op.type(1).shape
    return _assign(op, graph, graph.cast(op[1], op[0].dtype), extents, bounds=2)


@lowering("set_value", "set_value_", when=_too_early, why=_WHY)
def set_value(op: Operation, graph: Graph) -> Tensor:
    """``x`` with a slice replaced by constants."""
    import numpy as np

    shape = tuple(op.attr("shape", ()))
    values = np.array(op.attr("values")).astype(op.type(0).dtype).reshape(shape)
    return _assign(op, graph, graph.constant(values), shape, bounds=1)


def _assign(
    op: Operation, graph: Graph, value: Tensor, extents: Sequence[int], bounds: int
) -> Tensor:
    """Replace the slice; operands from ``bounds`` on are its starts, ends and steps.

    ``extents`` are those of ``value``, -1 where it is dynamic.
    """
    value, known = _aligned(op, graph, value, extents)
    mask: Tensor | None = None
    for place, axis in enumerate(op.attr("axes", ())):
        inside, element = _positions(op, graph, axis, place, bounds)
        if known[axis] != 1:
            last = graph.extent(value, axis) - 1
            value = graph.gather(value, graph.minimum(element, last), axis=axis)
        inside = graph.reshape(inside, [-1 if at == axis else 1 for at in range(op.rank())])
        mask = inside if mask is None else mask & inside
    if mask is None:
        return graph.expand(value, graph.shape(op[0]), op.rank())
    if value.dtype == "bool":  # ONNX Runtime has no Where of booleans
        return (mask & value) | (~mask & op[0])
    return graph.where(mask, value, op[0])


def _aligned(
    op: Operation, graph: Graph, value: Tensor, extents: Sequence[int]
) -> tuple[Tensor, list[int]]:
    """Give ``value`` one axis per axis of ``x``; also return their extents, -1 if dynamic.

    Its axes are those of the slice from the right: axes indexed by a number (``decrease_axes``) are
    missing, new ones (``none_axes``, counted in axes of ``x``) are there.
    """
    rank = op.rank()
    dropped, added = set(op.attr("decrease_axes", ())), sorted(op.attr("none_axes", ()))
    places: list[int | None] = []  # the axis of x that each axis of the slice is, None if new
    for axis in range(rank + 1):
        places += [None] * sum(new == axis or (axis == rank and new > rank) for new in added)
        if axis < rank and axis not in dropped:
            places.append(axis)
    known = list(extents)
    if len(known) > len(places):
        excess = len(known) - len(places)
        if any(extent != 1 for extent in known[:excess]):
            raise CannotLower("the assigned tensor has more axes than the slice")
        value, known = graph.squeeze(value, list(range(excess))), known[excess:]
    places = places[len(places) - len(known) :]
    new = [at for at, place in enumerate(places) if place is None]
    if any(known[at] not in (1, -1) for at in new):  # -1 must be 1: Squeeze checks it
        raise CannotLower("the assigned tensor does not have extent 1 on a new axis of the slice")
    if new:
        value = graph.squeeze(value, new)
    present = [place for place in places if place is not None]
    missing = [axis for axis in range(rank) if axis not in present]
    if missing:
        value = graph.unsqueeze(value, missing)
    extent_of = {place: known[at] for at, place in enumerate(places) if place is not None}
    return value, [extent_of.get(axis, 1) for axis in range(rank)]


def _positions(
    op: Operation, graph: Graph, axis: int, place: int, bounds: int
) -> tuple[Tensor, Tensor]:
    """For each position along ``axis``: whether the slice has it, and as which element (or 0)."""
    import numpy as np

    steps = op.known(bounds + 2, "step")
    step = int(steps[place])
    if step < 0:
        raise NeedsOpset(_SINCE, "assigning to a slice with a negative step")
    starts, ends = op.constant(bounds), op.constant(bounds + 1)
    extent = op.type(0).shape[axis]
    if extent >= 0 and starts is not None and ends is not None:
        first, last, _ = slice(int(starts[place]), int(ends[place])).indices(extent)
        offset = np.arange(extent) - first
        inside = (offset >= 0) & (np.arange(extent) < last) & (offset % step == 0)
        element = np.where(inside, offset // step, 0)
        return graph.constant(inside), graph.constant(element, "int64")
    length = graph.squeeze(graph.extent(op[0], axis), [0])
    everywhere = graph.range(0, length)
    low = _bound(graph, op[bounds], place, length)
    high = _bound(graph, op[bounds + 1], place, length)
    distance = everywhere - low
    within = (everywhere < high) & ~(distance < 0)
    if step > 1:
        remainder = distance - distance / step * step
        within = within & graph.equal(remainder, 0)
        distance = distance / step
    return within, graph.where(within, distance, 0)


def _bound(graph: Graph, bounds: Tensor, place: int, length: Tensor) -> Tensor:
    """A computed start or end as a 0-D int64 that counts from the front."""
    chosen = graph.gather(graph.cast(bounds, "int64"), graph.constant(place, "int64"))
    return graph.where(chosen < 0, chosen + length, chosen)
