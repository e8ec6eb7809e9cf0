"""A time limit from the command line."""

from __future__ import annotations

import math

#: About three years; the operating system's own timers end later, but they end.
_LONGEST = 1e8


def seconds(text: str) -> float:
    """Seconds, more than 0 and no more than three years. Raises ``InputError``."""
    from converter.errors import InputError

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= _LONGEST:
        raise InputError(f"--timeout {text} is no time limit", hint="give seconds, for example 900")
    return value
