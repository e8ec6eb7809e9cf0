"""Random numbers: drawn anew in each run, so only their shape, dtype and range can be checked."""

from __future__ import annotations

from typing import Any

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


def _draw(graph: Graph, kind: str, shape: Tensor, rank: int, **attributes: Any) -> Tensor:
    """Numbers in a computed shape."""
    graph.since(9, "ConstantOfShape")
    zeros = graph.emit_all("ConstantOfShape", (shape,), ["float32"], [rank])[0]
    return graph.emit(f"Random{kind}Like", zeros, dtype="float32", **attributes)


def _shape(op: Operation, graph: Graph, index: int = 0) -> Tensor:
    given = op.constant(index) if op.has(index) else None
    if given is not None:
        return graph.constant(given.reshape(-1), "int64")
    if not op.has(index):
        return graph.constant([int(extent) for extent in op.attr("shape")], "int64")
    if op.program.list_items(op.operands[index]) is not None:
        parts = [graph.reshape(graph.cast(item, "int64"), [1]) for item in op.tensors(index)]
        return graph.join(*parts)
    return graph.cast(op[index], "int64")


@lowering("bernoulli")
def bernoulli(op: Operation, graph: Graph) -> Tensor:
    """1 with the probability that x holds, else 0."""
    x = op[0]
    return graph.cast(graph.emit("RandomUniformLike", x, low=0.0, high=1.0) < x, x.dtype)


@lowering("randint")
def randint(op: Operation, graph: Graph) -> Tensor:
    """Whole numbers from low to below high."""
    low, high = int(op.attr("low")), int(op.attr("high"))
    rank = len(op.result_type().shape)
    drawn = _draw(graph, "Uniform", _shape(op, graph), rank, low=float(low), high=float(high))
    # float32 rounds up to high now and then
    return graph.cast(graph.minimum(graph.floor(drawn), float(high - 1)), op.result_type().dtype)


@lowering("randperm")
def randperm(op: Operation, graph: Graph) -> Tensor:
    """The order of n random numbers."""
    count = int(op.attr("n"))
    drawn = _draw(graph, "Uniform", graph.ints(count), 1, low=0.0, high=1.0)
    return graph.top_k(drawn, count, 0)[1]


@lowering("uniform", when=lambda op, opset: True, why="its shape may be computed")
def uniform(op: Operation, graph: Graph) -> Tensor:
    """Numbers from min to max."""
    low, high = (
        float(op.known(index, name).reshape(-1)[0]) if op.has(index) else float(op.attr(name))
        for index, name in ((1, "min"), (2, "max"))
    )
    rank = len(op.result_type().shape)
    return _draw(graph, "Uniform", _shape(op, graph), rank, low=low, high=high)


@lowering("gaussian", when=lambda op, opset: True, why="its shape may be computed")
def gaussian(op: Operation, graph: Graph) -> Tensor:
    """Normally distributed numbers."""
    rank = len(op.result_type().shape)
    mean, std = float(op.attr("mean", 0.0)), float(op.attr("std", 1.0))
    return _draw(graph, "Normal", _shape(op, graph), rank, mean=mean, scale=std)


@lowering("multinomial", when=lambda op, opset: True, why="values are random")
def multinomial(op: Operation, graph: Graph) -> Tensor:
    """Classes by probability: the largest of log(p) plus Gumbel noise, without replacement."""
    given = op.constant(1)
    count = int(given.reshape(-1)[0]) if given is not None else int(op.attr("num_samples", 1))
    x = op[0]
    if op.attr("replacement", False) and count > 1:
        x = graph.unsqueeze(x, [op.rank() - 1])
        shape = graph.join(*op.extents()[:-1], count, op.extents()[-1])
        x = graph.expand(x, shape, rank=op.rank() + 1)
    noise = graph.emit("RandomUniformLike", x, low=1e-7, high=1.0)
    scores = graph.log(x) - graph.log(-graph.log(noise))
    last = (x.rank or 1) - 1
    if op.attr("replacement", False) and count > 1:
        return graph.emit("ArgMax", scores, axis=last, keepdims=0, dtype="int64", rank=last)
    return graph.top_k(scores, count, last)[1]


def _training(op: Operation, opset: int) -> bool:
    return not op.attr("is_test", True)


@lowering("dropout", when=_training, why="the model drops values also when it is run")
def dropout(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """Zeros with probability p; what is kept is scaled up if the mode says so."""
    x = op[0]
    given = op.constant(2) if op.has(2) else None
    p = float(given.reshape(-1)[0]) if given is not None else float(op.attr("p", 0.5))
    if p >= 1:
        raise CannotLower("it drops everything")
    drawn = graph.emit("RandomUniformLike", x, low=0.0, high=1.0)
    kept = graph.cast(drawn >= p, x.dtype)
    scale = 1 / (1 - p) if op.attr("mode") == "upscale_in_train" else 1.0
    return x * kept * scale, kept
