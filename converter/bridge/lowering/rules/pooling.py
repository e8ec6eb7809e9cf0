"""Pooling in the forms that paddle2onnx aborts on or gets wrong.

The windows are those of phi/kernels/funcs/pooling.h and .cc; adaptive ones reach from
floor(i * L / O) to ceil((i + 1) * L / O).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

_AVERAGE = ("pool2d", "pool3d")
_INDEXED = ("max_pool2d_with_index", "max_pool3d_with_index")


def _layout(op: Operation) -> str:
    return str(op.attr("data_format", "NCHW"))


def _extents(op: Operation) -> tuple[int, ...]:
    return spatial_extents(op.type(0).shape, _layout(op))


def _kernel(op: Operation) -> list[int] | None:
    """The window, or the output size of adaptive pooling; ``None`` when it is computed."""
    if op.has(1):
        array = op.constant(1)
        return None if array is None else [int(k) for k in array.reshape(-1)]
    return [int(k) for k in op.attr("kernel_size")]


def _is_maximum(op: Operation) -> bool:
    return op.name.endswith("_with_index") or op.attr("pooling_type") == "max"


def _divides(op: Operation) -> bool:
    """Whether paddle2onnx's fixed windows are the adaptive ones: all known, or a global pool."""
    sizes, extents = _kernel(op), _extents(op)
    if sizes is None:
        return False
    if all(size == 1 for size in sizes):
        return True
    return all(e > 0 and size > 0 and e % size == 0 for e, size in zip(extents, sizes, strict=True))


def _pads(op: Operation) -> Pads:
    kernel = _kernel(op)
    assert kernel is not None
    algorithm = str(op.attr("padding_algorithm", "EXPLICIT"))
    return paddings(algorithm, op.attr("paddings"), _extents(op), kernel, op.attr("strides"))


def _drops_windows(op: Operation) -> bool:
    """Whether ceil_mode makes windows that lie behind the image, which ONNX Runtime drops."""
    kernel = _kernel(op)
    if not op.attr("ceil_mode") or kernel is None or _pads(op).same:
        return False
    pads = _pads(op)
    axes = zip(_extents(op), kernel, op.attr("strides"), pads.before, pads.after, strict=True)
    for extent, k, stride, before, after in axes:
        last = -(-(extent + before + after - k) // stride) * stride
        if last >= extent + before if extent > 0 else stride + after > k:
            return True
    return False


def _counts_padding(op: Operation) -> bool:
    """Whether an average divides by more than a window's part before the end of the padding."""
    if _is_maximum(op) or op.attr("exclusive") or _kernel(op) is None:
        return False
    pads = _pads(op)
    return pads.same or any(b < a for b, a in zip(pads.before, pads.after, strict=True))


def _wrong(op: Operation, opset: int) -> bool:
    if channels_last(_layout(op)):
        return True
    if op.attr("global_pooling"):
        return False
    if op.attr("adaptive"):
        return not _divides(op)
    return _drops_windows(op) or _counts_padding(op) or bool(op.attr("ceil_mode") and opset < 10)


@lowering(
    *_AVERAGE,
    when=_wrong,
    why="paddle2onnx 2.1.0 aborts on channels-last or dynamic adaptive pooling, takes windows of "
    "one size where the output size does not divide, drops windows of ceil_mode, and divides by "
    "other sizes where padding counts",
)
def pool(op: Operation, graph: Graph) -> Tensor:
    """Max or average pooling."""
    layout = _layout(op)
    x = to_channels_first(graph, op[0], layout)
    return from_channels_first(graph, _pool(op, graph, x), layout)


def _pool(op: Operation, graph: Graph, x: Tensor) -> Tensor:
    rank, extents = op.rank(), _extents(op)
    axes = list(range(2, rank))
    maximum = _is_maximum(op)
    if op.attr("global_pooling"):
        return graph.reduce("Max" if maximum else "Mean", x, axes, keepdims=True)
    kernel = _kernel(op)
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
    exclusive, extents = bool(op.attr("exclusive")), _extents(op)
    for axis, (k, stride) in enumerate(zip(kernel, strides, strict=True)):
        before, after = pads.before[axis], pads.after[axis]
        length = _extent(graph, x, 2 + axis, extents[axis])
        if isinstance(length, int):
            index = _count(graph, (length + before + after - k) // stride + 1)
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


def adaptive_pool(
    graph: Graph,
    x: Tensor,
    extents: Sequence[int],
    sizes: Sequence[int | Tensor],
    *,
    maximum: bool,
) -> Tensor:
    """Adaptive pooling of ``x`` (channels first) to ``sizes``, one spatial axis after another."""
    if all(isinstance(size, int) and size == 1 for size in sizes):
        axes = list(range(2, 2 + len(sizes)))
        return graph.reduce("Max" if maximum else "Mean", x, axes, keepdims=True)
    rank = 2 + len(sizes)
    for axis, (extent, size) in enumerate(zip(extents, sizes, strict=True), start=2):
        if isinstance(size, int) and (size == extent or size < 0):
            continue
        if isinstance(size, int) and size == 1:
            x = graph.reduce("Max" if maximum else "Mean", x, [axis], keepdims=True)
        elif maximum:
            x = _max_along(graph, x, axis, extent, size)
        else:
            x = _mean_along(graph, x, axis, rank, extent, size)
    return x


def _mean_along(
    graph: Graph, x: Tensor, axis: int, rank: int, extent: int, size: int | Tensor
) -> Tensor:
    """Multiply by a matrix whose row i is 1 / length inside window i, else 0."""
    length = _extent(graph, x, axis, extent)
    start, end = _windows(graph, length, size)
    place = graph.range(0, length) if isinstance(length, Tensor) else _count(graph, length)
    inside = graph.cast(_at_least(graph, place, start) & ~_at_least(graph, place, end), x.dtype)
    weights = inside / graph.cast(end - start, x.dtype)
    if axis == rank - 2:
        return weights @ x
    weights = graph.transpose(weights, [1, 0])
    if axis == rank - 1:
        return x @ weights
    order = [other for other in range(rank) if other != axis] + [axis]
    back = [order.index(other) for other in range(rank)]
    return graph.transpose(graph.transpose(x, order) @ weights, back)


def _at_least(graph: Graph, x: Tensor, y: Tensor) -> Tensor:
    """x >= y of integers, which ONNX compares from opset 9 on."""
    graph.since(9, "adaptive pooling of windows of several sizes")
    return ~(x < y)


def _max_along(graph: Graph, x: Tensor, axis: int, extent: int, size: int | Tensor) -> Tensor:
    """Gather every window, its last element repeated up to the longest window, and reduce."""
    length = _extent(graph, x, axis, extent)
    start, end = _windows(graph, length, size)
    if isinstance(length, int) and isinstance(size, int):
        longest = max(-(-(i + 1) * length // size) - i * length // size for i in range(size))
        within = _count(graph, longest)
    else:
        within = graph.range(0, graph.reduce("Max", end - start))
    places = graph.minimum(start + within, end - 1)
    return graph.reduce("Max", graph.gather(x, places, axis), [axis + 1])


def _extent(graph: Graph, x: Tensor, axis: int, extent: int) -> int | Tensor:
    if extent >= 0:
        return extent
    return graph.gather(graph.shape(x), graph.constant(axis, "int64"))


def _count(graph: Graph, stop: int) -> Tensor:
    return graph.ints(*range(stop))


def _windows(graph: Graph, length: int | Tensor, size: int | Tensor) -> tuple[Tensor, Tensor]:
    """Starts and ends of the windows as columns [size, 1]."""
    if isinstance(length, int) and isinstance(size, int):
        start = [[i * length // size] for i in range(size)]
        end = [[-(-(i + 1) * length // size)] for i in range(size)]
        return graph.constant(start, "int64"), graph.constant(end, "int64")
    index = graph.range(0, size) if isinstance(size, Tensor) else _count(graph, size)
    column = graph.unsqueeze(index, [1])
    begin = column * length
    return begin / size, (begin + length + size - 1) / size


# Maximum with indices


def _wrong_indexed(op: Operation, opset: int) -> bool:
    return op.used(1) or _wrong(op, opset)


@lowering(
    *_INDEXED,
    when=_wrong_indexed,
    why="paddle2onnx 2.1.0 leaves the indices out, aborts on dynamic adaptive pooling, and takes "
    "windows of one size where the output size does not divide",
)
def max_pool_with_index(op: Operation, graph: Graph) -> list[Tensor | None]:
    """Max pooling; the index counts along the flattened spatial axes of the unpadded image."""
    if not op.used(1):
        return [_pool(op, graph, op[0]), None]
    x, kernel = op[0], _kernel(op)
    assert kernel is not None
    if op.attr("global_pooling"):
        return list(_indexed_windows(op, graph, x, (1,) * len(kernel)))
    if op.attr("adaptive"):
        return list(_indexed_windows(op, graph, x, tuple(kernel)))
    graph.since(8, "MaxPool with indices")
    if _drops_windows(op):
        raise CannotLower("ceil_mode makes windows that lie behind the image, which have no index")
    ceil = bool(op.attr("ceil_mode"))
    if ceil:
        graph.since(10, "MaxPool with ceil_mode and indices")
    pads = Pads(tuple(op.attr("paddings")), tuple(op.attr("paddings")))
    values, indices = graph.emit_all(
        "MaxPool",
        (x,),
        [x.dtype, "int64"],
        [x.rank, x.rank],
        kernel_shape=kernel,
        strides=list(op.attr("strides")),
        ceil_mode=1 if ceil else None,
        **pads.attributes,
    )
    # ONNX counts through the whole tensor, Paddle within an image.
    image = _image_size(op, graph, x)
    return [values, indices - (indices / image) * image]


def _image_size(op: Operation, graph: Graph, x: Tensor) -> Tensor:
    extents = _extents(op)
    if min(extents) > 0:
        size = 1
        for extent in extents:
            size *= extent
        return graph.constant(size, "int64")
    sizes = graph.slice(graph.shape(x), [2], [op.rank()], [0])
    return graph.cast(graph.reduce("Prod", graph.cast(sizes, "float32")), "int64")


def _indexed_windows(
    op: Operation, graph: Graph, x: Tensor, sizes: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Adaptive windows one by one, for their indices: flatten each and take its largest."""
    extents, rank = _extents(op), op.rank()
    if min(extents) < 0:
        raise CannotLower("the indices of adaptive pooling with dynamic extents")
    import numpy as np

    spatial = len(sizes)
    plane = int(np.prod(extents))
    places = np.arange(plane).reshape(extents)
    rows = [
        places[tuple(_window(i, e, s) for i, e, s in zip(at, extents, sizes, strict=True))].ravel()
        for at in np.ndindex(*sizes)
    ]
    return _largest_of(graph, x, rows, sizes, rank - spatial)


def _window(index: int, extent: int, size: int) -> slice:
    return slice(index * extent // size, -(-(index + 1) * extent // size))


def _largest_of(
    graph: Graph, x: Tensor, rows: Sequence[object], sizes: Sequence[int], spatial_axis: int
) -> tuple[Tensor, Tensor]:
    """The largest element of each row of places, and its place; ties go to the first."""
    import numpy as np

    arrays = [np.asarray(row) for row in rows]
    longest = max(len(row) for row in arrays)
    table = np.stack([np.pad(row, (0, longest - len(row)), mode="edge") for row in arrays])
    graph.since(11, "the indices of windows of several sizes")
    flat = graph.reshape(x, [*([0] * spatial_axis), -1])
    taken = graph.gather(flat, graph.constant(table, "int64"), spatial_axis)
    best = graph.emit("ArgMax", taken, dtype="int64", axis=-1, keepdims=1)
    values = graph.gather_elements(taken, best, -1)
    wide = graph.constant(table.reshape(1, 1, *table.shape), "int64")
    wide = graph.expand(wide, graph.shape(taken), rank=4)
    found = graph.gather_elements(wide, best, -1)
    shape = [*([0] * spatial_axis), *sizes]
    return graph.reshape(values, shape), graph.reshape(found, shape)


# Other kinds of pooling


@lowering("lp_pool2d")
def lp_pool(op: Operation, graph: Graph) -> Tensor:
    """(sum of x ** p) ** (1 / p), without the absolute value that ONNX's LpPool takes."""
    layout, kernel = _layout(op), _kernel(op)
    if kernel is None:
        raise CannotLower("its kernel size is not a constant")
    p = float(op.attr("norm_type"))
    if p in (0.0, float("inf"), float("-inf")):
        raise CannotLower(f"its norm is {p}")
    x = to_channels_first(graph, op[0], layout)
    powered = x * x if p == 2.0 else x**p
    extents, strides = _extents(op), op.attr("strides")
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


@lowering("fractional_max_pool2d", "fractional_max_pool3d")
def fractional_max_pool(op: Operation, graph: Graph) -> list[Tensor | None]:
    """Pseudo-random windows from ``random_u`` (FractionalStartIndex of funcs/pooling.h)."""
    import numpy as np

    u, extents = float(op.attr("random_u")), op.type(0).shape[2:]
    sizes = [int(size) for size in op.attr("output_size")]
    pools = [int(size) for size in op.attr("kernel_size")]
    if u == 0:
        raise CannotLower("its windows are drawn anew in each run")
    if min(extents) < 0:
        raise CannotLower("its input has dynamic extents")
    places = np.arange(int(np.prod(extents))).reshape(extents)
    axes = [
        _fractional(u, extent, size, pool)
        for extent, size, pool in zip(extents, sizes, pools, strict=True)
    ]
    rows = [
        places[tuple(windows[i] for windows, i in zip(axes, at, strict=True))].ravel()
        for at in np.ndindex(*sizes)
    ]
    values, indices = _largest_of(graph, op[0], rows, sizes, 2)
    return [values, indices]


def _fractional(drawn: float, extent: int, size: int, pool: int) -> list[slice]:
    import numpy as np

    f = np.float32
    alpha = f((f(extent) - f(pool)) / f(size - (1 if pool > 0 else 0)))
    u = f(drawn)
    if pool <= 0:
        base = extent // size
        most = min(f(base + 2) / alpha - f(1), f(extent + 1 - base) / alpha - f(size - 1))
        u = f(u * most)
    windows = []
    for i in range(size):
        start = int((f(i) + u) * alpha) - int(u * alpha)
        end = start + pool if pool > 0 else int((f(i + 1) + u) * alpha) - int(u * alpha)
        windows.append(slice(max(start, 0), min(end, extent)))
    return windows


@lowering("unpool", "unpool3d")
def unpool(op: Operation, graph: Graph) -> Tensor:
    """Put each element at its index of a zero image; indices that meet hold the same value."""
    rank = op.rank()
    spatial = rank - 2
    shape = op.result_type().shape[2:]
    x = graph.reshape(op[0], [0, 0, -1])
    indices = graph.reshape(graph.cast(op[1], "int64"), [0, 0, -1])
    if min(shape) > 0:
        size = 1
        for extent in shape:
            size *= extent
        count: Tensor = graph.ints(size)
        extents: Tensor = graph.ints(*shape)
    elif op.has(2):
        extents = graph.cast(op[2], "int64")
        product = graph.reduce("Prod", graph.cast(extents, "float32"), [0], keepdims=True)
        count = graph.cast(product, "int64")
    else:
        raise CannotLower("its output size is dynamic")
    outer = graph.slice(graph.shape(op[0]), [0], [2], [0])
    zeros = graph.filled(graph.concat([outer, count], 0), 0, x.dtype, rank=3)
    kind = "ScatterElements" if graph.opset >= 11 else "Scatter"
    (flat,) = graph.emit_all(kind, (zeros, indices, x), [x.dtype], [3], axis=2)
    return graph.reshape(flat, graph.concat([outer, extents], 0), rank=2 + spatial)
