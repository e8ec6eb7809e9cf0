"""Reading an image between its pixels, by gathering the neighbours and weighting them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from converter.bridge.lowering.graph import Graph, Tensor


def image_extents(
    graph: Graph, x: Tensor, declared: Sequence[int], first: int = 2
) -> list[int | Tensor]:
    """The extents from axis ``first`` on: numbers where declared, else 0-D int64 tensors."""
    return [
        extent if extent > 0 else graph.gather(graph.shape(x), graph.constant(axis, "int64"))
        for axis, extent in enumerate(declared[first:], start=first)
    ]


def as_float(graph: Graph, extent: int | Tensor, dtype: str) -> Tensor:
    """An extent as a 0-D float."""
    if isinstance(extent, int):
        return graph.constant(float(extent), dtype)
    return graph.cast(extent, dtype)


def pixel_rows(graph: Graph, x: Tensor, declared: Sequence[int]) -> Tensor:
    """``x`` [N, C, ...] as rows of channels [N * pixels, C]."""
    rank = len(declared)
    last = graph.transpose(x, [0, *range(2, rank), 1])
    channels = declared[1]
    if channels > 0:
        return graph.reshape(last, [-1, channels])
    return graph.reshape(last, graph.concat([graph.ints(-1), graph.extent(x, 1)], 0), rank=2)


def image_numbers(graph: Graph, x: Tensor, batch: int) -> Tensor | None:
    """[N, 1]: 0, 1, ... along the batch; ``None`` when there is one image only."""
    if batch == 1:
        return None
    if batch > 1:
        return graph.constant([[index] for index in range(batch)], "int64")
    count = graph.gather(graph.shape(x), graph.constant(0, "int64"))
    return graph.unsqueeze(graph.range(0, count), [1])


def sample_linear(
    graph: Graph,
    rows: Tensor,
    places: Sequence[Tensor],
    extents: Sequence[int | Tensor],
    image: Tensor | None,
    *,
    zeros: bool,
) -> Tensor:
    """[N, P, C]: multilinear interpolation of ``rows`` at ``places``, one [N, P] per spatial axis.

    Neighbours outside count as zero with ``zeros``, else as the nearest pixel inside. ``image`` is
    the number of the image [N, 1] (or [N, P]).
    """
    dtype = rows.dtype
    lower = [graph.floor(place) for place in places]
    above = [place - low for place, low in zip(places, lower, strict=True)]
    sides = []
    for low, share, extent in zip(lower, above, extents, strict=True):
        last = as_float(graph, extent, dtype) - 1.0
        both = []
        for where, weight in ((low, 1.0 - share), (low + 1.0, share)):
            inside = graph.minimum(graph.maximum(where, 0.0), last)
            if zeros:
                weight = weight * graph.cast(graph.equal(where, inside), dtype)
            both.append((graph.cast(inside, "int64"), weight))
        sides.append(both)
    total: Tensor | None = None
    for corner in product((0, 1), repeat=len(places)):
        index, weight = sides[0][corner[0]]
        for axis in range(1, len(places)):
            place, part = sides[axis][corner[axis]]
            index = index * extents[axis] + place
            weight = weight * part
        taken = _take(graph, rows, index, extents, image) * graph.unsqueeze(weight, [2])
        total = taken if total is None else total + taken
    assert total is not None
    return total


def sample_nearest(
    graph: Graph,
    rows: Tensor,
    places: Sequence[Tensor],
    extents: Sequence[int | Tensor],
    image: Tensor | None,
    *,
    zeros: bool,
) -> Tensor:
    """[N, P, C]: the pixels nearest to ``places``, halves away from zero; see sample_linear."""
    dtype = rows.dtype
    index: Tensor | None = None
    weight: Tensor | None = None
    for place, extent in zip(places, extents, strict=True):
        rounded = graph.sign(place) * graph.floor(graph.abs(place) + 0.5)
        last = as_float(graph, extent, dtype) - 1.0
        inside = graph.minimum(graph.maximum(rounded, 0.0), last)
        if zeros:
            kept = graph.cast(graph.equal(rounded, inside), dtype)
            weight = kept if weight is None else weight * kept
        number = graph.cast(inside, "int64")
        index = number if index is None else index * extent + number
    assert index is not None
    taken = _take(graph, rows, index, extents, image)
    return taken if weight is None else taken * graph.unsqueeze(weight, [2])


def _take(
    graph: Graph,
    rows: Tensor,
    index: Tensor,
    extents: Sequence[int | Tensor],
    image: Tensor | None,
) -> Tensor:
    if image is not None:
        pixels: int | Tensor = 1
        for extent in extents:
            pixels = extent * pixels
        index = index + image * pixels
    return graph.gather(rows, index, 0)
