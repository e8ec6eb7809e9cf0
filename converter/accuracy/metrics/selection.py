"""Exact percentiles of a stream that is read several times, in bounded memory.

The order of non-negative floats is that of their bits read as an unsigned integer (IEEE 754-2019,
section 5.10; NaN with a clear sign bit comes after infinity). So the value of a given rank is found
digit by digit: the first pass counts how many values begin with each 16-bit prefix, which says in
which prefix the rank lies, and three more passes refine it. This is most-significant-digit radix
selection: four passes, a table of 2^16 counts per percentile, no value kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from converter.accuracy.metrics.tensors import Array, Float64s, chunks

#: With up to this many elements all differences are kept (16 MiB) and sorted: one pass.
KEPT = 1 << 21

_DIGIT = 16


def percentiles(
    reference: Array,
    candidate: Array,
    measure: Callable[[Array, Array], Float64s],
    shares: Sequence[float],
) -> tuple[float, ...]:
    """The smallest value of ``measure`` that a share of the elements does not exceed, per share.

    That is the nearest rank, the element ``ceil(share * n)`` in order (Hyndman and Fan 1996, type
    1); share 1 is the largest. ``measure`` takes chunks and gives non-negative numbers; where it
    gives any NaN, so is every percentile. 0 when there are no elements.
    """
    count = reference.size
    if not count:
        return tuple(0.0 for _ in shares)
    ranks = [min(count, max(1, math.ceil(share * count))) - 1 for share in shares]

    def values() -> Iterable[Float64s]:
        for b, a in chunks(reference, candidate):
            part = measure(b, a)
            # A zero's sign, and a NaN's, would change the order of the bits.
            yield np.abs(part, out=part)

    if count <= KEPT:
        kept, start = np.empty(count), 0
        for part in values():
            kept[start : start + part.size] = part
            start += part.size
        kept.sort()
        if np.isnan(kept[-1]):
            return tuple(math.nan for _ in shares)
        return tuple(float(kept[rank]) for rank in ranks)
    top = max((float(part.max()) for part in values()), key=lambda v: (math.isnan(v), v))
    if math.isnan(top):
        return tuple(math.nan for _ in shares)
    within = sorted({rank for rank in ranks if rank < count - 1})
    found = dict(zip(within, _select(values, within), strict=True)) if within else {}
    return tuple(found.get(rank, top) for rank in ranks)


def _select(values: Callable[[], Iterable[Float64s]], ranks: Sequence[int]) -> tuple[float, ...]:
    """The values at ``ranks`` (from 0) in the order of the stream; one pass for each digit."""
    prefixes, left = [0] * len(ranks), list(ranks)
    for shift in (48, 32, 16, 0):
        counts = {prefix: np.zeros(1 << _DIGIT, np.int64) for prefix in prefixes}
        for part in values():
            bits = part.view(np.uint64)
            digits = ((bits >> np.uint64(shift)) & np.uint64((1 << _DIGIT) - 1)).astype(np.int64)
            above = bits >> np.uint64(shift + _DIGIT) if shift < 48 else np.zeros_like(bits)
            for prefix, table in counts.items():
                table += np.bincount(digits[above == prefix], minlength=1 << _DIGIT)
        for index, prefix in enumerate(prefixes):
            until = np.cumsum(counts[prefix])
            digit = int(np.searchsorted(until, left[index], side="right"))
            left[index] -= int(until[digit - 1]) if digit else 0
            prefixes[index] = prefix << _DIGIT | digit
    return tuple(float(np.uint64(prefix).view(np.float64)) for prefix in prefixes)
