"""What a time limit may be."""

from __future__ import annotations

#: Seconds: about three years; the operating system's own timers end later, but they end.
LONGEST = 1e8
