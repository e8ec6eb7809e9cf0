"""The texts that a pipeline read, beside those that native Paddle reads in the same image."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from converter.model.result import PipelineReport


@dataclass(frozen=True)
class TextRow:
    """One text: as read, with its score, and as Paddle reads it. ``agrees`` is None without one."""

    text: str | None
    score: float | None
    reference: str | None
    agrees: bool | None


def reads_like_paddle(pipeline: PipelineReport) -> bool | None:
    """Whether all texts are Paddle's; None when the pipeline was not compared."""
    if pipeline.reference_texts is None:
        return None
    return pipeline.texts == pipeline.reference_texts


def text_rows(pipeline: PipelineReport) -> tuple[TextRow, ...]:
    """Pair the texts with Paddle's, so that one missing text does not set off all that follow."""
    scored = list(zip_longest(pipeline.texts, pipeline.scores[: len(pipeline.texts)]))
    reference = pipeline.reference_texts
    if reference is None:
        return tuple(TextRow(text, score, None, None) for text, score in scored)
    rows: list[TextRow] = []
    matcher = SequenceMatcher(None, pipeline.texts, reference, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        pairs = zip_longest(scored[i1:i2], reference[j1:j2])
        for read, wanted in pairs:
            text, score = read or (None, None)
            rows.append(TextRow(text, score, wanted, tag == "equal"))
    return tuple(rows)
