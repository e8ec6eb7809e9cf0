"""Rows as aligned columns of plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converter.report.format import one_line


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """One line per row, cells two spaces apart; all rows have as many cells as the first."""
    clean = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    for row in clean:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
