"""Reading tensors piece by piece, and the difference of two pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from converter.errors import InternalError

Array: TypeAlias = npt.NDArray[Any]
Float64s: TypeAlias = npt.NDArray[np.float64]

#: Elements per chunk: 512 KiB as float64, so a chunk and its temporaries stay in the CPU's cache.
CHUNK = 1 << 16

#: Smallest normal number of bfloat16, which has float32's exponent range.
_BFLOAT16_TINY = 2.0**-126

#: Two to any smaller exponent, and to its negative, is a normal float64.
_LARGEST_EXPONENT = 1022


def is_integral(dtype: np.dtype[Any]) -> bool:
    """Whether values of ``dtype`` are bools or integers, which are compared exactly."""
    return dtype.kind in "biu"


def is_comparable(dtype: np.dtype[Any]) -> bool:
    """Whether this module can compare ``dtype``: not complex, text, objects or long doubles."""
    real = dtype.kind == "f" and dtype.itemsize <= 8
    return is_integral(dtype) or real or dtype.name == "bfloat16"


def chunks(*tensors: Array) -> Iterator[tuple[Array, ...]]:
    """Yield aligned, non-empty, 1-D pieces of at most ``CHUNK`` elements, in C order."""
    same_shape(*tensors)
    flat = [tensor.reshape(-1) for tensor in tensors]
    for start in range(0, flat[0].size, CHUNK):
        yield tuple(piece[start : start + CHUNK] for piece in flat)


def same_shape(*tensors: Array) -> None:
    """Raise ``InternalError`` unless all have one shape: numpy would broadcast."""
    shapes = [tensor.shape for tensor in tensors]
    if len(set(shapes)) > 1:
        raise InternalError(f"metrics of shapes {shapes}", hint="compare shapes first")


def finite(chunk: Array) -> Float64s:
    """Return a chunk in float64, non-finite elements replaced by 0."""
    values: Float64s = chunk.astype(np.float64)
    if not all_finite(values):
        values[~np.isfinite(values)] = 0.0
    return values


def all_finite(*chunks: Array) -> bool:
    """Whether no element is NaN or infinite: most chunks, which need no care then."""
    return all(bool(np.isfinite(chunk).all()) for chunk in chunks)


def scaled_by_power(values: Float64s, exponent: int) -> Float64s:
    """``values * 2^exponent``, for any exponent of a float64."""
    if abs(exponent) < _LARGEST_EXPONENT:  # several times as fast, and as exact
        return values * 2.0**exponent
    return np.ldexp(values, exponent)


def difference(b: Array, a: Array) -> Float64s:
    """``|a - b|`` of two chunks, under the conventions above."""
    if is_integral(b.dtype) and is_integral(a.dtype):
        return _integer_difference(b, a)
    x, y = b.astype(np.float64), a.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        apart: Float64s = np.abs(x - y)
    if not all_finite(apart):
        apart[(x == y) | (np.isnan(x) & np.isnan(y))] = 0.0
    return apart


def _integer_difference(b: Array, a: Array) -> Float64s:
    """Exact ``|a - b|``: casting to uint64 and subtracting are modulo 2^64, so the larger minus
    the smaller is right whenever it is below 2^64, which it is between any two of one signedness.
    """
    if b.dtype.kind != a.dtype.kind:
        # int against uint64 can differ by more than 2^64: split off the negative values.
        x, y = (np.where(part < 0, 0, part).astype(np.uint64) for part in (b, a))
        below = [np.where(part < 0, part, 0).astype(np.float64) for part in (b, a)]
        apart: Float64s = (np.maximum(x, y) - np.minimum(x, y)).astype(np.float64)
        apart += np.abs(below[0] - below[1])
        return apart
    high, low = np.maximum(b, a), np.minimum(b, a)
    return (high.astype(np.uint64) - low.astype(np.uint64)).astype(np.float64)


def tiny(dtype: np.dtype[Any]) -> float:
    """The smallest normal number of ``dtype``; 1 for integers and bools."""
    if is_integral(dtype):
        return 1.0
    return float(np.finfo(dtype).tiny) if dtype.kind == "f" else _BFLOAT16_TINY


def relative(b: Array, a: Array) -> Float64s:
    """``|a - b| / max(|b|, tiny)`` of two chunks, 0 where they agree, inf beside an infinity.

    Tiny is the smallest normal number of b's dtype, 1 for integers. A large value next to a zero of
    the reference is therefore huge, which is why the gate does not use it; it is for the reader.
    """
    apart = difference(b, a)
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(b.astype(np.float64)), tiny(b.dtype))
        ratio: Float64s = apart / size
    if not all_finite(ratio):
        ratio[apart == 0] = 0.0
        ratio[np.isinf(apart)] = np.inf
    return ratio
