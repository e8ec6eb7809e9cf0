"""Where tensors are NaN, infinite, or all the same."""

from __future__ import annotations

import numpy as np

from converter.accuracy.metrics.tensors import Array, all_finite, chunks


def count_nan(tensor: Array) -> int:
    """Return the number of NaN elements."""
    return sum(int(np.count_nonzero(np.isnan(chunk))) for (chunk,) in chunks(tensor))


def count_inf(tensor: Array) -> int:
    """Return the number of infinite elements, of either sign."""
    return sum(int(np.count_nonzero(np.isinf(chunk))) for (chunk,) in chunks(tensor))


def pattern_mismatch(reference: Array, candidate: Array) -> tuple[int, int]:
    """Count the positions where one tensor is NaN, inf or -inf and the other is not the same.

    Returns the count and the flat (C order) index of the first, -1 when the count is 0.
    """
    count, first, offset = 0, -1, 0
    for b, a in chunks(reference, candidate):
        if all_finite(b, a):
            offset += b.size
            continue
        odd = ~(np.isfinite(b) & np.isfinite(a)) & (b != a) & ~(np.isnan(b) & np.isnan(a))
        if count == 0 and odd.any():
            first = offset + int(odd.argmax())
        count += int(odd.sum())
        offset += b.size
    return count, first


def is_constant(tensor: Array) -> bool:
    """Whether all elements are equal (NaN equals NaN); True when there are fewer than two."""
    flat = tensor.reshape(-1)
    first = flat[:1]
    if first.size and first[0] != first[0]:
        return count_nan(tensor) == tensor.size
    return all(bool((chunk == first).all()) for (chunk,) in chunks(tensor))
