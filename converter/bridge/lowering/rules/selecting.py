"""Picking and repeating elements; masks."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("masked_fill")
def masked_fill(op: Operation, graph: Graph) -> Tensor:
    """value where the mask holds, else x."""
    value = graph.cast(op[2], op[0].dtype)
    if op.rank(2) == 1:  # a number in a tensor of one element
        value = graph.scalar(value) if op.type(2).shape == (1,) else value
    return graph.where(op[1], value, op[0])


def _bools(op: Operation, opset: int) -> bool:
    return op.type(1).dtype == "bool"


@lowering("where", when=_bools, why="ONNX Runtime has no Where of bools")
def where_bools(op: Operation, graph: Graph) -> Tensor:
    """(condition and x) or (not condition and y)."""
    condition = op[0]
    return (condition & op[1]) | (~condition & op[2])


def _by_column(op: Operation, opset: int) -> bool:
    return op.rank(1) == 2


@lowering("gather", when=_by_column, why="paddle2onnx keeps the index's second axis")
def gather(op: Operation, graph: Graph) -> Tensor:
    """The slices that a column of numbers names."""
    axis = int(op.known(2, "axis").reshape(-1)[0]) if op.has(2) else int(op.attr("axis", 0))
    return graph.gather(op[0], graph.reshape(op[1], [-1]), axis=op.axis(axis))


def _padded(op: Operation, opset: int) -> bool:
    return int(op.attr("padding_idx", -1)) >= 0


@lowering("embedding", when=_padded, why="paddle2onnx adds a mask as large as the table")
def embedding(op: Operation, graph: Graph) -> Tensor:
    """The table's rows; zeros for the index that stands for padding, whatever its row holds."""
    index, table = op[0], op[1]
    rows = graph.gather(table, index)
    padding = graph.unsqueeze(graph.equal(index, int(op.attr("padding_idx"))), [op.rank(0)])
    if graph.opset < 9:  # a padding row that is infinite becomes NaN
        return rows * graph.cast(~padding, rows.dtype)
    return graph.where(padding, 0.0, rows)


@lowering("multiplex")
def multiplex(op: Operation, graph: Graph) -> Tensor:
    """Row i of the candidate that the index names for row i."""
    graph.since(11, "GatherND")
    stacked = graph.concat([graph.unsqueeze(item, [0]) for item in op.tensors(0)], axis=0)
    index = graph.reshape(graph.cast(op[1], "int64"), [-1, 1])
    rows = graph.unsqueeze(graph.range(0, graph.scalar(graph.extent(index, 0))), [1])
    places = graph.concat([index, rows], axis=1)
    rank = stacked.rank - 1 if stacked.rank is not None else None
    return graph.emit_all("GatherND", (stacked, places), [stacked.dtype], [rank])[0]


def _always(op: Operation, opset: int) -> bool:
    return True


@lowering("repeat_interleave", when=_always, why="paddle2onnx makes a Tile of the wrong rank")
def repeat_interleave(op: Operation, graph: Graph) -> Tensor:
    """Each element along the axis several times: a new axis, expanded, and merged."""
    x, times, axis = op[0], int(op.attr("repeats")), op.axis(int(op.attr("axis")))
    extents = op.extents()
    spread = graph.unsqueeze(x, [axis + 1])
    full = graph.join(*extents[: axis + 1], times, *extents[axis + 1 :])
    merged = graph.join(*extents[:axis], -1, *extents[axis + 1 :])
    return graph.reshape(graph.expand(spread, full, rank=op.rank() + 1), merged, rank=op.rank())


@lowering(
    "repeat_interleave_with_tensor_index",
    when=_always,
    why="paddle2onnx makes a Tile of the wrong rank",
)
def repeat_each(op: Operation, graph: Graph) -> Tensor:
    """Result i comes from the element before whose repeats' running sum is the first above i."""
    graph.since(11, "CumSum")
    x, axis = op[0], op.axis(int(op.attr("axis")))
    repeats = graph.cast(op[1], "int64")
    ends = graph.emit("CumSum", repeats, graph.constant(0, "int64"), rank=1)
    places = graph.range(0, graph.sum(repeats))
    passed = graph.unsqueeze(places, [1]) >= graph.unsqueeze(ends, [0])
    return graph.gather(x, graph.sum(graph.cast(passed, "int64"), [1]), axis=axis)


@lowering("shard_index")
def shard_index(op: Operation, graph: Graph) -> Tensor:
    """The index within this shard, or the value to ignore."""
    x = graph.cast(op[0], "int64")
    size = -(-int(op.attr("index_num")) // int(op.attr("nshards")))
    start = int(op.attr("shard_id")) * size
    inside = (x >= start) & (x < start + size)
    return graph.where(inside, x - start, int(op.attr("ignore_value", -1)))


@lowering("sequence_mask")
def sequence_mask(op: Operation, graph: Graph) -> Tensor:
    """Whether each place up to the longest (or given) length lies within the sequence."""
    x = graph.cast(op[0], "int64")
    given = op.constant(1)
    length = int(given.reshape(-1)[0]) if given is not None else int(op.attr("max_len", -1))
    if op.has(1) and given is None:
        places = graph.range(0, graph.scalar(graph.cast(op[1], "int64")))
    elif length > 0:
        places = graph.constant(list(range(length)), "int64")
    else:
        places = graph.range(0, graph.reduce("Max", x))
    return graph.cast(places < graph.unsqueeze(x, [op.rank()]), op.result_type().dtype)
