"""Discrete Fourier transforms as products with real matrices, one axis at a time.

n * n multiplications for an axis of n instead of n * log(n), on operators that every runtime and
opset has. The axes transformed have to be of known extent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Complex, Operation
from converter.bridge.lowering.registry import lowering

if TYPE_CHECKING:
    import numpy as np

#: Above this extent the matrices would be larger than 128 MB.
LARGEST = 4096


def _angles(extent: int, outputs: int) -> np.ndarray[Any, Any]:
    """2 * pi * n * k / extent, n down and k across; the product reduced exactly before."""
    import numpy as np

    product = np.outer(np.arange(extent), np.arange(outputs)) % extent
    return 2 * math.pi * product / extent


def _factor(op: Operation, extents: Sequence[int]) -> float:
    """What the result is multiplied by: 1, 1 / n or 1 / sqrt(n)."""
    size, norm = math.prod(extents), op.attr("normalization")
    if norm == "ortho":
        return 1 / math.sqrt(size)
    return 1 / size if (norm == "forward") == bool(op.attr("forward")) else 1.0


def _axes(op: Operation) -> list[int]:
    return [op.axis(int(axis)) for axis in op.attr("axes")]


def _known(op: Operation, axis: int) -> int:
    extent = op.type(0).shape[axis]
    if extent < 0:
        raise CannotLower(f"axis {axis}, which it transforms, has a dynamic extent")
    if extent > LARGEST:
        raise CannotLower(f"axis {axis} has {extent} elements, more than {LARGEST}")
    return extent


def _times(graph: Graph, x: Tensor, matrix: object, axis: int) -> Tensor:
    """``x`` with ``axis`` multiplied by a matrix."""
    rank = x.rank or 1
    order = [*(other for other in range(rank) if other != axis), axis]
    result = graph.transpose(x, order) @ graph.constant(matrix, x.dtype)
    return graph.transpose(result, [order.index(place) for place in range(rank)])


def _transform(graph: Graph, x: Complex, axis: int, extent: int, forward: bool) -> Complex:
    import numpy as np

    angles = _angles(extent, extent)
    cosine, sine = np.cos(angles), np.sin(angles) * (-1 if forward else 1)
    return Complex(
        _times(graph, x.real, cosine, axis) - _times(graph, x.imag, sine, axis),
        _times(graph, x.real, sine, axis) + _times(graph, x.imag, cosine, axis),
    )


@lowering("fft_c2c")
def fft_c2c(op: Operation, graph: Graph) -> Complex:
    """sum over n of x[n] * exp(-+ 2 pi i n k / N), along each axis."""
    x, axes = op.complex(0), _axes(op)
    extents = [_known(op, axis) for axis in axes]
    for axis, extent in zip(axes, extents, strict=True):
        x = _transform(graph, x, axis, extent, bool(op.attr("forward")))
    factor = _factor(op, extents)
    return x if factor == 1 else Complex(x.real * factor, x.imag * factor)


@lowering("fft_r2c", why="paddle2onnx 2.1.0 has no complex numbers")
def fft_r2c(op: Operation, graph: Graph) -> Complex:
    """The last axis from real numbers, half of it if one-sided, then the others."""
    import numpy as np

    x, axes = op[0], _axes(op)
    extents = [_known(op, axis) for axis in axes]
    last, extent = axes[-1], extents[-1]
    angles = _angles(extent, extent // 2 + 1 if op.attr("onesided") else extent)
    sign = -1 if op.attr("forward") else 1
    result = Complex(
        _times(graph, x, np.cos(angles), last), _times(graph, x, sign * np.sin(angles), last)
    )
    for axis, size in zip(axes[:-1], extents[:-1], strict=True):
        result = _transform(graph, result, axis, size, bool(op.attr("forward")))
    factor = _factor(op, extents)
    return result if factor == 1 else Complex(result.real * factor, result.imag * factor)


@lowering("fft_c2r")
def fft_c2r(op: Operation, graph: Graph) -> Tensor:
    """The last axis stands for a Hermitian spectrum: all but its ends count twice."""
    import numpy as np

    x, axes = op.complex(0), _axes(op)
    forward, last = bool(op.attr("forward")), axes[-1]
    stored = _known(op, last)
    extent = int(op.attr("last_dim_size", 0)) or 2 * (stored - 1)
    extents = [_known(op, axis) for axis in axes[:-1]]
    for axis, size in zip(axes[:-1], extents, strict=True):
        x = _transform(graph, x, axis, size, forward)
    used = extent // 2 + 1
    angles = _angles(extent, used).T
    weights = np.full((used, 1), 2.0)
    weights[0] = 1.0
    if extent % 2 == 0:
        weights[-1] = 1.0
    if used > stored:
        raise CannotLower("it asks for more elements than the spectrum has")
    parts = [x.real, x.imag]
    if used < stored:
        parts = [graph.slice(part, [0], [used], [last]) for part in parts]
    sign = -1 if not forward else 1
    result = _times(graph, parts[0], weights * np.cos(angles), last) + _times(
        graph, parts[1], sign * weights * np.sin(angles), last
    )
    factor = _factor(op, [*extents, extent])
    return result if factor == 1 else result * factor


@lowering("frame")
def frame(op: Operation, graph: Graph) -> Tensor:
    """Windows: [.., window, frame] of the last axis, [frame, window, ..] of the first."""
    x, size = op[0], int(op.attr("frame_length"))
    return _frames(op, graph, x, size, int(op.attr("hop_length")), int(op.attr("axis", -1)))


def _frames(op: Operation, graph: Graph, x: Tensor, size: int, hop: int, axis: int) -> Tensor:
    rank = op.rank()
    place = 0 if axis == 0 and rank > 1 else rank - 1
    extent = op.type(0).shape[place]
    inside = graph.constant([[offset] for offset in range(size)], "int64")
    if extent >= 0:
        starts = graph.constant([list(range(0, extent - size + 1, hop))], "int64")
    else:
        last = graph.scalar(graph.extent(x, place)) - (size - 1)
        starts = graph.unsqueeze(graph.range(0, last, hop), [0])
    index = inside + starts
    if axis == 0:
        index = graph.transpose(index, [1, 0])
    return graph.gather(x, index, axis=place)


@lowering("overlap_add")
def overlap_add(op: Operation, graph: Graph) -> Tensor:
    """Frames added up where they lie, by a matrix of ones."""
    import numpy as np

    hop, axis, shape = int(op.attr("hop_length")), int(op.attr("axis", -1)), op.type(0).shape
    rank = len(shape)
    first = axis == 0
    size, count = (shape[1], shape[0]) if first else (shape[-2], shape[-1])
    if size < 0 or count < 0:
        raise CannotLower("the number or length of its frames is dynamic")
    length = (count - 1) * hop + size
    if size * count * length > 1 << 24:
        raise CannotLower("its output is too large for one matrix")
    matrix = np.zeros((size, count, length))
    for number in range(count):
        matrix[np.arange(size), number, np.arange(size) + number * hop] = 1
    x = op[0]
    if first:  # [count, size, ..] -> [.., size, count]
        x = graph.transpose(x, [*range(2, rank), 1, 0])
    rest = [op.extents()[axis] for axis in (range(2, rank) if first else range(rank - 2))]
    flat = graph.reshape(x, graph.join(*rest, size * count), rank=rank - 1)
    result = flat @ graph.constant(matrix.reshape(size * count, length), x.dtype)
    return graph.transpose(result, [rank - 2, *range(rank - 2)]) if first else result


@lowering("stft")
def stft(op: Operation, graph: Graph) -> Complex:
    """The transform of windowed frames: [.., frequency, frame]."""
    import numpy as np

    size, hop = int(op.attr("n_fft")), int(op.attr("hop_length"))
    if size > LARGEST:
        raise CannotLower(f"its frames have more than {LARGEST} elements")
    frames = _frames(op, graph, op[0], size, hop, -1)
    frames = frames * graph.unsqueeze(op[1], [1])
    angles = _angles(size, size // 2 + 1 if op.attr("onesided") else size).T
    factor = 1 / math.sqrt(size) if op.attr("normalized") else 1.0
    return Complex(
        graph.constant(np.cos(angles) * factor, frames.dtype) @ frames,
        graph.constant(-np.sin(angles) * factor, frames.dtype) @ frames,
    )
