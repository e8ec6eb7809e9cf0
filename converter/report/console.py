"""Where progress and tables go: standard error, which may close before the work is done."""

from __future__ import annotations

import os
import sys

from rich.console import Console, RenderableType


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


#: Wider than any line: in a file nothing is folded, so that names and messages can be searched for.
_UNFOLDED = 10_000


def print_table(table: RenderableType) -> None:
    """Print ``table`` on standard error, folded to the terminal; in a file every row is one line.

    ``COLUMNS`` gives files a width too. No line of a file ends with spaces.
    """
    terminal = sys.stderr.isatty()
    fixed = terminal or "COLUMNS" in os.environ
    console = StderrConsole(width=None if fixed else _UNFOLDED)
    if terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    console.out("\n".join(line.rstrip() for line in lines), highlight=False)
