"""Padding in the forms that paddle2onnx raises the opset for."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.spatial import channels_last


@lowering(
    "pad3d",
    when=lambda op, opset: op.attr("mode") == "circular" and opset < 19,
    why="ONNX's Pad wraps around from opset 19 on only",
)
def circular_pad(op: Operation, graph: Graph) -> Tensor:
    """The end before the beginning and the beginning after the end, axis by axis."""
    x, layout = op[0], str(op.attr("data_format"))
    pads = op.constant(1)
    first = 1 if channels_last(layout) else 2
    if pads is None:
        computed = graph.cast(op[1], "int64")
        for axis in range(3):  # left, right, top, bottom, front, back
            at = 2 * (2 - axis)
            x = _wrapped_by(graph, x, first + axis, computed, at)
        return x
    for axis in range(3):
        before, after = (int(pad) for pad in pads.reshape(-1)[2 * (2 - axis) :][:2])
        if before == 0 and after == 0:
            continue
        x = _wrapped(graph, x, first + axis, before, after)
    return x


def _wrapped(graph: Graph, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    big = 2**31 - 1
    parts = [x]
    if before > 0:
        parts.insert(0, graph.slice(x, [-before], [big], [axis]))
    if after > 0:
        parts.append(graph.slice(x, [0], [after], [axis]))
    x = graph.concat(parts, axis) if len(parts) > 1 else x
    if before < 0 or after < 0:
        x = graph.slice(x, [max(-before, 0)], [min(after, 0) or big], [axis])
    return x


def _wrapped_by(graph: Graph, x: Tensor, axis: int, pads: Tensor, at: int) -> Tensor:
    """Gather the places -before ... extent + after - 1, modulo the extent."""
    graph.since(10, "padding by a computed amount")
    before = graph.gather(pads, graph.constant(at, "int64"))
    after = graph.gather(pads, graph.constant(at + 1, "int64"))
    extent = graph.gather(graph.shape(x), graph.constant(axis, "int64"))
    places = graph.range(0, extent + before + after) - before
    return graph.gather(x, graph.emit("Mod", places, extent), axis)
