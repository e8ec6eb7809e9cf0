"""Colours and signs of the terminal, for what the terminal can show."""

from __future__ import annotations

from dataclasses import dataclass

from converter.report.format import encodable, one_line
from converter.report.summary import Mark, Tone

STYLES: dict[Tone, str] = {
    "ok": "green",
    "cached": "cyan",
    "warn": "yellow",
    "skip": "dim",
    "bad": "bold red",
}


@dataclass(frozen=True)
class Writer:
    """Writes signs and foreign text in one encoding."""

    encoding: str

    def sign(self, mark: Mark) -> str:
        """Return the mark's sign, or its ASCII stand-in."""
        if encodable("✓✗≡–", self.encoding) == "✓✗≡–":
            return mark.symbol
        return mark.ascii

    def line(self, text: str) -> str:
        """Return ``text`` on one line, without what the terminal would obey or cannot show."""
        return encodable(one_line(text), self.encoding)
