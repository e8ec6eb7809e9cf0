"""Diagonals and triangles, written as comparisons of row and column numbers."""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


def places(graph: Graph, extent: Tensor | int) -> Tensor:
    """0, 1, ... below ``extent``, 1-D int64."""
    if isinstance(extent, int):
        return graph.constant(list(range(extent)), "int64")
    return graph.range(0, graph.scalar(extent))


def _last(op: Operation, first: int, second: int) -> list[int]:
    """An order of the axes in which these two come last."""
    axes = [op.axis(first), op.axis(second)]
    return [axis for axis in range(op.rank()) if axis not in axes] + axes


def _offsets(graph: Graph, rows: Tensor | int, columns: Tensor | int) -> Tensor:
    """Column number minus row number, [rows, columns]."""
    return graph.unsqueeze(places(graph, columns), [0]) - graph.unsqueeze(places(graph, rows), [1])


@lowering("diagonal")
def diagonal(op: Operation, graph: Graph) -> Tensor:
    """The diagonal of the planes of two axes, on a new last axis."""
    offset = int(op.attr("offset", 0))
    order = _last(op, int(op.attr("axis1", 0)), int(op.attr("axis2", 1)))
    return _diagonal(op, graph, order, offset)


def _diagonal(op: Operation, graph: Graph, order: Sequence[int], offset: int) -> Tensor:
    graph.since(11, "GatherND")
    extents = op.extents()
    rows, columns = extents[order[-2]], extents[order[-1]]
    # The two axes become one; the diagonal is every (columns + 1)-th element of it.
    x = graph.transpose(op[0], order)
    rank = op.rank()
    flat = graph.reshape(x, graph.join(*(extents[axis] for axis in order[:-2]), -1), rank=rank - 1)
    if isinstance(rows, int) and isinstance(columns, int):
        start, skip = max(offset, 0), max(-offset, 0)
        length = max(min(rows - skip, columns - start), 0)
        steps = [start + skip * columns + place * (columns + 1) for place in range(length)]
        return graph.gather(flat, graph.constant(steps, "int64"), axis=rank - 2)
    row, column = (
        graph.constant(extent, "int64") if isinstance(extent, int) else graph.scalar(extent)
        for extent in (rows, columns)
    )
    right, down = max(offset, 0), max(-offset, 0)
    high, wide = row - down, column - right
    shorter = graph.where(high < wide, high, wide)
    shorter = graph.where(shorter > 0, shorter, graph.constant(0, "int64"))
    numbers = graph.range(0, shorter) * (column + 1) + (column * down + right)
    return graph.gather(flat, numbers, axis=rank - 2)


@lowering("trace")
def trace(op: Operation, graph: Graph) -> Tensor:
    """The sum of the diagonal."""
    order = _last(op, int(op.attr("axis1", 0)), int(op.attr("axis2", 1)))
    return graph.sum(_diagonal(op, graph, order, int(op.attr("offset", 0))), [op.rank() - 2])


@lowering("diag")
def diag(op: Operation, graph: Graph) -> Tensor:
    """The diagonal of a matrix, or a matrix with this diagonal and padding elsewhere."""
    offset = int(op.attr("offset", 0))
    if op.rank() == 2:
        return _diagonal(op, graph, [0, 1], offset)
    return _embedded(op, graph, offset, float(op.attr("padding_value", 0.0)))


def _embedded(op: Operation, graph: Graph, offset: int, padding: float) -> Tensor:
    """The last axis on the diagonal of a square of two."""
    graph.since(9, "Where")
    x, rank = op[0], op.rank()
    extent = op.extents()[-1]
    size = extent + abs(offset)
    # The values beside each other in every row (or column), kept on the diagonal alone.
    values = graph.unsqueeze(x, [rank])
    number = places(graph, extent)
    square = places(graph, size)
    row = graph.unsqueeze(number + max(-offset, 0), [1])
    column = graph.unsqueeze(number + max(offset, 0), [1])
    here = graph.cast(graph.equal(graph.unsqueeze(square, [0]), column), x.dtype)
    there = graph.cast(
        graph.equal(graph.unsqueeze(square, [1]), graph.transpose(row, [1, 0])), x.dtype
    )
    if x.is_float:
        matrix = there @ (values * here)
    else:
        wide = graph.cast(there, "float64") @ graph.cast(values * here, "float64")
        matrix = graph.cast(wide, x.dtype)
    if padding == 0.0:
        return matrix
    on = graph.equal(_offsets(graph, size, size), offset)
    return graph.where(on, matrix, graph.constant(padding, x.dtype))


@lowering("diag_embed")
def diag_embed(op: Operation, graph: Graph) -> Tensor:
    """The last axis on a diagonal of two new axes."""
    rank = op.rank() + 1
    matrix = _embedded(op, graph, int(op.attr("offset", 0)), 0.0)
    first, second = (int(op.attr(name)) % rank for name in ("dim1", "dim2"))
    rest = [axis for axis in range(rank) if axis not in (first, second)]
    order = [*rest, first, second]
    return graph.transpose(matrix, [order.index(axis) for axis in range(rank)])


def _early(op: Operation, opset: int) -> bool:
    return opset < 14


@lowering("tril", "triu", when=_early, why="paddle2onnx asks for opset 14")
def triangle(op: Operation, graph: Graph) -> Tensor:
    """x below (above) a diagonal, 0 elsewhere."""
    graph.since(9, "Where")
    rows, columns = op.extents()[-2:]
    offset, shift = _offsets(graph, rows, columns), int(op.attr("diagonal", 0))
    outside = offset > shift if op.name.endswith("tril") else offset < shift
    x = op[0]
    if x.dtype == "bool":
        return x & ~outside
    return graph.where(outside, graph.constant(0, x.dtype), x)


@lowering("tril_indices", "triu_indices")
def triangle_indices(op: Operation, graph: Graph) -> Tensor:
    """Row and column numbers of a triangle, [2, n]."""
    import numpy as np

    names = ("rows", "cols") if op.name.endswith("tril_indices") else ("row", "col")
    rows, columns = (int(op.attr(name)) for name in names)
    make = np.tril_indices if op.name.endswith("tril_indices") else np.triu_indices
    pairs = np.stack(make(rows, int(op.attr("offset", 0)), columns))
    return graph.constant(pairs, op.result_type().dtype)


@lowering("fill_diagonal")
def fill_diagonal(op: Operation, graph: Graph) -> Tensor:
    """A number on the diagonal; in tall matrices again after each square if ``wrap``."""
    graph.since(9, "Where")
    if op.rank() != 2:
        raise CannotLower("it has more than two axes")
    rows, columns = op.extents()
    offset = int(op.attr("offset", 0))
    on = graph.equal(_offsets(graph, rows, columns), offset)
    if op.attr("wrap", False):
        if isinstance(rows, Tensor) or isinstance(columns, Tensor):
            raise CannotLower("wrap needs known extents")
        import numpy as np

        mask = np.zeros((rows, columns), bool)
        mask.reshape(-1)[max(offset, 0) :: columns + 1] = True
        on = graph.constant(mask, "bool")
    return graph.where(on, graph.constant(op.attr("value", 0.0), op[0].dtype), op[0])


@lowering("fill_diagonal_tensor")
def fill_diagonal_tensor(op: Operation, graph: Graph) -> Tensor:
    """The values of y on the diagonal of the planes of two axes."""
    graph.since(9, "Where")
    order = _last(op, int(op.attr("dim1", 0)), int(op.attr("dim2", 1)))
    extents, offset = op.extents(), int(op.attr("offset", 0))
    rows, columns = extents[order[-2]], extents[order[-1]]
    length = op.extents(1)[-1]
    on = graph.equal(_offsets(graph, rows, columns), offset)
    # Each row takes its own value: number of the row, counted from where the diagonal begins.
    number = places(graph, rows) - max(-offset, 0)
    last = length - 1 if isinstance(length, int) else graph.scalar(length) - 1
    number = graph.where(number < 0, graph.constant(0, "int64"), number)
    capped = graph.like(last, number)
    number = graph.where(number > capped, capped, number)
    y = op[1]
    if op.rank(1) > op.rank() - 1:  # a single diagonal may have an axis of 1 in front
        y = graph.reshape(y, [-1])
    taken = graph.gather(y, number, axis=(y.rank or 1) - 1)
    values = graph.unsqueeze(taken, [op.rank() - 1])
    filled = graph.where(on, values, graph.transpose(op[0], order))
    return graph.transpose(filled, [order.index(axis) for axis in range(op.rank())])
