"""Notices models whose files change while they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.origin import files_of_models
from converter.engine.pool import Observer
from converter.model.recipe import PlannedModel
from converter.model.result import Message, ModelReport, SourceFile, Status

#: A stage that ended so has read what there was.
_RAN = (Status.OK, Status.DEGRADED, Status.FAILED, Status.CRASHED, Status.TIMEOUT)


class Noticing:
    """Passes on what it is told, and looks at a model's files when the model is done.

    Not later: another hour of the run may change what has been read long before.
    """

    def __init__(
        self,
        watcher: Observer,
        models: Sequence[PlannedModel],
        digests: Digests,
        before: Mapping[str, tuple[SourceFile, ...]],
    ) -> None:
        """``before`` are the files of each model as they were before the run."""
        self._watcher = watcher
        self._models = {model.name: model for model in models}
        self._digests = digests
        self._before = before
        self._now: dict[str, tuple[SourceFile, ...]] = {}
        self.model_started = watcher.model_started
        self.stage_started = watcher.stage_started
        self.stage_detail = watcher.stage_detail
        self.stage_finished = watcher.stage_finished

    def model_finished(self, report: ModelReport) -> None:
        """Look at the model's files, if a stage has read them in this run."""
        if any(stage.status in _RAN and not stage.cached for stage in report.stages):
            model = self._models[report.name]
            self._now[report.name] = files_of_models([model], self._digests)[report.name]
        self._watcher.model_finished(report)

    def with_sources(self, report: ModelReport) -> ModelReport:
        """The report with its files; with a warning where they changed while it was made.

        It has those of then: what a stage read may have been either.
        """
        before = self._before[report.name]
        now = self._now.get(report.name, before)
        if before == now:
            return report.model_copy(update={"inputs": before})
        names = sorted({Path(file.path).name for file in {*before} ^ {*now}})
        changed = Message(
            level="warning",
            text=f"{', '.join(names)} changed while this was made",
            hint="make it again when nobody writes there; digests are those of its end",
        )
        first, *later = report.stages
        worked = first.status in (Status.OK, Status.CACHED)
        told = first.model_copy(
            update={
                "messages": (*first.messages, changed),
                "status": Status.DEGRADED if worked else first.status,
            }
        )
        return report.model_copy(update={"inputs": now, "stages": (told, *later)})
