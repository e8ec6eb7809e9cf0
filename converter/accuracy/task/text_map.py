"""Text detection: which pixels a DB detector takes for text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from converter.model.task_agreement import TaskAgreement

Array = npt.NDArray[Any]

#: A pixel this near to the threshold in both maps is on either side of it by rounding.
MARGIN = 1e-3


def compare_maps(reference: Array, candidate: Array, threshold: float) -> TaskAgreement | None:
    """Compare two probability maps [batch, 1, height, width]; None when they are not such.

    ``items`` are the pixels above ``threshold`` in either map, ``agreeing`` those above it in both:
    their share is the intersection over union of the two texts.
    """
    if reference.ndim != 4 or reference.shape != candidate.shape or reference.shape[1] != 1:
        return None
    wanted, made = reference > threshold, candidate > threshold
    either = wanted | made
    near = np.maximum(abs(reference - threshold), abs(candidate - threshold)) <= MARGIN
    both = either & ((wanted == made) | near)
    items, agreeing = int(either.sum()), int(both.sum())
    gained, lost = int((made & ~wanted & ~near).sum()), int((wanted & ~made & ~near).sum())
    return TaskAgreement(
        kind="text pixels",
        items=items,
        agreeing=agreeing,
        score_difference=float(abs(reference - candidate)[both].max()) if agreeing else 0.0,
        detail=f"{lost} of {items} text pixels are lost, {gained} are new" if gained + lost else "",
    )
