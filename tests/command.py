"""Starts ``paddle2om`` as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: How a process that is the command begins.
COMMAND = (sys.executable, "-m", "converter.cli.main")


def environment(**changes: str) -> dict[str, str]:
    """That of this process, with this clone's ``converter`` in reach from any directory."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    return {**os.environ, "PYTHONPATH": path, **changes}


def paddle2om(
    *words: object, cwd: Path | None = None, limit: float | None = 300, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, at most ``limit`` seconds; ``changes`` are to the environment.

    Whatever it exits with is returned.
    """
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=limit,
    )
