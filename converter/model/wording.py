"""Cuts other programs' words down to the line that says something."""

from __future__ import annotations

import re
from collections.abc import Iterator


def first_line(text: str, limit: int = 300) -> str:
    """The first non-empty line of ``text``, cut at ``limit`` characters; or nothing."""
    return shorten(next(_lines(text), ""), limit)


def last_line(text: str, limit: int = 300) -> str:
    """The last non-empty line of ``text``, cut at ``limit`` characters; or nothing."""
    return shorten(([*_lines(text)] or [""])[-1], limit)


def shorten(line: str, limit: int = 300) -> str:
    """``line``, with an ellipsis in place of what exceeds ``limit`` characters."""
    return line if len(line) <= limit else line[: limit - 1] + "…"


def without_password(text: str) -> str:
    """``text`` with ``***`` for the password in every URL that has one (``ftp://me:word@host``)."""
    return re.sub(r"(\w://[^\s/@:]*):[^\s/@]+@", r"\1:***@", text)


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())
