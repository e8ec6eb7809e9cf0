"""The relative part of the tolerance, for tensors whose columns are different quantities.

A detector's [N, 6] output has a class, a score and four coordinates in each row. Relative to the
largest coordinate a tolerance hides any score. So a tensor of rank 2 or more whose last axis has 2
to ``MOST_COLUMNS`` entries is judged column by column: each column's tolerance is relative to the
column's own peak over all other axes. All other tensors are one part.

A column of a few rows can be small by chance: the logits [1, 10] of one image are ten columns of
one element, each with the rounding error of the largest. With fewer than ``ENOUGH_ROWS`` rows a
column is therefore allowed at least ``SHARED`` of what the whole tensor's peak would allow: by
default 3e-5 of that peak, where rounding errors of up to 1.1e-5 were measured. A column of zeros is
allowed nothing beyond ``atol``.
"""

from __future__ import annotations

from typing import NamedTuple

from converter.accuracy import metrics
from converter.accuracy.metrics import Array

#: Tensors with a longer last axis are not judged by column.
MOST_COLUMNS = 16

#: With as many rows a column's own peak is how large its values are.
ENOUGH_ROWS = 16

#: Part of the whole tensor's relative tolerance that a column with fewer rows gets at least.
SHARED = 0.3


class Part(NamedTuple):
    """The part of a tensor that needs the largest ``atol``, and how much.

    ``column`` is None when the tensor is one part. ``allowed`` is the relative tolerance;
    ``excess`` is what ``atol`` has to cover; ``worst`` is the flat index of the largest difference.
    """

    column: int | None
    max_abs: float
    allowed: float
    excess: float
    worst: int


def worst_part(reference: Array, candidate: Array, max_abs: float, rtol: float) -> Part:
    """Return the part of two float tensors that needs the largest ``atol``.

    ``max_abs`` is their largest difference, which must be finite.
    """
    whole = rtol * metrics.peak(reference)
    width = reference.shape[-1] if reference.ndim >= 2 else 1
    if max_abs == 0 or not 2 <= width <= MOST_COLUMNS:
        # Subtracting on this side makes ``excess`` the exact boundary: atol = excess passes.
        index = metrics.worst_index(reference, candidate) if max_abs else 0
        return Part(None, max_abs, whole, max(0.0, max_abs - whole), index)
    least = SHARED * whole if reference.size // width < ENOUGH_ROWS else 0.0
    parts = [
        _part(reference[..., column], candidate[..., column], column, width, rtol, least)
        for column in range(width)
    ]
    return max(parts, key=lambda part: (part.excess, part.max_abs))


def _part(b: Array, a: Array, column: int, width: int, rtol: float, least: float) -> Part:
    max_abs, peak = metrics.max_abs(b, a), metrics.peak(b)
    allowed = max(rtol * peak, least) if peak else 0.0
    index = metrics.worst_index(b, a) * width + column
    return Part(column, max_abs, allowed, max(0.0, max_abs - allowed), index)
