"""Distance in units in the last place: how many numbers of the dtype lie between two values.

Each float is mapped to an integer so that neighbours differ by 1: the bits of a non-negative one as
they are, of a negative one negated without the sign bit (so -0 and 0 are one). The distance is the
difference of those (B. Dawson, "Comparing floating point numbers", 2012 edition; D. Goldberg 1991
for the unit itself). Denormals are numbers like others. Infinity follows the largest finite number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.accuracy.metrics.selection import percentiles
from converter.accuracy.metrics.tensors import Array, Float64s, all_finite

_BITS = {2: np.int16, 4: np.int32, 8: np.int64}


def has_ulps(reference: Array, candidate: Array) -> bool:
    """Whether both are floats of one dtype; the unit is not defined otherwise."""
    floats = reference.dtype.kind == "f" or reference.dtype.name == "bfloat16"
    return floats and reference.dtype == candidate.dtype and reference.dtype.itemsize in _BITS


def ulps(b: Array, a: Array) -> Float64s:
    """The distance of each pair of two chunks; inf beside an infinity, NaN beside a NaN.

    Equal infinities, and NaN against NaN, are 0 apart. Above 2^53 it is rounded to float64.
    """
    x, y = _ordered(b), _ordered(a)
    high, low = np.maximum(x, y), np.minimum(x, y)
    apart: Float64s = (high.view(np.uint64) - low.view(np.uint64)).astype(np.float64)
    if all_finite(b, a):
        return apart
    odd_b, odd_a = np.isnan(b), np.isnan(a)
    apart[(np.isinf(b) | np.isinf(a)) & (x != y)] = np.inf
    apart[odd_b != odd_a] = np.nan
    apart[odd_b & odd_a] = 0.0
    return apart


def ulp_percentiles(
    reference: Array, candidate: Array, shares: Sequence[float]
) -> tuple[float, ...] | None:
    """``percentiles`` of the distances; None unless both are floats of one dtype.

    Near zero they are large for tiny differences: exact, and seldom a good limit by themselves.
    """
    if not has_ulps(reference, candidate):
        return None
    return percentiles(reference, candidate, ulps, shares)


def _ordered(chunk: Array) -> Array:
    """A chunk's values as int64 in the order of the floats, neighbours 1 apart."""
    chunk = chunk.astype(chunk.dtype.newbyteorder("="), copy=False)  # the bits of this machine
    bits = np.ascontiguousarray(chunk).view(_BITS[chunk.dtype.itemsize]).astype(np.int64)
    least = -(2 ** (8 * chunk.dtype.itemsize - 1))
    return np.where(bits < 0, np.int64(least) - bits, bits)
