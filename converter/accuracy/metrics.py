"""How far one tensor is from another: pure functions of ``(reference, candidate)``.

Conventions, for every function here:

* ``a`` is the candidate, ``b`` the reference; both have one shape, else ``InternalError``.
* Floats are compared in float64; integers and bools by their exact difference (no overflow, even
  between the int64 extremes), which is rounded once, to float64.
* Equal infinities, and NaN against NaN, differ by 0. An infinity against anything else differs by
  inf, NaN against anything else by NaN, and a NaN difference makes the whole metric NaN.
* A tensor without elements has difference 0. That nothing was compared is for the gate to say.
* Memory: tensors are read in chunks of ``CHUNK`` elements; no tensor is ever held in float64. A
  non-contiguous tensor is copied once, in its own dtype.

Accepted dtypes: bool, integers, float16/32/64 and ml_dtypes' bfloat16 (``is_comparable``).
"""

from __future__ import annotations

import math
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


def is_integral(dtype: np.dtype[Any]) -> bool:
    """Whether values of ``dtype`` are bools or integers, which are compared exactly."""
    return dtype.kind in "biu"


def is_comparable(dtype: np.dtype[Any]) -> bool:
    """Whether this module can compare ``dtype``: not complex, text, objects or long doubles."""
    real = dtype.kind == "f" and dtype.itemsize <= 8
    return is_integral(dtype) or real or dtype.name == "bfloat16"


def max_abs(reference: Array, candidate: Array) -> float:
    """``max |a - b|``, in the tensors' unit."""
    worst = 0.0
    for b, a in _chunks(reference, candidate):
        worst = float(np.maximum(worst, _difference(b, a).max()))
    return worst


def max_rel(reference: Array, candidate: Array) -> float:
    """``max(|a - b| / max(|b|, tiny))``, with tiny the smallest normal number of b's dtype.

    Tiny is 1 for integers. A large value next to a zero of the reference is therefore huge, which
    is why the gate does not use this metric; it is for the reader.
    """
    tiny = _tiny(reference.dtype)
    worst = 0.0
    for b, a in _chunks(reference, candidate):
        difference = _difference(b, a)
        ratio = np.zeros_like(difference)
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(b.astype(np.float64)), tiny)
            np.divide(difference, size, out=ratio, where=difference != 0)
        ratio[np.isinf(difference)] = np.inf
        worst = float(np.maximum(worst, ratio.max()))
    return worst


def peak(tensor: Array) -> float:
    """``max |b|`` over the finite elements; 0 when there are none."""
    highest = 0.0
    for (chunk,) in _chunks(tensor):
        highest = max(highest, float(np.abs(_finite(chunk)).max()))
    return highest


def scaled(reference: Array, candidate: Array) -> float:
    """``max |a - b| / max |b|``: the difference in units of the largest reference value.

    0 when nothing differs, inf when only the reference is all zero.
    """
    return _ratio(max_abs(reference, candidate), peak(reference))


def rms(tensor: Array) -> float:
    """``sqrt(sum(b^2) / n)`` over n elements, non-finite ones counting as 0; 0 when n is 0."""
    return _norm(tensor) / math.sqrt(tensor.size) if tensor.size else 0.0


def relative_l2(reference: Array, candidate: Array) -> float:
    """``||a - b||2 / ||b||2`` over elements; 0 when nothing differs, inf when only b is all zero.

    Positions that hold the same infinity, or NaN, in both count as 0 in both norms.
    """
    worst = max_abs(reference, candidate)
    if not math.isfinite(worst):
        return worst
    exponent = math.frexp(worst)[1]
    total = 0.0
    for b, a in _chunks(reference, candidate):
        total += float(np.square(np.ldexp(_difference(b, a), -exponent)).sum())
    return _ratio(math.sqrt(total), _norm(reference, -exponent))


def cosine(reference: Array, candidate: Array) -> float:
    """``a.b / (||a|| ||b||)`` of the flattened tensors, in [-1, 1].

    Two zero (or empty) tensors point the same way: 1.0. A zero tensor against a non-zero one: 0.0.
    A tensor against itself is exactly 1.0. NaN when the tensors' NaN and infinity patterns differ;
    positions that hold the same infinity, or NaN, in both are left out. Both sides are scaled by a
    power of two first, so that neither denormals nor huge values vanish when squared.
    """
    if pattern_mismatch(reference, candidate)[0]:
        return math.nan
    size_b, size_a = peak(reference), peak(candidate)
    if size_b == 0 or size_a == 0:
        return 1.0 if size_b == size_a else 0.0
    shift_b, shift_a = -math.frexp(size_b)[1], -math.frexp(size_a)[1]
    dot = square_b = square_a = 0.0
    for b, a in _chunks(reference, candidate):
        b, a = np.ldexp(_finite(b), shift_b), np.ldexp(_finite(a), shift_a)
        dot += float((a * b).sum())
        square_b += float((b * b).sum())
        square_a += float((a * a).sum())
    return max(-1.0, min(1.0, dot / math.sqrt(square_a * square_b)))


def argmax_agreement(reference: Array, candidate: Array) -> float | None:
    """Return the share of rows (along the last axis) whose candidate argmax is right, in [0, 1].

    Defined for float tensors of rank 2 (item, class) or 3 (item, step, class) with at least one
    row and two classes; None otherwise, because the last axis of a map is its width and an
    integer output has already been decoded. A choice is right when the reference has its maximum
    there, so equal top scores do not count as disagreement. A row with a NaN is right when both
    tensors have their first NaN at one place.
    """
    _same_shape(reference, candidate)
    if is_integral(reference.dtype) or reference.ndim not in (2, 3):
        return None
    if not reference.size or reference.shape[-1] < 2:
        return None
    step = max(1, CHUNK // reference.shape[-1])
    stacked = (reference, candidate) if reference.ndim == 3 else (reference[None], candidate[None])
    right = 0
    for matrix_b, matrix_a in zip(*stacked, strict=True):
        for start in range(0, len(matrix_b), step):
            b, a = matrix_b[start : start + step], matrix_a[start : start + step]
            best, choice = b.argmax(axis=1), a.argmax(axis=1)
            row = np.arange(len(b))
            right += int(((best == choice) | (b[row, choice] == b[row, best])).sum())
    return right / int(reference.size // reference.shape[-1])


def count_nan(tensor: Array) -> int:
    """Return the number of NaN elements."""
    return sum(int(np.isnan(_float(chunk)).sum()) for (chunk,) in _chunks(tensor))


def count_inf(tensor: Array) -> int:
    """Return the number of infinite elements, of either sign."""
    return sum(int(np.isinf(_float(chunk)).sum()) for (chunk,) in _chunks(tensor))


def pattern_mismatch(reference: Array, candidate: Array) -> tuple[int, int]:
    """Count the positions where one tensor is NaN, inf or -inf and the other is not the same.

    Returns the count and the flat (C order) index of the first, -1 when the count is 0.
    """
    count, first, offset = 0, -1, 0
    for b, a in _chunks(reference, candidate):
        x, y = _float(b), _float(a)
        odd = ~(np.isfinite(x) & np.isfinite(y)) & (x != y) & ~(np.isnan(x) & np.isnan(y))
        if count == 0 and odd.any():
            first = offset + int(odd.argmax())
        count += int(odd.sum())
        offset += b.size
    return count, first


def worst_index(reference: Array, candidate: Array) -> int:
    """Return the flat (C order) index of the first largest difference (NaN wins), -1 when empty."""
    worst, index, offset = -1.0, -1, 0
    for b, a in _chunks(reference, candidate):
        difference = _difference(b, a)
        here = int(difference.argmax())
        value = float(difference[here])
        if not value <= worst:
            worst, index = value, offset + here
        if math.isnan(value):
            return index
        offset += b.size
    return index


def is_constant(tensor: Array) -> bool:
    """Whether all elements are equal (NaN equals NaN); True when there are fewer than two."""
    flat = tensor.reshape(-1)
    first = flat[:1]
    if first.size and first[0] != first[0]:
        return count_nan(tensor) == tensor.size
    return all(bool((chunk == first).all()) for (chunk,) in _chunks(tensor))


def _chunks(*tensors: Array) -> Iterator[tuple[Array, ...]]:
    """Yield aligned, non-empty, 1-D pieces of at most ``CHUNK`` elements, in C order."""
    _same_shape(*tensors)
    flat = [tensor.reshape(-1) for tensor in tensors]
    for start in range(0, flat[0].size, CHUNK):
        yield tuple(piece[start : start + CHUNK] for piece in flat)


def _same_shape(*tensors: Array) -> None:
    shapes = [tensor.shape for tensor in tensors]
    if len(set(shapes)) > 1:
        raise InternalError(f"metrics of shapes {shapes}", hint="compare shapes first")


def _float(chunk: Array) -> Array:
    """Return a chunk in a dtype that numpy's float functions take."""
    return chunk if chunk.dtype.kind == "f" else chunk.astype(np.float64)


def _finite(chunk: Array) -> Float64s:
    """Return a chunk in float64, non-finite elements replaced by 0."""
    values: Float64s = chunk.astype(np.float64)
    values[~np.isfinite(values)] = 0.0
    return values


def _difference(b: Array, a: Array) -> Float64s:
    """``|a - b|`` of two chunks, under the conventions above."""
    if is_integral(b.dtype) and is_integral(a.dtype):
        return _integer_difference(b, a)
    x, y = b.astype(np.float64), a.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        difference: Float64s = np.abs(x - y)
    difference[(x == y) | (np.isnan(x) & np.isnan(y))] = 0.0
    return difference


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


def _norm(tensor: Array, shift: int = 0) -> float:
    """``2^shift * ||b||2`` without overflow or underflow on the way (inf when it is too large)."""
    highest = peak(tensor)
    if highest == 0:
        return 0.0
    exponent = math.frexp(highest)[1]
    total = 0.0
    for (chunk,) in _chunks(tensor):
        total += float(np.square(np.ldexp(_finite(chunk), -exponent)).sum())
    with np.errstate(over="ignore"):
        return float(np.ldexp(math.sqrt(total), exponent + shift))


def _ratio(part: float, whole: float) -> float:
    if part == 0:
        return 0.0
    return part / whole if whole else part * math.inf  # NaN stays NaN


def _tiny(dtype: np.dtype[Any]) -> float:
    if is_integral(dtype):
        return 1.0
    return float(np.finfo(dtype).tiny) if dtype.kind == "f" else _BFLOAT16_TINY


def value_range(tensor: Array) -> tuple[float, float]:
    """The smallest and largest finite element; (0, 0) when there is none."""
    values = tensor.astype(np.float64).reshape(-1)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
