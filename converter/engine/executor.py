"""The seam between planning and doing: what runs tasks, here or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from converter.engine.pool import Observer
from converter.engine.schedule import Schedule
from converter.model.result import ModelReport
from converter.model.task import Task


class Executor(Protocol):
    """Runs tasks and says what became of each; ``converter.engine.pool.Pool`` does it locally.

    A task is plain data. When its report is there, its finished files are in ``task.destination``
    and what its stages gave is in ``task.cache``, if there is one. An executor whose workers cannot
    write to the destination lets them fill the cache, and puts the files in place from there
    (``converter.engine.cache.restore``), as is done for models of an earlier run.
    """

    #: Whether the last ``run`` ended with Ctrl-C.
    interrupted: bool

    def run(
        self,
        tasks: Sequence[Task],
        log_of: Mapping[str, Path],
        observer: Observer,
        *,
        jobs: int,
        schedule: Schedule | None = None,
    ) -> list[ModelReport]:
        """Run every task; the reports in the order of ``tasks``.

        A task that fails, or whose worker dies, is a report. On ``KeyboardInterrupt`` the workers
        are stopped, ``interrupted`` is set, and the reports say how far each model got. Raises
        ``WorkerError`` when nothing can be started at all.
        """
