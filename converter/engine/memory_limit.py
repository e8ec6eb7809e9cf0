"""Limits the memory of workers by watching them.

No resource limit of the kernel does it: ``RLIMIT_AS`` counts address space, of which a worker has
1.0 GB after its imports and 1.7 GB at a peak of 0.4 GB resident (PP-OCRv5_mobile_rec);
``RLIMIT_DATA`` counts 0.47 GB there, but each process alone, atc's too, and an allocation that it
refuses ends in whatever the library at work makes of that. So the resident memory of a worker and
of what it starts is read now and then; what grows in between is more than the limit says.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from converter.model.memory import kernel_kills, tree_memory

#: Seconds between two looks. Fresh memory is touched at some 2 GB/s, so a limit is kept to 0.1 GB.
_EVERY = 0.05


@dataclass
class _Watched:
    limit: int | None
    kernel_kills: int
    peak: int = 0
    over: int | None = None


class MemoryLimits:
    """The workers that are watched, by process id."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._next = 0.0

    def watch(self, pid: int, limit: int | None) -> None:
        """Watch a worker; ``limit`` is bytes, None for no limit."""
        self._watched[pid] = _Watched(limit, kernel_kills())

    @property
    def patience(self) -> float | None:
        """Seconds until the next look is due; None when nothing has a limit."""
        if all(each.limit is None for each in self._watched.values()):
            return None
        return max(0.0, self._next - time.monotonic())

    def over(self) -> list[int]:
        """The workers that take more than they may now, each once; [] when no look is due."""
        now = time.monotonic()
        if now < self._next:
            return []
        self._next = now + _EVERY
        found = []
        for pid, each in self._watched.items():
            if each.limit is None or each.over is not None:
                continue
            used = tree_memory(pid)
            each.peak = max(each.peak, used)
            if used > each.limit:
                each.over = used
                found.append(pid)
        return found

    def ended(self, pid: int, status: int) -> dict[str, Any]:
        """What is known of how a worker ended: fields of its ``exit`` event, and its ``peak``."""
        each = self._watched.pop(pid)
        told: dict[str, Any] = {"peak": each.peak}
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            if each.over is not None:
                told["over_memory"] = each.over
            elif kernel_kills() > each.kernel_kills:
                told["kernel"] = True
        return told
