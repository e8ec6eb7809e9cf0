"""Recognised text: what greedy CTC decoding reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from converter.model.task_agreement import TaskAgreement

Array = npt.NDArray[Any]


def compare_text(
    reference: Array, candidate: Array, characters: Sequence[str]
) -> TaskAgreement | None:
    """Compare the lines in two [batch, steps, classes] tensors; None when they are not such.

    Class 0 is the blank, then ``characters``, then a space: as PaddleX's ``CTCLabelDecode`` has it.
    Lines on which neither reads anything are no items.
    ``score_difference`` is that of a line's score, the mean of its characters' largest values.
    """
    classes = ("", *characters, " ")
    if reference.ndim != 3 or reference.shape != candidate.shape:
        return None
    if reference.shape[2] != len(classes):
        return None
    items, agreeing, difference, detail = 0, 0, 0.0, ""
    for index, (wanted, made) in enumerate(zip(reference, candidate, strict=True)):
        text, score = decode(wanted, classes)
        other, other_score = decode(made, classes)
        items += bool(text or other)  # where neither reads anything, no text was compared
        if text == other and text:
            agreeing += 1
            difference = max(difference, abs(score - other_score))
        detail = detail or ("" if text == other else f"line {index}: {text!r} became {other!r}")
    return TaskAgreement(
        kind="text",
        items=items,
        agreeing=agreeing,
        score_difference=difference,
        detail=detail,
    )


def decode(steps: Array, classes: Sequence[str]) -> tuple[str, float]:
    """The text of a line [steps, classes] and its score: repeats collapse, then blanks go."""
    best = steps.argmax(axis=-1)
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    scores = steps.max(axis=-1)[kept]
    return "".join(classes[index] for index in best[kept]), float(
        scores.mean() if kept.any() else 0
    )
