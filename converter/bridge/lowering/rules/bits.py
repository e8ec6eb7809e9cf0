"""Bits of integers. ONNX has BitwiseAnd and its like from opset 18 on."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering

#: Bits of each dtype that Paddle has these operators for.
WIDTHS = {"int8": 8, "uint8": 8, "int16": 16, "int32": 32, "int64": 64}


def _integers_early(op: Operation, opset: int) -> bool:
    return opset < 18 and op.type(0).dtype in WIDTHS


@lowering("bitwise_not", when=_integers_early, why="paddle2onnx asks for opset 18")
def bitwise_not(op: Operation, graph: Graph) -> Tensor:
    """-x - 1, two's complement."""
    wide = graph.cast(op[0], "int64")
    return graph.cast(-1 - wide, op[0].dtype)


@lowering(
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    when=_integers_early,
    why="paddle2onnx asks for opset 18",
)
def bitwise(op: Operation, graph: Graph) -> Tensor:
    """Bit by bit on a new last axis; x | y = x + y - (x & y), x ^ y = x + y - 2 * (x & y)."""
    graph.since(10, "Mod")
    dtype = op.result_type().dtype
    x, y = graph.cast(op[0], "int64"), graph.cast(op[1], "int64")
    width = WIDTHS[dtype]
    common = _bits(graph, x, width) * _bits(graph, y, width)
    # ONNX Runtime adds up int64 in float64, so 64 bits are summed as two halves.
    both = _number(graph, common, 0, min(width, 32), signed=dtype not in ("uint8", "int64"))
    if width == 64:
        both = _number(graph, common, 32, 64, signed=True) * (1 << 32) + both
    if op.name.endswith("and"):
        return graph.cast(both, dtype)
    return graph.cast(x + y - (both if op.name.endswith("_or") else 2 * both), dtype)


def _number(graph: Graph, bits: Tensor, start: int, end: int, signed: bool) -> Tensor:
    """The number that these bits of the last axis stand for."""
    weights = [1 << bit for bit in range(end - start)]
    if signed:
        weights[-1] = -weights[-1]
    last = (bits.rank or 1) - 1
    part = graph.slice(bits, [start], [end], [last])
    return graph.sum(part * graph.constant(weights, "int64"), [last])


def _bits(graph: Graph, x: Tensor, width: int) -> Tensor:
    """The two's complement's bits, lowest first, on a new last axis."""
    if x.rank is None:
        raise CannotLower("the number of its axes is not known")
    spread = graph.unsqueeze(x, [x.rank])
    powers = graph.constant([1 << bit for bit in range(width - 1)], "int64")
    low = graph.emit("Mod", _shifted(graph, spread, powers), graph.constant(2, "int64"))
    if width == 8:  # may be unsigned: the last bit counts like the others
        high = graph.emit("Mod", _shifted(graph, spread, graph.ints(128)), graph.ints(2))
    else:
        high = graph.cast(spread < 0, "int64")
    return graph.concat([low, high], axis=x.rank)


def _shifted(graph: Graph, x: Tensor, power: Tensor) -> Tensor:
    """x / power, rounded down (ONNX's Mod of integers has the sign of the divisor)."""
    return (x - graph.emit("Mod", x, power)) / power


@lowering("bitwise_left_shift", "bitwise_right_shift")
def shift(op: Operation, graph: Graph) -> Tensor:
    """x * 2 ** y, or x / 2 ** y rounded down; int64 shifts are right up to 62 bits."""
    graph.since(10, "Mod")
    dtype = op.result_type().dtype
    x = graph.cast(op[0], "int64")
    right = op.name.endswith("right_shift")
    if right and not op.attr("is_arithmetic", True):
        if dtype == "int64":
            raise CannotLower("ONNX has no logical shift of int64")
        if dtype != "uint8":
            x = graph.where(x < 0, x + (1 << WIDTHS[dtype]), x)
    power = graph.constant(2.0, "float64") ** graph.cast(op[1], "float64")
    power = graph.cast(power, "int64")
    return graph.cast(_shifted(graph, x, power) if right else x * power, dtype)
