"""Detection outputs, whose rows are boxes sorted by score: the order of equal scores means nothing.

Two runtimes round differently, so boxes whose scores differ by less than that come out in another
order, and at the cut-off (the last of the best 300) one box may stand in for another. Row by row
such outputs look entirely wrong. So rows are paired before they are compared, and no tolerance is
widened: every pair then has to agree in class, score and coordinates like any other output.

What a pairing may not hide: position by position the scores have to be equal within the tolerance,
so that boxes trade places only with boxes of the same score; pairing is one to one and within an
image; a row without a partner is let go only if its score is that of the cut-off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from converter.accuracy import metrics
from converter.accuracy.metrics import Array
from converter.model.tolerance import Tolerance

#: Columns of a box: class, score, x1, y1, x2, y2; layout models add up to two for reading order.
COLUMNS = range(6, 9)
CLASS, SCORE = 0, 1

#: Part of an image's boxes that may lack a partner: 3 of the usual 300, none of a short list.
MOST_UNPAIRED = 0.01

#: Pairs of boxes whose distances are held at a time: 8 bytes for each column of each.
_PAIRS = 1 << 17


@dataclass(frozen=True)
class Paired:
    """Outputs of one image or more with rows paired.

    ``candidate`` is in the reference's order. ``moved`` counts the rows that stood elsewhere;
    ``unpaired`` those at the cut-off that the other side does not have, which are left out of both.
    """

    reference: Array
    candidate: Array
    moved: int
    unpaired: int


def find_boxes(outputs: Mapping[str, Array]) -> tuple[str, str] | None:
    """The names of the boxes and of their number per image, or ``None``.

    They are recognised by what PaddleDetection's exported models give: floats [N, 6 to 8] with a
    class and a score in [0, 1] in each row, and integers [images] that add up to N.
    """
    found = [
        (boxes, numbers)
        for boxes, rows in outputs.items()
        for numbers, counts in outputs.items()
        if _are_boxes(rows) and _count(counts, len(rows))
    ]
    return found[0] if len(found) == 1 else None


def _are_boxes(rows: Array) -> bool:
    if rows.dtype.kind != "f" or rows.ndim != 2 or rows.shape[1] not in COLUMNS:
        return False
    if not len(rows) or not np.isfinite(rows).all():
        return False
    classes, scores = rows[:, CLASS], rows[:, SCORE]
    return bool(
        (classes == np.round(classes)).all()
        and (classes >= 0).all()
        and (scores >= 0).all()
        and (scores <= 1).all()
    )


def _count(counts: Array, rows: int) -> bool:
    integral = counts.dtype.kind in "iu" and counts.ndim == 1
    return integral and bool((counts >= 0).all()) and int(counts.sum()) == rows


def pair(reference: Array, candidate: Array, counts: Array, tolerance: Tolerance) -> Paired | None:
    """Pair the rows of boxes; ``counts`` are the rows per image, the same on both sides.

    ``None`` when there is nothing to pair: the rows agree as they stand, or no pairing would be
    right. The comparison then says what differs.
    """
    if candidate.shape != reference.shape or not metrics.is_comparable(candidate.dtype):
        return None
    if not np.isfinite(candidate).all():
        return None
    allowed = np.array(
        [tolerance.atol + tolerance.rtol * metrics.peak(column) for column in reference.T]
    )
    b, a = reference.astype(np.float64), candidate.astype(np.float64)
    if (np.abs(b[:, SCORE] - a[:, SCORE]) > allowed[SCORE]).any():
        return None
    if not all(_is_ranked(b[first:last, SCORE], allowed[SCORE]) for first, last in _images(counts)):
        return None
    taken = np.arange(len(b))
    left_out: list[int] = []
    for first, last in _images(counts):
        odd = first + np.flatnonzero((np.abs(b[first:last] - a[first:last]) > allowed).any(axis=1))
        partners = _partners(b[odd], a[odd], allowed)
        alone = np.concatenate(
            [b[odd[partners < 0]], np.delete(a[odd], partners[partners >= 0], axis=0)]
        )
        cut = b[last - 1, SCORE] + allowed[SCORE]
        if len(alone) > 2 * int(MOST_UNPAIRED * (last - first)) or (alone[:, SCORE] > cut).any():
            return None
        taken[odd] = np.where(partners >= 0, odd[partners], odd)
        left_out += list(odd[partners < 0])
    kept = np.setdiff1d(np.arange(len(b)), left_out)
    moved = int((taken[kept] != kept).sum())
    if not moved and not left_out:
        return None
    return Paired(reference[kept], candidate[taken[kept]], moved, len(left_out))


def _is_ranked(scores: Array, allowed: float) -> bool:
    """Whether an image's boxes are in the order of scores that tell most of them apart.

    Where all scores are one within the tolerance, any order at all would pass.
    """
    steps = scores[:-1] - scores[1:]
    return bool((steps >= -allowed).all() and (not len(steps) or np.ptp(scores) > 10 * allowed))


def _images(counts: Array) -> Iterator[tuple[int, int]]:
    """First row and the one after the last, for each image that has boxes."""
    ends = np.cumsum(counts)
    for last, count in zip(ends, counts, strict=True):
        if count:
            yield int(last - count), int(last)


def _partners(b: Array, a: Array, allowed: Array) -> Array:
    """For each row of ``b`` the row of ``a`` that agrees with it, -1 for none; one to one."""
    partners = np.full(len(b), -1)
    unit, step = np.maximum(allowed, 1e-300), max(1, _PAIRS // max(1, len(a)))
    near, distances = [np.empty((0, 2), int)], [np.empty(0)]
    for first in range(0, len(b), step):
        apart = (np.abs(b[first : first + step, None] - a) / unit).max(axis=2)
        found = np.argwhere(apart <= 1)
        distances.append(apart[tuple(found.T)])
        near.append(found + np.array([first, 0]))
    free = np.ones(len(a), dtype=bool)
    for row, other in np.concatenate(near)[np.argsort(np.concatenate(distances), kind="stable")]:
        if partners[row] < 0 and free[other]:
            partners[row], free[other] = other, False
    return partners
