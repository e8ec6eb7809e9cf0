"""Numbers and names of things in words."""

from __future__ import annotations

from collections.abc import Sequence

#: Names that a line holds; whoever wants them all has the JSON.
NAMED = 5


def count(value: int, noun: str) -> str:
    """Write ``1 model``, ``3 models``, ``1,000 models``."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def listed(names: Sequence[str], most: int = NAMED) -> str:
    """Write ``a, b``, or the first ``most`` of many: ``a, b, c, d, e and 1,000 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
