"""Classification: the best class of each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from converter.model.task_agreement import TaskAgreement

Array = npt.NDArray[Any]


def compare_classes(
    reference: Array, candidate: Array, labels: Sequence[str]
) -> TaskAgreement | None:
    """Compare the best classes in two [batch, classes] tensors; None when they are not such."""
    if reference.ndim != 2 or reference.shape != candidate.shape or not reference.size:
        return None
    wanted, made = reference.argmax(axis=1), candidate.argmax(axis=1)

    def named(index: int) -> str:
        return str(labels[index]) if len(labels) == reference.shape[1] else f"class {index}"

    rows = range(len(wanted))
    equal = [row for row in rows if wanted[row] == made[row]]
    other = next((row for row in rows if wanted[row] != made[row]), None)
    return TaskAgreement(
        kind="class",
        items=len(wanted),
        agreeing=len(equal),
        score_difference=max(
            (abs(float(reference[r, wanted[r]]) - float(candidate[r, wanted[r]])) for r in equal),
            default=0.0,
        ),
        detail=""
        if other is None
        else f"image {other}: {named(int(wanted[other]))} became {named(int(made[other]))}",
    )
