"""A time limit from the command line."""

from __future__ import annotations

import math

from converter.model.time_limit import LONGEST


def seconds(text: str) -> float:
    """Seconds, more than 0 and no more than three years. Raises ``InputError``."""
    from converter.errors import InputError

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= LONGEST:
        raise InputError(f"--timeout {text} is no time limit", hint="give seconds, for example 900")
    return value
