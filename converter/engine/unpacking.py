"""Puts in place what a worker has sent through a store: its log, its stages' results, its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.engine.cache.digests import Digests
from converter.engine.cache.recall import Damaged
from converter.engine.cache.restore import restore
from converter.engine.cache.store import Cache
from converter.engine.running import Running, died_in, report_of, rest_of
from converter.engine.store import Store
from converter.model.result import ModelReport, Status
from converter.model.task import Task

_AGAIN = "run the build again; the model's log says what its worker could not keep"

_LOST = "look at the worker's log; it may have run out of memory"


class Unpacking:
    """Unpacks for one run, whose logs are ``log_of``; all its tasks have one cache."""

    def __init__(self, store: Store, log_of: Mapping[str, Path]) -> None:
        self._store = store
        self._log_of = log_of
        self._cache: Cache | None = None
        self._digests = Digests(None)

    def report(self, task: Task, made: Mapping[str, Any]) -> ModelReport:
        """The report of a task that ran elsewhere, with its files put in place here.

        ``made`` is what ``dask_worker.run_parcel`` returned. What a failed model left stays there:
        its log comes back, its files do not. Raises ``WorkerError`` when the store fails.
        """
        assert task.cache is not None
        if self._cache is None:
            self._cache = Cache.open(Path(task.cache.root))
            self._digests = self._cache.digests()
        log = self._log_of[task.name]
        with log.open("a", encoding="utf-8") as file:
            file.write(made["log"])
        report = ModelReport.model_validate(made["report"]).model_copy(
            update={"source": task.source, "log": os.path.relpath(log, task.report_root)}
        )
        try:
            self._store.pull(self._cache, task.cache.keys.values())
            here = restore(self._cache, self._digests, task, log, own=True)
        except Damaged as damaged:
            return crashed(task, f"the store has lost the result of {damaged.stage}", _AGAIN)
        if here is None:
            without = [stage.model_copy(update={"artefacts": ()}) for stage in report.stages]
            report = report.model_copy(update={"stages": tuple(without)})
            if report.status.is_failure:
                return report
            lost = "its results did not come back: not kept on its worker, or damaged in the store"
            return crashed(task, lost, _AGAIN)
        files = {stage.stage: stage.artefacts for stage in here.stages}
        stages = [
            stage.model_copy(update={"artefacts": files.pop(stage.stage, ())})
            for stage in report.stages
        ]
        refused = [stage for stage in here.stages if stage.stage == "publish"]
        return report.model_copy(
            update={"stages": (*stages, *refused), "placement": here.placement}
        )


def crashed(task: Task, why: str, hint: str = _LOST) -> ModelReport:
    """The report of a task that no worker could finish."""
    state = Running(task, Path(), 0.0)
    died = died_in(state, Status.CRASHED, why, hint, 0)
    return report_of(state, [died, *rest_of(task, [died], died)])
