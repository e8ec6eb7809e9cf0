"""Prints a report's table: for people, hence on stderr; stdout is for data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from converter.model.result import RunReport


def print_report(report: RunReport) -> None:
    """Print the table of ``report`` on stderr."""
    from rich.console import Console

    from converter.report.terminal import render_table

    Console(stderr=True).print(render_table(report))
