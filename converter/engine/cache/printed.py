"""What a stage printed, in words for the log of a run that takes its result from the cache.

A worker's standard output and error are its log: what libraries and atc print goes there by itself.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

#: Characters of one stage that are kept; of more the last ones, which say how it ended.
AT_MOST = 1 << 16


def end_of_log() -> int | None:
    """Bytes that the log has now; None where output goes to no file."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    try:
        status = os.fstat(1)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def printed_since(end: int | None) -> str:
    """What came to the log after ``end``, shortened at its beginning; nothing is raised."""
    if end is None or end_of_log() is None:
        return ""
    try:
        with Path("/proc/self/fd/1").open("rb") as file:
            file.seek(end)
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    if len(text) <= AT_MOST:
        return text
    return f"[{len(text) - AT_MOST} characters left out]\n{text[-AT_MOST:]}"


def of_earlier_run(stage: str, printed: str) -> str:
    """Lines for the log of a run that takes ``stage`` from the cache."""
    told = f"paddle2om: {stage} is an earlier run's, from the cache"
    if not printed.strip():
        return f"{told}\n"
    end = "" if printed.endswith("\n") else "\n"
    return f"{told}, and printed then:\n{printed}{end}"
