"""Detection and layout: boxes of the same class at the same place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from converter.accuracy.boxes import COLUMNS
from converter.model.task_agreement import TaskAgreement

Array = npt.NDArray[Any]

#: Two boxes are the same object from this intersection over union on. Detection benchmarks call
#: 0.5 a hit; the same model on the same image does far better, and 0.9 lets an edge be off by 5 %.
SAME_BOX = 0.9

#: A box whose score is this much below the threshold still answers one just above it.
SCORE_MARGIN = 1e-3


def compare_detections(
    reference: Array, candidate: Array, threshold: float, labels: Sequence[str]
) -> TaskAgreement | None:
    """Compare rows of class, score and x1, y1, x2, y2 in pixels; None when they are not such.

    Layout models add up to two columns for the order of reading, which is not looked at.
    Boxes that either shows, whose score is at least ``threshold``, are ``items``; each is matched,
    best scores first, with the box of its class that overlaps it most and is not taken.
    """
    if any(rows.ndim != 2 or rows.shape[1] not in COLUMNS for rows in (reference, candidate)):
        return None
    reference, candidate = reference[:, : COLUMNS[0]], candidate[:, : COLUMNS[0]]
    pairs, alone, wrong = 0, 0, ""
    difference = 0.0
    taken: set[int] = set()
    for row in reference[np.argsort(-reference[:, 1], kind="stable")]:
        if row[1] < threshold:
            break
        match = _partner(row, candidate, taken, threshold - SCORE_MARGIN)
        if match is None:
            alone, wrong = alone + 1, wrong or f"{_told(row, labels)} is lost"
            continue
        taken.add(match)
        pairs += 1
        difference = max(difference, abs(float(row[1]) - float(candidate[match, 1])))
    free: set[int] = set()
    for index, row in enumerate(candidate):
        if index in taken or row[1] < threshold:
            continue
        partner = _partner(row, reference, free, threshold - SCORE_MARGIN)
        if partner is not None and reference[partner, 1] < threshold:
            free.add(partner)
            pairs += 1
        else:
            alone, wrong = alone + 1, wrong or f"{_told(row, labels)} is new"
    return TaskAgreement(
        kind="boxes",
        items=pairs + alone,
        agreeing=pairs,
        score_difference=difference,
        detail=wrong,
    )


def _partner(row: Array, others: Array, taken: set[int], least: float) -> int | None:
    best, most = None, SAME_BOX
    for index, other in enumerate(others):
        if index in taken or other[0] != row[0] or other[1] < least:
            continue
        if (found := overlap(row[2:], other[2:])) >= most:
            best, most = index, found
    return best


def overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2; in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return float(shared / union) if union > 0 else float(np.array_equal(a, b))


def _told(row: Array, labels: Sequence[str]) -> str:
    index = int(row[0])
    name = labels[index] if 0 <= index < len(labels) else f"class {index}"
    corners = ", ".join(f"{value:.0f}" for value in row[2:])
    return f"{name} at {corners} (score {row[1]:.2f})"
