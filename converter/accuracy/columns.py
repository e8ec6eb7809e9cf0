"""The relative part of the tolerance, for tensors whose parts are different quantities.

A detector's [N, 6] output has a class, a score and four coordinates in each row. Relative to the
largest coordinate a tolerance hides any score. So a tensor of rank 2 or more whose last axis has 2
to ``MOST_COLUMNS`` entries is judged column by column: each column's tolerance is relative to the
column's own peak over all other axes.

A column of a few rows can be small by chance: the logits [1, 10] of one image are ten columns of
one element, each with the rounding error of the largest. With fewer than ``ENOUGH_ROWS`` rows a
column is therefore allowed at least ``SHARED`` of what the whole tensor's peak would allow: by
default 3e-5 of that peak, where rounding errors of up to 1.1e-5 were measured. A column of zeros is
allowed nothing beyond ``atol``.

Up to ``MOST_CHANNELS`` columns, or channels (entries of axis 1), of enough rows are judged so where
their peaks are ``UNLIKE``: raw detections [N, 85] or [1, 85, N]. They may have one history, so each
is allowed at least ``HISTORY`` of what the whole tensor's peak would allow.

Masks (-1e9, -65504: never attend here) are apart from all other numbers. Where the largest numbers
are from ``MASK`` on, nearly one (``ONE_MASK``), and ``GAP`` times each of ``ENOUGH_ROWS`` others or
more, these others are a part by themselves. ``accuracy.locate.difference`` has another rule: this
one decides that a model fails, on its outputs. A gap is asked for, or rounding at a large quantity
would fail in small ones that were computed from it. That few others, or two masks at once, are no
case of it costs little, for the other parts are judged all the same.

All other tensors are one part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from converter.accuracy import metrics
from converter.accuracy.metrics import Array
from converter.accuracy.metrics.tensors import chunks, finite

#: Tensors with a longer last axis are not judged by column, unless their columns are unlike.
MOST_COLUMNS = 16

#: Columns or channels that are looked at whether they are unlike: 80 classes and a box, and more.
MOST_CHANNELS = 128

#: With as many rows a column's own peak is how large its values are.
ENOUGH_ROWS = 16

#: Part of the whole tensor's relative tolerance that a column with fewer rows gets at least.
SHARED = 0.3

#: Quotient of the largest and the smallest peak from which columns are different quantities:
#: scores up to 1 beside pixels.
UNLIKE = 100.0

#: Part of the whole tensor's relative tolerance that an unlike column gets at least: by default
#: 1e-5 of the peak, some 80 units of float32.
HISTORY = 0.1

#: A mask is at least this, and so many times larger than what is no mask.
MASK, GAP = 1e4, 1e3

#: The least mask divided by the largest: scores are added to some.
ONE_MASK = 0.99


class Part(NamedTuple):
    """The part of a tensor that needs the largest ``atol``, and how much.

    ``where`` says which part, "" when the tensor is one. ``allowed`` is the relative tolerance;
    ``excess`` is what ``atol`` has to cover; ``worst`` is the flat index of the largest difference.
    """

    where: str
    max_abs: float
    allowed: float
    excess: float
    worst: int


def worst_part(reference: Array, candidate: Array, max_abs: float, rtol: float) -> Part:
    """Return the part of two float tensors that needs the largest ``atol``.

    ``max_abs`` is their largest difference, which must be finite.
    """
    peak = metrics.peak(reference)
    whole = rtol * peak
    width = reference.shape[-1] if reference.ndim >= 2 else 1
    if max_abs == 0:
        return Part("", 0.0, whole, 0.0, 0)
    if 2 <= width <= MOST_COLUMNS:
        least = SHARED * whole if reference.size // width < ENOUGH_ROWS else 0.0
        parts = list(_columns(reference, candidate, reference.ndim - 1, rtol, least))
    else:
        # Subtracting on this side makes ``excess`` the exact boundary: atol = excess passes.
        index = metrics.worst_index(reference, candidate)
        parts = [Part("", max_abs, whole, max(0.0, max_abs - whole), index)]
        for axis in {1, reference.ndim - 1} & set(range(1, reference.ndim)):
            if _are_unlike(reference, axis):
                parts += _columns(reference, candidate, axis, rtol, HISTORY * whole)
    if (below := _below_masks(reference, peak)) is not None:
        parts.append(_beside_masks(reference, candidate, below, rtol))
    return max(parts, key=lambda part: (part.excess, part.max_abs))


def _are_unlike(reference: Array, axis: int) -> bool:
    """Whether the entries along ``axis`` are of different sizes, each known by enough rows."""
    width = reference.shape[axis]
    if not 2 <= width <= MOST_CHANNELS or reference.size < ENOUGH_ROWS * width:
        return False
    peaks = [peak for entry in np.moveaxis(reference, axis, 0) if (peak := metrics.peak(entry))]
    return bool(peaks) and max(peaks) >= UNLIKE * min(peaks)


def _columns(b: Array, a: Array, axis: int, rtol: float, least: float) -> Iterator[Part]:
    name = "column" if axis == b.ndim - 1 else "channel"
    pairs = zip(np.moveaxis(b, axis, 0), np.moveaxis(a, axis, 0), strict=True)
    for entry, (x, y) in enumerate(pairs):
        max_abs, peak = metrics.max_abs(x, y), metrics.peak(x)
        allowed = max(rtol * peak, least) if peak else 0.0
        index = list(np.unravel_index(metrics.worst_index(x, y), x.shape))
        index.insert(axis, np.intp(entry))
        worst = int(np.ravel_multi_index(tuple(index), b.shape))
        excess = max(0.0, max_abs - allowed)
        yield Part(f"in {name} {entry} ", max_abs, allowed, excess, worst)


def _below_masks(reference: Array, peak: float) -> float | None:
    """The largest number that is no mask; None where there are no masks, or only zeros beside."""
    if peak < MASK:
        return None
    below, least, count = 0.0, peak, 0
    for (chunk,) in chunks(reference):
        sizes = np.abs(finite(chunk))
        others = sizes < peak / GAP
        count += int(others.sum())
        below = max(below, float(sizes[others].max(initial=0.0)))
        least = min(least, float(sizes[~others].min(initial=peak)))
    are_masks = least >= ONE_MASK * peak and 0 < below * GAP <= least
    return below if are_masks and count >= ENOUGH_ROWS else None


def _beside_masks(b: Array, a: Array, below: float, rtol: float) -> Part:
    """All that is no mask; ``below`` is its peak."""
    max_abs, worst, offset = 0.0, 0, 0
    for x, y in chunks(b, a):
        apart = np.where(np.abs(finite(x)) <= below, metrics.difference(x, y), 0.0)
        here = int(apart.argmax())
        if apart[here] > max_abs:
            max_abs, worst = float(apart[here]), offset + here
        offset += x.size
    allowed = rtol * below
    return Part("beside masks ", max_abs, allowed, max(0.0, max_abs - allowed), worst)
