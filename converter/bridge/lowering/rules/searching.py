"""Searching and counting by comparing everything with everything: n times m elements."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("searchsorted")
def searchsorted(op: Operation, graph: Graph) -> Tensor:
    """How many elements of the sorted row are below (``right``: not above) each value."""
    sequence, values = op[0], op[1]
    rank = op.rank(1)
    each = graph.unsqueeze(values, [rank])
    row = sequence if op.rank(0) == 1 else graph.unsqueeze(sequence, [rank - 1])
    # Not "row < value": NaN sorts after everything.
    behind = row > each if op.attr("right", False) else row >= each
    return graph.cast(graph.sum(graph.cast(~behind, "int64"), [rank]), op.result_type().dtype)


@lowering("bincount")
def bincount(op: Operation, graph: Graph) -> Tensor:
    """How often each number from 0 to the largest occurs, or the sum of its weights."""
    x = graph.cast(op[0], "int64")
    minimum = op.constant(2)
    least = int(minimum.reshape(-1)[0]) if minimum is not None else int(op.attr("minlength", 0))
    count = graph.reduce("Max", x) + 1
    count = graph.where(count > least, count, graph.constant(least, "int64"))
    bins = graph.unsqueeze(graph.range(0, count), [1])
    matches = graph.equal(bins, graph.unsqueeze(x, [0]))
    if not op.has(1):
        return graph.sum(graph.cast(matches, "int64"), [1])
    weights = graph.unsqueeze(op[1], [0])
    return graph.sum(graph.cast(matches, weights.dtype) * weights, [1])


@lowering("histogram")
def histogram(op: Operation, graph: Graph) -> Tensor:
    """Counts in bins of equal width from min to max (of the input when they are equal)."""
    x = graph.reshape(op[0], [-1])
    if not x.is_float:
        x = graph.cast(x, "float32")
    bins, low, high = int(op.attr("bins")), float(op.attr("min")), float(op.attr("max"))
    if low == high:
        first, last = graph.reduce("Min", x), graph.reduce("Max", x)
        same = graph.equal(first, last)
        first, last = graph.where(same, first - 1.0, first), graph.where(same, last + 1.0, last)
    else:
        first, last = graph.constant(low, x.dtype), graph.constant(high, x.dtype)
    inside = (x >= first) & (x <= last)
    place = graph.floor((x - first) * float(bins) / (last - first))
    place = graph.minimum(place, float(bins - 1))
    numbers = graph.constant([[float(number)] for number in range(bins)], x.dtype)
    matches = graph.equal(numbers, graph.unsqueeze(place, [0])) & graph.unsqueeze(inside, [0])
    weight = graph.reshape(op[1], [1, -1]) if op.has(1) else None
    hits = graph.cast(matches, "int64" if weight is None else weight.dtype)
    counts = graph.sum(hits if weight is None else hits * weight, [1])
    if not op.attr("density", False):
        return graph.cast(counts, op.result_type().dtype)
    counts = graph.cast(counts, x.dtype)
    return counts / graph.sum(counts) / ((last - first) / float(bins))


@lowering("unique", when=lambda op, opset: True, why="paddle2onnx gets the dtypes wrong")
def unique(op: Operation, graph: Graph) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The different values in order, where each is first, which each is, and how often."""
    graph.since(11, "Unique")
    x = op[0]
    work = graph.cast(x, "int64") if x.dtype in ("int32", "int16", "uint8") else x
    axes = op.attr("axis", [])
    axis = op.axis(int(axes[0])) if axes else None
    rank = op.rank() if axes else 1
    dtypes = [work.dtype, "int64", "int64", "int64"]
    found = graph.emit_all("Unique", (work,), dtypes, [rank, 1, 1, 1], axis=axis, sorted=1)
    return graph.cast(found[0], x.dtype), found[1], found[2], found[3]


@lowering("unique_consecutive")
def unique_consecutive(op: Operation, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    """The first of each run of equal values, which run each is in, and their lengths."""
    graph.since(11, "CumSum")
    if op.attr("axis", []):
        raise CannotLower("runs along an axis have no form in ONNX")
    x = graph.reshape(op[0], [-1])
    count = graph.extent(x, 0)
    before = graph.slice(x, [0], [-1], [0])
    after = graph.slice(x, [1], [1 << 31], [0])
    differs = ~graph.equal(graph.cast(after, _comparable(x)), graph.cast(before, _comparable(x)))
    starts = graph.concat([graph.constant([True], "bool"), differs], axis=0)
    kept = graph.emit("Compress", x, starts, axis=0)
    runs = graph.emit("CumSum", graph.cast(starts, "int64"), graph.constant(0, "int64"), rank=1)
    first = graph.emit("Compress", graph.range(0, graph.scalar(count)), starts, axis=0)
    ends = graph.concat([graph.slice(first, [1], [1 << 31], [0]), count], axis=0)
    return kept, runs - 1, ends - first


def _comparable(x: Tensor) -> str:
    return "int32" if x.dtype in ("bool", "uint8", "int8", "int16") else x.dtype
