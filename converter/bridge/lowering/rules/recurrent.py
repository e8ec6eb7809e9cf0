"""Recurrent layers in the forms that paddle2onnx gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import Lowered, lowering

#: ONNX operator, attributes, and the places of ONNX's gates among Paddle's: LSTM has i, f, c, o
#: where ONNX has i, o, f, c; GRU has r, z, c where ONNX has z, r, h.
_CELLS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "LSTM": ("LSTM", {}, (0, 3, 1, 2)),
    "GRU": ("GRU", {"linear_before_reset": 1}, (1, 0, 2)),
    "RNN_TANH": ("RNN", {"activations": ["Tanh"]}, (0,)),
    "RNN_RELU": ("RNN", {"activations": ["Relu"]}, (0,)),
}
_LENGTHS, _STATES = 3, 2


def _wrong(op: Operation, opset: int) -> bool:
    several = int(op.attr("num_layers")) > 1 and op.used(_STATES)
    return op.has(_LENGTHS) or several or op.attr("mode") not in ("LSTM", "GRU")


@lowering(
    "rnn",
    when=_wrong,
    why="paddle2onnx 2.1.0 ignores sequence lengths, returns the states of the last layer alone, "
    "and writes invalid graphs for simple recurrent layers",
)
def rnn(op: Operation, graph: Graph) -> Lowered:
    """Layers of LSTM, GRU or RNN over x [time, batch, inputs].

    With lengths, outputs behind a sequence are zero and states are those of its last step.
    """
    kind, attributes, gates = _CELLS[str(op.attr("mode"))]
    layers, hidden = int(op.attr("num_layers")), int(op.attr("hidden_size"))
    ways = 2 if op.attr("is_bidirec") else 1
    if float(op.attr("dropout_prob")) and not op.attr("is_test"):
        raise CannotLower("it drops out in training")
    weights = op.tensors(2)
    cells = layers * ways
    if len(weights) != 4 * cells:
        raise CannotLower("a layer has no bias")
    lengths = graph.cast(op[_LENGTHS], "int32") if op.has(_LENGTHS) else None
    starts = op.tensors(1)
    attributes = {**attributes, "hidden_size": hidden}
    if ways == 2:
        attributes["direction"] = "bidirectional"
        if "activations" in attributes:
            attributes["activations"] = attributes["activations"] * 2
    order = [gate * hidden + row for gate in gates for row in range(hidden)]
    rows = graph.ints(*order)
    x = op[0]
    ends: list[list[Tensor]] = [[] for _ in starts]
    for layer in range(layers):
        first, last = layer * ways, (layer + 1) * ways
        inputs = _stacked(graph, [weights[2 * cell] for cell in range(first, last)], rows)
        states = _stacked(graph, [weights[2 * cell + 1] for cell in range(first, last)], rows)
        biases = [
            [weights[2 * cells + 2 * cell + i] for cell in range(first, last)] for i in range(2)
        ]
        bias = graph.concat([_stacked(graph, part, rows) for part in biases], 1)
        begins = [graph.slice(start, [first], [last], [0]) for start in starts]
        made = graph.emit_all(
            kind,
            (x, inputs, states, bias, lengths, *begins),
            [x.dtype] * (1 + len(starts)),
            [4] + [3] * len(starts),
            **attributes,
        )
        if ways == 1:
            x = graph.squeeze(made[0], [1])
        else:
            x = graph.reshape(graph.transpose(made[0], [0, 2, 1, 3]), [0, 0, ways * hidden])
        for end, state in zip(ends, made[1:], strict=True):
            end.append(state)
    final = [graph.concat(end, 0) if layers > 1 else end[0] for end in ends]
    return [x, None, final, *[None] * (len(op.results) - 3)]


def _stacked(graph: Graph, parts: Sequence[Tensor], rows: Tensor) -> Tensor:
    """Both directions on a new first axis, the gates in ONNX's order."""
    ordered = [graph.unsqueeze(graph.gather(part, rows), [0]) for part in parts]
    return graph.concat(ordered, 0) if len(ordered) > 1 else ordered[0]


@lowering("gather_tree")
def gather_tree(op: Operation, graph: Graph) -> Tensor:
    """Follow each beam's parents back from the last step; [time, batch, beam]."""
    steps = op.type(0).shape[0]
    if steps < 0:
        raise CannotLower("its number of steps is dynamic")
    ids, parents = (
        [graph.gather(op[index], graph.constant(step, "int64")) for step in range(steps)]
        for index in range(2)
    )
    made = [ids[-1]]
    parent = graph.cast(parents[-1], "int64")
    for step in reversed(range(steps - 1)):
        made.append(graph.gather_elements(ids[step], parent, 1))
        parent = graph.cast(graph.gather_elements(parents[step], parent, 1), "int64")
    return graph.concat([graph.unsqueeze(step, [0]) for step in reversed(made)], 0)
