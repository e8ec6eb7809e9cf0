"""A comparison with a baseline in words, as every view says them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from converter.model.baseline import BaselineChange, BaselineReport
from converter.report import format as fmt


def change_text(change: BaselineChange) -> str:
    """A change in words: ``max_abs of y: 1.2e-05, was 4e-06 (up to 8.9e-06 passes)``."""
    if change.what == "model":
        if change.verdict == "missing":
            return "in the baseline, and not in this run"
        return f"{change.now}; not in the baseline"
    if change.verdict == "missing":
        return f"{change.what}: in the baseline, and not in this run"
    if change.verdict == "new":
        now = "" if change.now is None else f" {_value(change.now)};"
        return f"{change.what}:{now} not in the baseline"
    text = f"{change.what}: {_value(change.now)}, was {_value(change.before)}"
    if change.verdict == "worse" and change.limit is not None:
        least = change.what.startswith(("cosine", "argmax"))
        text += f" ({'down' if least else 'up'} to {_value(change.limit)} passes)"
    return text


def hint_text(changes: Sequence[BaselineChange]) -> str:
    """What to do when these changes, which fail a run, are meant."""
    hint = "if that is meant, write the baseline anew with --update-baseline"
    if any((change.what, change.verdict) == ("model", "missing") for change in changes):
        hint += "; models that are gone for good go with --prune-baseline too"
    return hint


def update_texts(baseline: BaselineReport) -> list[str]:
    """What became of the models of a baseline that was written from a run without them."""
    told = [("kept", baseline.kept), ("dropped", baseline.dropped)]
    return [
        f"{fmt.count(len(names), 'model')} {what}, not in this run: {fmt.listed(names)}"
        for what, names in told
        if names
    ]


def _value(value: float | str | None) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return value
    whole = math.isfinite(value) and value == int(value) and value >= 10
    return f"{value:,.0f}" if whole else f"{value:.8g}"
