"""Maxima with their places: pooling with indices, fractional pooling, and putting maxima back."""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.rules.pooling import (
    drops_windows,
    extents_of,
    gets_wrong,
    kernel_of,
    pooled,
)
from converter.bridge.lowering.spatial import Pads


def _gets_wrong(op: Operation, opset: int) -> bool:
    return op.used(1) or gets_wrong(op, opset)


@lowering(
    "max_pool2d_with_index",
    "max_pool3d_with_index",
    when=_gets_wrong,
    why="paddle2onnx 2.1.0 leaves the indices out, aborts on dynamic adaptive pooling, and takes "
    "windows of one size where the output size does not divide",
)
def max_pool_with_index(op: Operation, graph: Graph) -> list[Tensor | None]:
    """Max pooling; the index counts along the flattened spatial axes of the unpadded image."""
    if not op.used(1):
        return [pooled(op, graph, op[0]), None]
    x, kernel = op[0], kernel_of(op)
    if kernel is None:
        raise CannotLower("its window is computed by the program")
    if op.attr("global_pooling"):
        return list(_indexed_windows(op, graph, x, (1,) * len(kernel)))
    if op.attr("adaptive"):
        return list(_indexed_windows(op, graph, x, tuple(kernel)))
    graph.since(8, "MaxPool with indices")
    if drops_windows(op):
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
    extents = extents_of(op)
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
    extents, rank = extents_of(op), op.rank()
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
