"""Notes what a run took while it goes on, so that a run that is killed has told it too."""

from __future__ import annotations

from collections.abc import Mapping

from converter.engine.cache.store import Cache
from converter.engine.pool import Observer
from converter.model.result import ModelReport, Status
from converter.model.task import Task


class Recording:
    """Passes on what it is told, and adds finished models to the cache's history."""

    def __init__(
        self,
        watcher: Observer,
        cache: Cache,
        parts: Mapping[str, Mapping[str, Mapping[str, str]]],
        tasks: Mapping[str, Task],
    ) -> None:
        self._watcher = watcher
        self._cache = cache
        self._parts = parts
        self._tasks = tasks
        self.model_started = watcher.model_started
        self.stage_started = watcher.stage_started
        self.stage_detail = watcher.stage_detail
        self.stage_finished = watcher.stage_finished

    def model_finished(self, report: ModelReport) -> None:
        """Note the times, memory and keys of the stages that ran."""
        ran = [s for s in report.stages if s.status.ended and not s.cached and s.seconds > 0]
        # A compile without a chip or atc tells nothing of how long atc takes.
        timed = [s for s in ran if s.stage != "compile" or s.status is not Status.SKIPPED]
        known = self._parts.get(report.name, {})
        done = {stage.stage for stage in report.stages if stage.cached or stage in ran}
        self._cache.history.add(
            self._tasks[report.name].source,
            report.name,
            seconds={stage.stage: stage.seconds for stage in timed},
            peak_memory={stage.stage: stage.peak_memory for stage in timed},
            parts={stage: parts for stage, parts in known.items() if stage in done},
        )
        self._watcher.model_finished(report)
