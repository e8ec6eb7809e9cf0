"""Linear algebra of small matrices of known size, elimination written out column by column."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

#: Elimination takes some 15 nodes per column.
LARGEST = 32


def _size(op: Operation, index: int = 0) -> int:
    size = op.type(index).shape[-1]
    if size < 0:
        raise CannotLower("the size of its matrices is not known")
    if size > LARGEST:
        raise CannotLower(f"its matrices have more than {LARGEST} rows")
    return size


def _eliminated(graph: Graph, x: Tensor, size: int) -> tuple[Tensor, list[Tensor]]:
    """Gauss-Jordan with row pivoting on the first ``size`` columns of x, [.., size, m].

    Gives what is left of the other columns (the solution), and the pivots with the sign of their
    exchange, [.., 1, 1] each.
    """
    graph.since(11, "Range and negative axes")
    pivots = []
    numbers = graph.constant([[row] for row in range(size)], "int64")
    for column in range(size):
        values = graph.slice(x, [column], [column + 1], [-1])
        left = graph.constant([[float(row >= column)] for row in range(size)], x.dtype)
        # -1 for rows that are done: even a zero column's pivot is then one of the others.
        score = graph.abs(values) * left + (left - 1.0)
        best = graph.emit("ArgMax", score, axis=-2, keepdims=1, dtype="int64", rank=x.rank)
        chosen = graph.cast(graph.equal(numbers, best), x.dtype)
        here = graph.constant([[float(row == column)] for row in range(size)], x.dtype)
        top = graph.slice(x, [column], [column + 1], [-2])
        row = graph.sum(x * chosen, [(x.rank or 2) - 2], keepdims=True)
        # Exchange the two rows, then clear the column in all others.
        same = graph.cast(graph.equal(best, column), x.dtype)
        swapped = x + chosen * (top - row) * (1.0 - same) + here * (row - top) * (1.0 - same)
        pivot = graph.slice(row, [column], [column + 1], [-1])
        pivots.append(pivot * (2.0 * same - 1.0))
        scaled = row / pivot
        factors = graph.slice(swapped, [column], [column + 1], [-1]) * (1.0 - here)
        x = (swapped - factors * scaled) * (1.0 - here) + here * scaled
    rest = graph.slice(x, [size], [1 << 31], [-1])
    return rest, pivots


def _wide(op: Operation, graph: Graph, index: int = 0) -> Tensor:
    """In float64: elimination loses digits."""
    return graph.cast(op[index], "float64")


def _inverse(graph: Graph, x: Tensor, size: int) -> Tensor:
    import numpy as np

    eye = x * 0.0 + graph.constant(np.eye(size), x.dtype)
    return _eliminated(graph, graph.concat([x, eye], axis=(x.rank or 2) - 1), size)[0]


@lowering("inverse")
def inverse(op: Operation, graph: Graph) -> Tensor:
    """The solution of A X = 1."""
    return _inverse(graph, _wide(op, graph), _size(op))


@lowering("solve")
def solve(op: Operation, graph: Graph) -> Tensor:
    """The solution of A X = B by elimination."""
    x, y, size = _wide(op, graph), _wide(op, graph, 1), _size(op)
    vector = op.rank(1) == 1
    if vector:
        y = graph.unsqueeze(y, [1])
    if op.rank(0) != (y.rank or 0):
        raise CannotLower("its operands differ in their number of axes")
    result = _eliminated(graph, graph.concat([x, y], axis=op.rank() - 1), size)[0]
    return graph.squeeze(result, [op.rank() - 1]) if vector else result


def _pivots(op: Operation, graph: Graph) -> list[Tensor]:
    """The pivots, of the shape of the batch; stays finite where the matrix is singular."""
    x, size = _wide(op, graph), _size(op)
    axes = [op.rank() - 2, op.rank() - 1]
    pivots = []
    for step in range(size):
        # Elimination of a matrix one smaller each time, without dividing by a zero pivot.
        values = graph.slice(x, [0], [1], [-1])
        best = graph.emit(
            "ArgMax", graph.abs(values), axis=-2, keepdims=1, dtype="int64", rank=x.rank
        )
        numbers = graph.constant([[row] for row in range(size - step)], "int64")
        chosen = graph.cast(graph.equal(numbers, best), x.dtype)
        top = graph.slice(x, [0], [1], [-2])
        row = graph.sum(x * chosen, [op.rank() - 2], keepdims=True)
        same = graph.cast(graph.equal(best, 0), x.dtype)
        pivot = graph.slice(row, [0], [1], [-1])
        pivots.append(graph.squeeze(pivot * (2.0 * same - 1.0), axes))
        if step == size - 1:
            break
        swapped = x + chosen * (top - row)
        below = graph.slice(swapped, [1], [1 << 31], [-2])
        safe = graph.where(graph.equal(pivot, 0.0), graph.constant(1.0, x.dtype), pivot)
        factors = graph.slice(below, [0], [1], [-1]) / safe
        x = graph.slice(below - factors * row, [1], [1 << 31], [-1])
    return pivots


@lowering("det")
def det(op: Operation, graph: Graph) -> Tensor:
    """The product of the pivots."""
    graph.since(11, "Slice with negative axes")
    result, *others = _pivots(op, graph)
    for pivot in others:
        result = result * pivot
    return result


def _sign_and_log(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    graph.since(11, "Slice with negative axes")
    pivots = _pivots(op, graph)
    sign, logarithm = graph.sign(pivots[0]), graph.log(graph.abs(pivots[0]))
    for pivot in pivots[1:]:
        sign = sign * graph.sign(pivot)
        logarithm = logarithm + graph.log(graph.abs(pivot))
    return sign, logarithm


@lowering("slogdet")
def slogdet(op: Operation, graph: Graph) -> Tensor:
    """Sign and logarithm of the determinant, one above the other."""
    parts = _sign_and_log(op, graph)
    return graph.concat([graph.unsqueeze(part, [0]) for part in parts], axis=0)


@lowering("slogdet_v2")
def slogdet_v2(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """Sign and logarithm of the determinant."""
    return _sign_and_log(op, graph)


@lowering("cholesky")
def cholesky(op: Operation, graph: Graph) -> Tensor:
    """Column by column: each is what is left of it over the root of its diagonal element."""
    graph.since(11, "Slice with negative axes")
    x, size, rank = _wide(op, graph), _size(op), op.rank()
    columns = []
    for step in range(size):
        column = graph.slice(x, [step], [step + 1], [-1])
        diagonal = graph.slice(column, [step], [step + 1], [-2])
        below = graph.constant([[float(row >= step)] for row in range(size)], x.dtype)
        column = column * below / graph.sqrt(diagonal)
        columns.append(column)
        order = [*range(rank - 2), rank - 1, rank - 2]
        x = x - column * graph.transpose(column, order)
    lower = graph.concat(columns, axis=rank - 1)
    if op.attr("upper", False):
        return graph.transpose(lower, [*range(rank - 2), rank - 1, rank - 2])
    return lower


def _triangular(graph: Graph, x: Tensor, y: Tensor, size: int, upper: bool, unit: bool) -> Tensor:
    """The solution of a triangular system, row by row."""
    graph.since(11, "Slice with negative axes")
    rows: dict[int, Tensor] = {}
    for row in range(size - 1, -1, -1) if upper else range(size):
        value = graph.slice(y, [row], [row + 1], [-2])
        coefficients = graph.slice(x, [row], [row + 1], [-2])
        for other, solved in rows.items():
            value = value - graph.slice(coefficients, [other], [other + 1], [-1]) * solved
        if not unit:
            value = value / graph.slice(coefficients, [row], [row + 1], [-1])
        rows[row] = value
    return graph.concat([rows[row] for row in range(size)], axis=(y.rank or 2) - 2)


@lowering("triangular_solve")
def triangular_solve(op: Operation, graph: Graph) -> Tensor:
    """The solution of A X = B for a triangular A."""
    x, y, size, rank = _wide(op, graph), _wide(op, graph, 1), _size(op), op.rank()
    upper = bool(op.attr("upper", True))
    if op.attr("transpose", False):
        x = graph.transpose(x, [*range(rank - 2), rank - 1, rank - 2])
        upper = not upper
    return _triangular(graph, x, y, size, upper, bool(op.attr("unitriangular", False)))


@lowering("cholesky_solve")
def cholesky_solve(op: Operation, graph: Graph) -> Tensor:
    """The solution of L L' X = B."""
    y, x, size, rank = _wide(op, graph), _wide(op, graph, 1), _size(op, 1), op.rank(1)
    turned = graph.transpose(x, [*range(rank - 2), rank - 1, rank - 2])
    lower, upper = (turned, x) if op.attr("upper", False) else (x, turned)
    return _triangular(
        graph, upper, _triangular(graph, lower, y, size, False, False), size, True, False
    )


@lowering("matrix_power")
def matrix_power(op: Operation, graph: Graph) -> Tensor:
    """Repeated squaring; of the inverse for a negative power."""
    import numpy as np

    x, power = op[0], int(op.attr("n"))
    if power == 0:
        return x * 0.0 + graph.constant(np.eye(_size(op)), x.dtype)
    if power < 0:
        x = graph.cast(_inverse(graph, _wide(op, graph), _size(op)), x.dtype)
    result: Tensor | None = None
    left = abs(power)
    while left:
        if left & 1:
            result = x if result is None else result @ x
        left >>= 1
        if left:
            x = x @ x
    assert result is not None
    return graph.emit("Identity", result)


@lowering("multi_dot")
def multi_dot(op: Operation, graph: Graph) -> Tensor:
    """One product after the other."""
    result, *others = op.tensors(0)
    for other in others:
        result = result @ other
    return result


@lowering("dot", when=lambda op, opset: True, why="paddle2onnx keeps the axis that is summed")
def dot(op: Operation, graph: Graph) -> Tensor:
    """The sum of the products along the last axis."""
    return graph.sum(op[0] * op[1], [op.rank() - 1])
