"""A time limit from the command line."""

from __future__ import annotations

import math


def seconds(text: str) -> float:
    """Seconds, more than 0 and not without end. Raises ``InputError``."""
    from converter.errors import InputError

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"--timeout {text} is no time limit", hint="give seconds, for example 900")
    return value
