"""Numbers of things in words."""

from __future__ import annotations


def count(value: int, noun: str) -> str:
    """Write ``1 model``, ``3 models``, ``1,000 models``."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"
