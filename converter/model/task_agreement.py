"""What a user of the model would notice of a difference: other texts, classes or boxes."""

from __future__ import annotations

from typing import Literal

from converter.model.record import Record


class TaskAgreement(Record):
    """One case at the level of the model's task, reference against candidate.

    ``kind`` says what ``items`` are: ``text`` lines, images with a ``class``, detected ``boxes``,
    or pixels of a text detector's map that either takes for ``text pixels``. ``agreeing`` of them
    are equal. ``score_difference`` is the largest between the scores of equal ones. ``detail``
    shows the first that differs, "" when none does.
    """

    kind: Literal["text", "class", "boxes", "text pixels"]
    items: int
    agreeing: int
    score_difference: float = 0.0
    detail: str = ""

    @property
    def agreement(self) -> float:
        """The share of equal items; 1 where both found nothing."""
        return self.agreeing / self.items if self.items else 1.0
