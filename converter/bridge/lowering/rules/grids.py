"""grid_sample and affine_grid."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.sampling import (
    as_float,
    image_extents,
    image_numbers,
    pixel_rows,
    sample_linear,
    sample_nearest,
)


@lowering(
    "grid_sample",
    when=lambda op, opset: opset < 16 or opset >= 20 or op.rank() != 4,
    why="ONNX has no GridSample before opset 16, and paddle2onnx 2.1.0 writes the mode's old name "
    "from opset 20 on",
)
def grid_sample(op: Operation, graph: Graph) -> Tensor:
    """Read x at a grid of places in [-1, 1] (phi/kernels/cpu/grid_sample_kernel.cc)."""
    mode, padding = str(op.attr("mode")), str(op.attr("padding_mode"))
    aligned = bool(op.attr("align_corners"))
    if graph.opset >= 20:
        return graph.emit(
            "GridSample",
            op[0],
            op[1],
            mode={"bilinear": "linear"}.get(mode, mode),
            padding_mode=padding,
            align_corners=int(aligned),
            rank=op.rank(),
        )
    x, grid = op[0], op[1]
    declared, rank = op.type(0).shape, op.rank()
    count = rank - 2
    extents = image_extents(graph, x, declared)
    places = []
    for axis in range(count):  # the grid's last axis is x, y(, z)
        at = graph.gather(grid, graph.constant(count - 1 - axis, "int64"), rank - 1)
        length = as_float(graph, extents[axis], x.dtype)
        where = _unnormalised(graph, graph.reshape(at, [0, -1]), length, aligned)
        places.append(_moved_inside(graph, where, length, padding, aligned))
    rows = pixel_rows(graph, x, declared)
    numbers = image_numbers(graph, x, declared[0])
    sample = sample_nearest if mode == "nearest" else sample_linear
    read = sample(graph, rows, places, extents, numbers, zeros=padding == "zeros")
    outer = graph.slice(graph.shape(x), [0], [2], [0])
    inner = graph.slice(graph.shape(grid), [1], [rank - 1], [0])
    shape = graph.concat([outer, inner], 0)
    return graph.reshape(graph.transpose(read, [0, 2, 1]), shape, rank=rank)


def _unnormalised(graph: Graph, at: Tensor, length: Tensor, aligned: bool) -> Tensor:
    """From [-1, 1] to pixels: the outermost are at -1 and 1 when ``aligned``, else half inside."""
    if aligned:
        return (at + 1.0) * ((length - 1.0) * 0.5)
    return ((at + 1.0) * length - 1.0) * 0.5


def _moved_inside(
    graph: Graph, where: Tensor, length: Tensor, padding: str, aligned: bool
) -> Tensor:
    last = length - 1.0
    if padding == "zeros":
        return where
    if padding == "reflection":
        if aligned:
            where = _reflected(graph, graph.abs(where), last * 2.0)
        else:
            where = _reflected(graph, graph.abs(where + 0.5), length * 2.0) - 0.5
    return graph.minimum(graph.maximum(where, 0.0), last)


def _reflected(graph: Graph, where: Tensor, period: Tensor) -> Tensor:
    rest = where - graph.floor(where / period) * period
    return graph.minimum(rest, period - rest)


@lowering("affine_grid")
def affine_grid(op: Operation, graph: Graph) -> Tensor:
    """Places (x, y(, z), 1) of every pixel in [-1, 1], times theta transposed."""
    theta = op[0]
    aligned = bool(op.attr("align_corners"))
    constant = op.constant(1)
    count = op.type(0).shape[1]
    if len(op.result_type().shape) != count + 2:  # Paddle 3.3 with a computed shape of images
        op.redeclare(0, shape=[-1] * (count + 1) + [count])
    if constant is not None:
        sizes: list[int | Tensor] = [int(size) for size in constant.reshape(-1)[2:]]
    else:
        shape = graph.cast(op[1], "int64")
        sizes = [graph.gather(shape, graph.constant(2 + axis, "int64")) for axis in range(count)]
    axes = [_line(graph, size, aligned, theta.dtype) for size in sizes]
    lines = []
    for axis in reversed(range(count)):
        lines.append(
            graph.unsqueeze(axes[axis], [other for other in range(count) if other != axis])
        )
    zero = lines[0] * 0.0
    for line in lines[1:]:
        zero = zero + line * 0.0
    full = [graph.unsqueeze(line + zero, [count]) for line in (*lines, zero + 1.0)]
    base = graph.reshape(graph.concat(full, count), [-1, count + 1])
    grid = base @ graph.transpose(theta, [0, 2, 1])
    shape = graph.concat(
        [graph.extent(theta, 0), *[_one(graph, size) for size in sizes], graph.ints(count)], 0
    )
    return graph.reshape(grid, shape, rank=count + 2)


def _line(graph: Graph, size: int | Tensor, aligned: bool, dtype: str) -> Tensor:
    """``size`` places from -1 to 1; the middles of as many equal parts when not ``aligned``."""
    if isinstance(size, int):
        import numpy as np

        if aligned:
            return graph.constant(np.linspace(-1.0, 1.0, size), dtype)
        return graph.constant((np.arange(size) * 2.0 + 1.0) / size - 1.0, dtype)
    index = graph.cast(graph.range(0, size), dtype)
    length = graph.cast(size, dtype)
    if aligned:
        return index * (2.0 / (length - 1.0)) - 1.0
    return (index * 2.0 + 1.0) / length - 1.0


def _one(graph: Graph, size: int | Tensor) -> Tensor:
    return graph.ints(size) if isinstance(size, int) else graph.reshape(size, [1])
