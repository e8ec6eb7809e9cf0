"""Writing into copies of tensors at computed places.

Where several values go to one place, ONNX before opset 16 has no form. Then a matrix says which
value goes to which place: places times values elements, which is meant for small tensors.
"""

from __future__ import annotations

import math

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

_ADDING = "paddle2onnx asks for opset 16"


class Rows:
    """The first ``depth`` axes of x as one; ``numbers`` are the rows (1-D int64) to write to."""

    def __init__(self, graph: Graph, x: Tensor, coordinates: list[Tensor]) -> None:
        graph.since(11, "ScatterND")
        self.graph, self.shape, self.rank = graph, graph.shape(x), x.rank
        depth = len(coordinates)
        self.tail = graph.slice(self.shape, [depth], [1 << 31], [0])
        rank = None if x.rank is None else x.rank - depth + 1
        self.x = graph.reshape(x, graph.join(-1, self.tail), rank=rank)
        numbers: Tensor | None = None
        for axis, given in enumerate(coordinates):
            extent = graph.scalar(graph.extent(x, axis))
            wide = graph.cast(given, "int64")
            place = graph.where(wide < 0, wide + extent, wide)
            numbers = place if numbers is None else numbers * extent + place
        assert numbers is not None
        self.where = graph.shape(numbers)
        self.numbers = graph.reshape(numbers, [-1])

    def flat(self, values: Tensor) -> Tensor:
        """``values``, broadcast to all places, as rows."""
        graph = self.graph
        full = graph.expand(values, graph.join(self.where, self.tail))
        return graph.reshape(full, graph.join(-1, self.tail), rank=self.x.rank)

    def back(self, x: Tensor) -> Tensor:
        """Rows in the shape of the whole."""
        return self.graph.reshape(x, self.shape, rank=self.rank)

    def write(self, values: Tensor) -> Tensor:
        """The rows with ``values`` in their places."""
        inputs = (self.x, self.graph.unsqueeze(self.numbers, [1]), values)
        return self.graph.emit_all("ScatterND", inputs, [self.x.dtype], [self.x.rank])[0]

    def matches(self) -> Tensor:
        """Which row (axis 0) each value (axis 1) goes to."""
        graph = self.graph
        places = graph.range(0, graph.scalar(graph.extent(self.x, 0)))
        return graph.equal(graph.unsqueeze(places, [1]), graph.unsqueeze(self.numbers, [0]))

    def add(self, values: Tensor, fresh: bool = False) -> Tensor:
        """The rows with ``values`` added; ``fresh`` rows that get any begin at 0."""
        graph, x = self.graph, self.x
        if graph.opset >= 16 and not fresh:
            inputs = (x, graph.unsqueeze(self.numbers, [1]), values)
            return graph.emit_all("ScatterND", inputs, [x.dtype], [x.rank], reduction="add")[0]
        dtype = x.dtype if x.is_float else "float64"
        matches = self.matches()
        count = graph.reshape(self.numbers, [-1])
        wide = graph.reshape(graph.cast(values, dtype), graph.join(graph.shape(count), -1), rank=2)
        # -1 cannot be inferred where there are no values; empty updates are not supported.
        summed = graph.reshape(graph.cast(matches, dtype) @ wide, graph.shape(x), rank=x.rank)
        base = x
        if fresh:
            touched = graph.reduce("Max", graph.cast(matches, "int32"), [1])
            tail_ones = [-1] + [1] * ((x.rank or 1) - 1)
            touched = graph.reshape(graph.cast(touched, "bool"), tail_ones)
            base = graph.where(touched, graph.constant(0, x.dtype), x)
        return base + graph.cast(summed, x.dtype)


@lowering("index_add")
def index_add(op: Operation, graph: Graph) -> Tensor:
    """Slices of axis ``axis`` are added at the index."""
    axis, rank = op.axis(int(op.attr("axis", 0))), op.rank()
    order = [axis, *(other for other in range(rank) if other != axis)]
    rows = Rows(graph, graph.transpose(op[0], order), [op[1]])
    added = rows.back(rows.add(graph.transpose(op[2], order)))
    return graph.transpose(added, [order.index(place) for place in range(rank)])


def _early(op: Operation, opset: int) -> bool:
    return opset < 16


@lowering("scatter_nd_add", when=_early, why=_ADDING)
def scatter_nd_add(op: Operation, graph: Graph) -> Tensor:
    """Updates are added at the coordinates on the last axis of the index."""
    depth = op.type(1).shape[-1]
    if depth < 0:
        raise CannotLower("the extent of its index's last axis is not known")
    last = op.rank(1) - 1
    index = op[1]
    coordinates = [
        graph.gather(index, graph.constant(place, "int64"), axis=last) for place in range(depth)
    ]
    rows = Rows(graph, op[0], coordinates)
    return rows.back(rows.add(rows.flat(op[2])))


def _adds_early(op: Operation, opset: int) -> bool:
    return opset < 16 and not op.attr("overwrite", True)


@lowering("scatter", when=_adds_early, why=_ADDING)
def scatter(op: Operation, graph: Graph) -> Tensor:
    """Rows that the index names are set to 0, then all their updates are added."""
    rows = Rows(graph, op[0], [graph.reshape(op[1], [-1])])
    return rows.back(rows.add(rows.flat(op[2]), fresh=True))


def _put_early(op: Operation, opset: int) -> bool:
    return opset < (16 if op.attr("accumulate", False) else 13)


@lowering("index_put", when=_put_early, why="paddle2onnx asks for opset 13 (16 to accumulate)")
def index_put(op: Operation, graph: Graph) -> Tensor:
    """x[indices] = value; indices broadcast against each other, a mask stands for its places."""
    coordinates: list[Tensor] = []
    for index, kind in zip(op.tensors(1), op.item_types(1), strict=True):
        if kind.dtype != "bool":
            coordinates.append(index)
            continue
        places = graph.emit("NonZero", index, dtype="int64", rank=2)
        coordinates += [
            graph.gather(places, graph.constant(axis, "int64")) for axis in range(len(kind.shape))
        ]
    rows = Rows(graph, op[0], coordinates)
    values = rows.flat(op[2])
    written = rows.add(values) if op.attr("accumulate", False) else rows.write(values)
    return rows.back(written)


def _reduces(op: Operation, opset: int) -> bool:
    return op.attr("reduce", "assign") not in ("assign", "add") or (
        op.attr("reduce") == "add" and (opset < 16 or not op.attr("include_self", True))
    )


@lowering(
    "put_along_axis",
    when=_reduces,
    why="paddle2onnx asks for opset 16 or 18, aborts without include_self, or multiplies twice",
)
def put_along_axis(op: Operation, graph: Graph) -> Tensor:
    """Values for the same place are added, multiplied, averaged or compared."""
    kind = {"multiply": "mul"}.get(op.attr("reduce"), op.attr("reduce"))
    x, index, axis = op[0], op[1], op.axis(int(op.attr("axis")))
    if not x.is_float:
        x = graph.cast(x, "float64")
    shape, rank = graph.shape(index), op.rank()
    coordinates = []
    for other in range(rank):
        if other == axis:
            coordinates.append(index)
            continue
        places = graph.range(0, graph.scalar(graph.extent(index, other)))
        coordinates.append(graph.unsqueeze(places, [i for i in range(rank) if i != other]))
    rows = Rows(graph, x, coordinates)
    values = graph.unsqueeze(rows.flat(graph.expand(graph.cast(op[2], x.dtype), shape)), [0])
    matches = rows.matches()
    neutral = {"mul": 1.0, "amin": math.inf, "amax": -math.inf}.get(kind, 0.0)
    named = {"mul": "Prod", "amin": "Min", "amax": "Max"}.get(kind, "Sum")
    spread = graph.where(matches, values, graph.constant(neutral, x.dtype))
    put = graph.reduce(named, spread, [1])
    count = graph.sum(graph.cast(matches, x.dtype), [1])
    if op.attr("include_self", True):
        old, count = rows.x, count + 1.0
        put = {
            "Prod": lambda: old * put,
            "Min": lambda: graph.minimum(old, put),
            "Max": lambda: graph.maximum(old, put),
            "Sum": lambda: old + put,
        }[named]()
        if kind == "mean":
            put = put / count
        return rows.back(put)
    touched = count > 0.0
    if kind == "mean":
        put = put / graph.maximum(count, 1.0)
    return rows.back(graph.where(touched, put, rows.x))
