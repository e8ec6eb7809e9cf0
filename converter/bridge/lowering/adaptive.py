"""Adaptive pooling: windows that follow from the input's extent and the output size.

Window i of O over an extent L reaches from floor(i * L / O) to ceil((i + 1) * L / O)
(phi/kernels/funcs/pooling.h), so windows have several lengths where O does not divide L.
"""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.graph import Graph, Tensor


def adaptive_pool(
    graph: Graph,
    x: Tensor,
    extents: Sequence[int],
    sizes: Sequence[int | Tensor],
    *,
    maximum: bool,
) -> Tensor:
    """Adaptive pooling of ``x`` (channels first) to ``sizes``, one spatial axis after another."""
    if all(isinstance(size, int) and size == 1 for size in sizes):
        axes = list(range(2, 2 + len(sizes)))
        return graph.reduce("Max" if maximum else "Mean", x, axes, keepdims=True)
    rank = 2 + len(sizes)
    for axis, (extent, size) in enumerate(zip(extents, sizes, strict=True), start=2):
        if isinstance(size, int) and (size == extent or size < 0):
            continue
        if isinstance(size, int) and size == 1:
            x = graph.reduce("Max" if maximum else "Mean", x, [axis], keepdims=True)
        elif maximum:
            x = _max_along(graph, x, axis, extent, size)
        else:
            x = _mean_along(graph, x, axis, rank, extent, size)
    return x


def _mean_along(
    graph: Graph, x: Tensor, axis: int, rank: int, extent: int, size: int | Tensor
) -> Tensor:
    """Multiply by a matrix whose row i is 1 / length inside window i, else 0."""
    length = extent_along(graph, x, axis, extent)
    start, end = _windows(graph, length, size)
    place = graph.range(0, length) if isinstance(length, Tensor) else numbers(graph, length)
    inside = graph.cast(_at_least(graph, place, start) & ~_at_least(graph, place, end), x.dtype)
    weights = inside / graph.cast(end - start, x.dtype)
    if axis == rank - 2:
        return weights @ x
    weights = graph.transpose(weights, [1, 0])
    if axis == rank - 1:
        return x @ weights
    order = [other for other in range(rank) if other != axis] + [axis]
    back = [order.index(other) for other in range(rank)]
    return graph.transpose(graph.transpose(x, order) @ weights, back)


def _at_least(graph: Graph, x: Tensor, y: Tensor) -> Tensor:
    """x >= y of integers, which ONNX compares from opset 9 on."""
    graph.since(9, "adaptive pooling of windows of several sizes")
    return ~(x < y)


def _max_along(graph: Graph, x: Tensor, axis: int, extent: int, size: int | Tensor) -> Tensor:
    """Gather every window, its last element repeated up to the longest window, and reduce."""
    length = extent_along(graph, x, axis, extent)
    start, end = _windows(graph, length, size)
    if isinstance(length, int) and isinstance(size, int):
        longest = max(-(-(i + 1) * length // size) - i * length // size for i in range(size))
        within = numbers(graph, longest)
    else:
        within = graph.range(0, graph.reduce("Max", end - start))
    places = graph.minimum(start + within, end - 1)
    return graph.reduce("Max", graph.gather(x, places, axis), [axis + 1])


def extent_along(graph: Graph, x: Tensor, axis: int, extent: int) -> int | Tensor:
    """The extent if it is declared, else as a 0-D int64 tensor."""
    if extent >= 0:
        return extent
    return graph.gather(graph.shape(x), graph.constant(axis, "int64"))


def numbers(graph: Graph, stop: int) -> Tensor:
    """0, 1, ... ``stop`` - 1."""
    return graph.ints(*range(stop))


def _windows(graph: Graph, length: int | Tensor, size: int | Tensor) -> tuple[Tensor, Tensor]:
    """Starts and ends of the windows as columns [size, 1]."""
    if isinstance(length, int) and isinstance(size, int):
        start = [[i * length // size] for i in range(size)]
        end = [[-(-(i + 1) * length // size)] for i in range(size)]
        return graph.constant(start, "int64"), graph.constant(end, "int64")
    index = graph.range(0, size) if isinstance(size, Tensor) else numbers(graph, size)
    column = graph.unsqueeze(index, [1])
    begin = column * length
    return begin / size, (begin + length + size - 1) / size
