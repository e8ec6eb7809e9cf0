"""Whether two tensors point the same way, choose the same classes, hold the same values."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from converter.accuracy.metrics.differences import peak
from converter.accuracy.metrics.patterns import pattern_mismatch
from converter.accuracy.metrics.tensors import (
    CHUNK,
    Array,
    chunks,
    difference,
    finite,
    is_integral,
    same_shape,
    scaled_by_power,
)


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
    for b, a in chunks(reference, candidate):
        b, a = scaled_by_power(finite(b), shift_b), scaled_by_power(finite(a), shift_a)
        dot += float((a * b).sum())
        square_b += float((b * b).sum())
        square_a += float((a * a).sum())
    return max(-1.0, min(1.0, dot / math.sqrt(square_a * square_b)))


def exact_match(reference: Array, candidate: Array) -> float | None:
    """``#(a == b) / n`` in [0, 1]; None when n is 0. NaN equals NaN, -0 equals 0."""
    if not reference.size:
        return None
    different = sum(np.count_nonzero(difference(b, a)) for b, a in chunks(reference, candidate))
    return 1 - int(different) / reference.size


def argmax_agreement(reference: Array, candidate: Array) -> float | None:
    """Return the share of rows (along the last axis) whose candidate argmax is right, in [0, 1].

    Defined for float tensors of rank 2 (item, class) or 3 (item, step, class) with at least one
    row and two classes; None otherwise, because the last axis of a map is its width and an
    integer output has already been decoded. A choice is right when the reference has its maximum
    there, so equal top scores do not count as disagreement. A row with a NaN is right when both
    tensors have their first NaN at one place.
    """
    return top_agreement(reference, candidate, 1)


def top_agreement(reference: Array, candidate: Array, k: int) -> float | None:
    """Return the share of the candidate's k best classes per row that are right, in [0, 1].

    ``|top_k(a) n top_k(b)| / k``, averaged over rows, which are those of ``argmax_agreement``; None
    also where there are not more than k classes. A class is right when the reference's value there
    is no less than its k-th largest, so equal scores may stand in for each other. Of the
    candidate's own equal scores the first ones are taken.
    """
    same_shape(reference, candidate)
    if is_integral(reference.dtype) or reference.ndim not in (2, 3):
        return None
    if not reference.size or reference.shape[-1] <= k:
        return None
    right = 0
    for b, a in _rows(reference, candidate):
        best, choice = _best(b, k), _best(a, k)
        row = np.arange(len(b))[:, None]
        least = b[row, best[:, -1:]]
        with np.errstate(invalid="ignore"):  # a NaN is never the better one
            right += int(((best == choice) | (b[row, choice] >= least)).sum())
    return right / (k * int(reference.size // reference.shape[-1]))


def _rows(*tensors: Array) -> Iterator[tuple[Array, ...]]:
    """Yield aligned matrices of about ``CHUNK`` elements, of whole rows."""
    step = max(1, CHUNK // tensors[0].shape[-1])
    for matrices in zip(*(t if t.ndim == 3 else t[None] for t in tensors), strict=True):
        for start in range(0, len(matrices[0]), step):
            yield tuple(matrix[start : start + step] for matrix in matrices)


def _best(matrix: Array, k: int) -> Array:
    """The columns of the k largest values of each row, largest first; of equal ones the first."""
    if k == 1:
        first: Array = matrix.argmax(axis=1)[:, None]
        return first
    left = matrix.astype(np.float64)
    row = np.arange(len(left))
    taken = np.zeros(left.shape, dtype=bool)
    columns = []
    for _ in range(k):
        column = np.where(taken, -np.inf, left).argmax(axis=1)
        # Where all that is left is -inf, a column may come twice: take the first free one.
        twice = taken[row, column]
        column[twice] = (~taken[twice]).argmax(axis=1)
        taken[row, column] = True
        columns.append(column)
    return np.stack(columns, axis=1)
