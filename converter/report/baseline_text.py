"""A comparison with a baseline in words, as every view says them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from converter.model.baseline import BaselineChange, BaselineReport
from converter.model.result import RunReport
from converter.report import format as fmt


def change_text(change: BaselineChange) -> str:
    """A change in words: ``max_abs of y: 1.2e-05, was 4e-06 (up to 8.9e-06 passes)``."""
    if change.what == "model":
        if change.verdict == "missing":
            return "in the baseline, and not in this run"
        return f"{change.now}; not in the baseline"
    if change.what == "failure":
        if change.now is None:
            return f"passes now, and is known to fail ({change.before}): update the baseline"
        return f"fails otherwise than it is known to ({change.before}): {change.now}"
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
    """What to do when these changes are meant."""
    hint = "if that is meant, write the baseline anew with --update-baseline"
    if any((change.what, change.verdict) == ("model", "missing") for change in changes):
        hint += "; models that are gone for good go with --prune-baseline too"
    if any(change.is_failed_model for change in changes):
        hint += "; models that may fail so from now on are accepted with --accept-failures too"
    return hint


def compared_text(report: RunReport) -> str:
    """How many models were compared, and how many fail as they are known to."""
    text = f"{fmt.count(report.baseline.compared if report.baseline else 0, 'model')} compared"
    known = sum(model.known_to_fail for model in report.models)
    return f"{text}, {known} known to fail" if known else text


def update_texts(baseline: BaselineReport) -> list[str]:
    """What became of the models that a baseline was not simply written of: absent, or failed."""
    told = [
        ("kept, not in this run", baseline.kept),
        ("dropped, not in this run", baseline.dropped),
        ("known to fail from now on", baseline.accepted),
        ("passed, and no longer known to fail", baseline.recovered),
        ("failed, and not taken up (--accept-failures makes them known)", baseline.left_out),
    ]
    return [
        f"{fmt.count(len(names), 'model')} {what}: {fmt.listed(names)}"
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
