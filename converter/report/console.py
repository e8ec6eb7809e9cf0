"""Where progress and tables go: standard error, which may close before the work is done."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class StderrConsole(Console):
    """A console on standard error that falls silent when nobody reads it any more.

    rich exits the process then, which would throw a run away because of ``2>&1 | head``.
    """

    def __init__(self, *, width: int | None = None) -> None:
        super().__init__(stderr=True, width=width)

    def on_broken_pipe(self) -> None:
        """Go on without output; what the interpreter still holds goes nowhere."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


def report_console() -> StderrConsole:
    """For tables: rich takes a log for 80 columns wide, and nothing is gained by folding there."""
    fixed = sys.stderr.isatty() or "COLUMNS" in os.environ
    return StderrConsole(width=None if fixed else 120)
