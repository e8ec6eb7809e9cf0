"""Which task is next: the longest first, and no more at once than the memory holds."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converter.engine.cache.history import Seen
from converter.model.memory import free_memory
from converter.model.task import Task

#: A worker that has converted a model of a few kilobytes has this much in memory (bytes), most of
#: it shared with its fork server.
_LEAST_PEAK = 400 << 20

#: Peak memory of a model nobody has converted yet, as a multiple of its files. Measured on the
#: models of docs/explanation/performance.md: 1.2 where weights stay in a file of their own (above
#: 2 GB), up to 3 below.
_PEAK_PER_BYTE = 3.0

#: Seconds of such a model: a start, and so much for every megabyte.
_LEAST_SECONDS, _SECONDS_PER_BYTE = 1.0, 0.15e-6

#: The parts of it that stages have; measured on PP-OCRv5_mobile_rec, resnet18 and two small models,
#: where simplify is the first to run Paddle. Others take next to nothing, or are atc's.
_SHARES = {"inspect": 0.05, "export": 0.25, "simplify": 0.55, "validate": 0.15}

#: How much of the memory that is free now may be planned with.
_SHARE = 0.9


@dataclass(frozen=True)
class Estimate:
    """What a task will take: wall seconds, peak bytes; ``known`` from an earlier run.

    The seconds are without those of ``untimed`` stages, which nothing is known of.
    """

    seconds: float
    peak: int
    known: bool = False
    untimed: tuple[str, ...] = ()


def estimate(size: int, seen: Seen | None, stages: Collection[str]) -> Estimate:
    """What ``stages``, those that will run, take: from earlier runs, else from ``size``.

    That is the bytes of the model's files. A stage that was never run has its share of the guess.
    """
    seen = seen or Seen()
    guess = _LEAST_SECONDS + size * _SECONDS_PER_BYTE
    new = [stage for stage in stages if stage not in seen.seconds and stage in _SHARES]
    old = [stage for stage in stages if stage in seen.seconds]
    seconds = sum(seen.seconds[stage] for stage in old)
    seconds += sum(_SHARES[stage] for stage in new) * guess
    peaks = [seen.peak_memory.get(stage, _LEAST_PEAK) for stage in old]
    if new or not old:
        peaks.append(_LEAST_PEAK + int(size * _PEAK_PER_BYTE))
    untimed = tuple(stage for stage in stages if stage not in (*new, *old))
    return Estimate(seconds, max(peaks), known=bool(old) and not new, untimed=untimed)


class Schedule:
    """Hands out tasks: at most ``jobs`` at a time, ``memory`` bytes together.

    The longest go first, so that none is left to run alone at the end; one that does not fit beside
    those that run has to wait, and one that would not fit at all runs alone. Two tasks that need
    the same outputs of Paddle are kept apart while there is something else to do: the second would
    only wait for the first.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        jobs: int,
        estimates: Mapping[str, Estimate] | None = None,
        memory: int | None = None,
    ) -> None:
        self._estimates = estimates or {}
        self._waiting = list(tasks)
        if estimates:
            self._waiting.sort(key=lambda task: -self._of(task.name).seconds)
        self._jobs = jobs
        self._memory = memory
        self._references: dict[str, str | None] = {}

    @property
    def waiting(self) -> list[Task]:
        """The tasks that have not been handed out."""
        return list(self._waiting)

    def next(self, running: Collection[str]) -> Task | None:
        """The task to begin beside those that run; None when there is none for now."""
        if not self._waiting or len(running) >= self._jobs:
            return None
        fitting = [task for task in self._waiting if self._fits(task, running)]
        busy = {self._references.get(name) for name in running} - {None}
        apart = [task for task in fitting if _reference(task) not in busy]
        chosen = next(iter(apart or fitting), None)
        if chosen is not None:
            self._waiting.remove(chosen)
            self._references[chosen.name] = _reference(chosen)
        return chosen

    def again(self, task: Task) -> None:
        """Hand a task out once more; last, when the machine is least busy."""
        self._waiting.append(task)

    def _fits(self, task: Task, running: Collection[str]) -> bool:
        if self._memory is None or not running:
            return True
        used = sum(self._of(name).peak for name in running)
        return used + self._of(task.name).peak <= self._memory

    def _of(self, name: str) -> Estimate:
        return self._estimates.get(name) or Estimate(0.0, 0)


def _reference(task: Task) -> str | None:
    return task.cache.reference if task.cache else None


def available_memory() -> int | None:
    """Bytes that workers may use together: most of what is free. None where that is not known."""
    free = free_memory()
    return int(free.bytes * _SHARE) if free else None


def bytes_of(path: str) -> int:
    """Bytes of a model's files: a measure of how long it will take. 0 when it is not there."""
    source = Path(path)
    directory = source.parent if source.is_file() else source
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError:
        return 0
