"""Pooling in the forms that paddle2onnx aborts on or gets wrong.

The windows are those of phi/kernels/funcs/pooling.h and .cc; adaptive ones reach from
floor(i * L / O) to ceil((i + 1) * L / O).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.bridge.lowering.adaptive import adaptive_pool, extent_along, numbers
from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.spatial import (
    Pads,
    channels_last,
    from_channels_first,
    pad_spatial,
    paddings,
    spatial_extents,
    to_channels_first,
)

#: What Paddle's maximum starts from: the lowest float32.
LOWEST = -3.4028234663852886e38


def layout_of(op: Operation) -> str:
    """Paddle's ``data_format``."""
    return str(op.attr("data_format", "NCHW"))


def extents_of(op: Operation) -> tuple[int, ...]:
    """The spatial extents; -1 is dynamic."""
    return spatial_extents(op.type(0).shape, layout_of(op))


def kernel_of(op: Operation) -> list[int] | None:
    """The window, or the output size of adaptive pooling; ``None`` when it is computed."""
    if op.has(1):
        array = op.constant(1)
        return None if array is None else [int(k) for k in array.reshape(-1)]
    return [int(k) for k in op.attr("kernel_size")]


def _is_maximum(op: Operation) -> bool:
    return op.name.endswith("_with_index") or op.attr("pooling_type") == "max"


def _divides(op: Operation) -> bool:
    """Whether paddle2onnx's fixed windows are the adaptive ones: all known, or a global pool."""
    sizes, extents = kernel_of(op), extents_of(op)
    if sizes is None:
        return False
    if all(size == 1 for size in sizes):
        return True
    return all(e > 0 and size > 0 and e % size == 0 for e, size in zip(extents, sizes, strict=True))


def _pads(op: Operation) -> Pads:
    kernel = kernel_of(op)
    if kernel is None:
        raise CannotLower("its window is computed by the program")
    algorithm = str(op.attr("padding_algorithm", "EXPLICIT"))
    return paddings(algorithm, op.attr("paddings"), extents_of(op), kernel, op.attr("strides"))


def drops_windows(op: Operation) -> bool:
    """Whether ceil_mode makes windows that lie behind the image, which ONNX Runtime drops."""
    kernel = kernel_of(op)
    if not op.attr("ceil_mode") or kernel is None or _pads(op).same:
        return False
    pads = _pads(op)
    axes = zip(extents_of(op), kernel, op.attr("strides"), pads.before, pads.after, strict=True)
    for extent, k, stride, before, after in axes:
        last = -(-(extent + before + after - k) // stride) * stride
        if last >= extent + before if extent > 0 else stride + after > k:
            return True
    return False


def _counts_padding(op: Operation) -> bool:
    """Whether an average divides by more than a window's part before the end of the padding."""
    if _is_maximum(op) or op.attr("exclusive") or kernel_of(op) is None:
        return False
    pads = _pads(op)
    return pads.same or any(b < a for b, a in zip(pads.before, pads.after, strict=True))


def gets_wrong(op: Operation, opset: int) -> bool:
    """Whether paddle2onnx gets this form of pooling wrong."""
    if channels_last(layout_of(op)):
        return True
    if op.attr("global_pooling"):
        return False
    if op.attr("adaptive"):
        return not _divides(op)
    return drops_windows(op) or _counts_padding(op) or bool(op.attr("ceil_mode") and opset < 10)


@lowering(
    "pool2d",
    "pool3d",
    when=gets_wrong,
    why="paddle2onnx 2.1.0 aborts on channels-last or dynamic adaptive pooling, takes windows of "
    "one size where the output size does not divide, drops windows of ceil_mode, and divides by "
    "other sizes where padding counts",
)
def pool(op: Operation, graph: Graph) -> Tensor:
    """Max or average pooling."""
    layout = layout_of(op)
    x = to_channels_first(graph, op[0], layout)
    return from_channels_first(graph, pooled(op, graph, x), layout)


def pooled(op: Operation, graph: Graph, x: Tensor) -> Tensor:
    """Pool ``x``, which has its channels first."""
    rank, extents = op.rank(), extents_of(op)
    axes = list(range(2, rank))
    maximum = _is_maximum(op)
    if op.attr("global_pooling"):
        return graph.reduce("Max" if maximum else "Mean", x, axes, keepdims=True)
    kernel = kernel_of(op)
    if op.attr("adaptive"):
        sizes = kernel or _computed_sizes(graph, op[1], len(axes))
        return adaptive_pool(graph, x, extents, sizes, maximum=maximum)
    if kernel is None:
        raise CannotLower("its kernel size is not a constant")
    strides, pads = op.attr("strides"), _pads(op)
    counted = _counts_padding(op)
    if pads.same and (counted or op.attr("ceil_mode")):
        raise CannotLower("SAME padding of a dynamic extent with ceil_mode or counted padding")
    if op.attr("ceil_mode"):
        # With stride - 1 more, rounding down gives as many windows as rounding up without.
        more = tuple(end + s - 1 for end, s in zip(pads.after, strides, strict=True))
        pads = Pads(pads.before, more)
    if not maximum and (counted or op.attr("ceil_mode")):
        return _average_of_padded(op, graph, x, kernel, strides, pads)
    if op.attr("ceil_mode"):
        x = pad_spatial(graph, x, pads, LOWEST, rank)
        pads = Pads((0,) * len(axes), (0,) * len(axes))
    window = {"kernel_shape": kernel, "strides": list(strides), **pads.attributes}
    if maximum:
        return graph.emit("MaxPool", x, **window)
    return graph.emit("AveragePool", x, count_include_pad=int(not op.attr("exclusive")), **window)


def _average_of_padded(
    op: Operation,
    graph: Graph,
    x: Tensor,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Pads,
) -> Tensor:
    """Average over windows that may lie behind the image.

    Without exclusive, Paddle ends a window where the padding *before* the image, put behind it,
    would end. The size is 0 (or less) for windows behind that; Paddle divides by it too.
    """
    window: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(strides)}
    padded = pad_spatial(graph, x, pads, 0.0, op.rank())
    result = graph.emit("AveragePool", padded, **window)
    exclusive, extents = bool(op.attr("exclusive")), extents_of(op)
    for axis, (k, stride) in enumerate(zip(kernel, strides, strict=True)):
        before, after = pads.before[axis], pads.after[axis]
        length = extent_along(graph, x, 2 + axis, extents[axis])
        if isinstance(length, int):
            index = numbers(graph, (length + before + after - k) // stride + 1)
        else:
            index = graph.range(0, (length + (before + after - k)) / stride + 1)
        start = index * stride - before
        end = graph.cast(length + (start + k) * 0, "float32")
        end = end if exclusive else end + float(before)
        start = graph.cast(start, "float32")
        size = graph.minimum(start + float(k), end)
        size = size - (graph.maximum(start, 0.0) if exclusive else start)
        share = graph.unsqueeze(graph.cast(size, x.dtype) / float(k), _axes_after(axis, kernel))
        result = result / share
    return result


def _axes_after(axis: int, kernel: Sequence[int]) -> list[int]:
    return list(range(1, len(kernel) - axis))


def _computed_sizes(graph: Graph, sizes: Tensor, count: int) -> list[Tensor]:
    sizes = graph.cast(sizes, "int64")
    return [graph.gather(sizes, graph.constant(axis, "int64")) for axis in range(count)]


@lowering("lp_pool2d")
def lp_pool(op: Operation, graph: Graph) -> Tensor:
    """(sum of x ** p) ** (1 / p), without the absolute value that ONNX's LpPool takes."""
    layout, kernel = layout_of(op), kernel_of(op)
    if kernel is None:
        raise CannotLower("its kernel size is not a constant")
    p = float(op.attr("norm_type"))
    if p in (0.0, float("inf"), float("-inf")):
        raise CannotLower(f"its norm is {p}")
    x = to_channels_first(graph, op[0], layout)
    powered = x * x if p == 2.0 else x**p
    extents, strides = extents_of(op), op.attr("strides")
    if op.attr("global_pooling"):
        summed = graph.sum(powered, [2, 3], keepdims=True)
    elif op.attr("adaptive"):
        raise CannotLower("adaptive Lp pooling")
    else:
        algorithm = op.attr("padding_algorithm", "EXPLICIT")
        pads = paddings(algorithm, op.attr("paddings"), extents, kernel, strides)
        if op.attr("ceil_mode") and not pads.same:
            more = tuple(end + s - 1 for end, s in zip(pads.after, strides, strict=True))
            powered = pad_spatial(graph, powered, Pads(pads.before, more), 0.0, op.rank())
            pads = Pads((0, 0), (0, 0))
        window = {"kernel_shape": kernel, "strides": list(strides), **pads.attributes}
        mean = graph.emit("AveragePool", powered, count_include_pad=1, **window)
        summed = mean * float(kernel[0] * kernel[1])
    result = graph.sqrt(summed) if p == 2.0 else summed ** (1.0 / p)
    return from_channels_first(graph, result, layout)
