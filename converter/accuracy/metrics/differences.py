"""Differences in the tensors' unit, relative to their values, and as norms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from converter.accuracy.metrics.tensors import (
    Array,
    Float64s,
    chunks,
    difference,
    finite,
    relative,
    scaled_by_power,
)


def max_abs(reference: Array, candidate: Array) -> float:
    """``max |a - b|``, in the tensors' unit."""
    worst = 0.0
    for b, a in chunks(reference, candidate):
        worst = float(np.maximum(worst, difference(b, a).max()))
    return worst


def mean_abs(reference: Array, candidate: Array) -> float:
    """``sum |a - b| / n``, in the tensors' unit; 0 when n is 0."""
    return _mean(reference, candidate, difference)


def mean_rel(reference: Array, candidate: Array) -> float:
    """``sum(|a - b| / max(|b|, tiny)) / n``, tiny as for ``relative``; 0 when n is 0."""
    return _mean(reference, candidate, relative)


def _mean(reference: Array, candidate: Array, measure: Callable[[Array, Array], Float64s]) -> float:
    """Each chunk's mean is taken of numbers of at most 1, so that no sum overflows."""
    total = 0.0
    for b, a in chunks(reference, candidate):
        values = measure(b, a)
        top = float(values.max())
        if not math.isfinite(top):
            # NaN wins over inf, whatever chunk it is in.
            total = math.nan if math.isnan(total) or math.isnan(top) else math.inf
        elif top:
            share = float((values / top).sum()) / reference.size
            total += share * top
    return total


def peak(tensor: Array) -> float:
    """``max |b|`` over the finite elements; 0 when there are none."""
    highest = 0.0
    for (chunk,) in chunks(tensor):
        highest = max(highest, float(np.abs(finite(chunk)).max()))
    return highest


def scaled(reference: Array, candidate: Array) -> float:
    """``max |a - b| / max |b|``: the difference in units of the largest reference value.

    0 when nothing differs, inf when only the reference is all zero.
    """
    return ratio(max_abs(reference, candidate), peak(reference))


def rms(tensor: Array) -> float:
    """``sqrt(sum(b^2) / n)`` over n elements, non-finite ones counting as 0; 0 when n is 0."""
    return _norm(tensor) / math.sqrt(tensor.size) if tensor.size else 0.0


def relative_l2(reference: Array, candidate: Array, worst: float | None = None) -> float:
    """``||a - b||2 / ||b||2`` over elements; 0 when nothing differs, inf when only b is all zero.

    Positions that hold the same infinity, or NaN, in both count as 0 in both norms. ``worst`` is
    ``max_abs``, where that is known.
    """
    if worst is None:
        worst = max_abs(reference, candidate)
    if not math.isfinite(worst):
        return worst
    exponent = math.frexp(worst)[1]
    total = 0.0
    for b, a in chunks(reference, candidate):
        total += float(np.square(scaled_by_power(difference(b, a), -exponent)).sum())
    return ratio(math.sqrt(total), _norm(reference, -exponent))


def snr_db(noise: float) -> float:
    """Signal to noise: ``10 log10(sum b^2 / sum (a - b)^2)``, in decibels, from ``relative_l2``.

    The usual definition (IEC 60268-3 and elsewhere, with b the signal and a - b the noise); equal
    to ``-20 log10(relative_l2)``. inf when nothing differs, -inf when only b is all zero (or the
    ratio of the norms is beyond float64).
    """
    if noise == 0:
        return math.inf
    return -20 * math.log10(noise) if noise < math.inf else -noise


def worst_index(reference: Array, candidate: Array) -> int:
    """Return the flat (C order) index of the first largest difference (NaN wins), -1 when empty."""
    worst, index, offset = -1.0, -1, 0
    for b, a in chunks(reference, candidate):
        apart = difference(b, a)
        here = int(apart.argmax())
        value = float(apart[here])
        if not value <= worst:
            worst, index = value, offset + here
        if math.isnan(value):
            return index
        offset += b.size
    return index


def value_range(tensor: Array) -> tuple[float, float]:
    """The smallest and largest finite element; (0, 0) when there is none."""
    low, high = math.inf, -math.inf
    for (chunk,) in chunks(tensor):
        values = chunk.astype(np.float64)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _norm(tensor: Array, shift: int = 0) -> float:
    """``2^shift * ||b||2`` without overflow or underflow on the way (inf when it is too large)."""
    highest = peak(tensor)
    if highest == 0:
        return 0.0
    exponent = math.frexp(highest)[1]
    total = 0.0
    for (chunk,) in chunks(tensor):
        total += float(np.square(scaled_by_power(finite(chunk), -exponent)).sum())
    with np.errstate(over="ignore"):
        return float(np.ldexp(math.sqrt(total), exponent + shift))


def ratio(part: float, whole: float) -> float:
    """``part / whole``; 0 when the part is, inf when only the whole is."""
    if part == 0:
        return 0.0
    return part / whole if whole else part * math.inf  # NaN stays NaN
