"""Runs tasks on a Dask cluster (``--scheduler``), the same way as here: see ``dask_worker``.

Models that are compiled need a chip's toolkit: they go to workers that declare the resource
``ascend``, if there are any; all others go elsewhere while there is an elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.engine import dask_worker
from converter.engine.cache.digests import Digests
from converter.engine.cache.restore import Damaged, restore
from converter.engine.cache.store import Cache
from converter.engine.pool import Observer
from converter.engine.running import Running, died_in, interrupted, report_of, rest_of
from converter.engine.schedule import Schedule
from converter.engine.store import Store, parcel
from converter.errors import InputError, WorkerError
from converter.model.result import ModelReport, StageResult, Status
from converter.model.task import Task

if TYPE_CHECKING:
    import distributed

#: The resource that workers with a chip's toolkit declare.
ASCEND = "ascend"

#: Seconds to wait for the scheduler, and for a worker when there is none any more.
_PATIENCE = 60.0

#: Seconds between two looks at what has ended.
_TICK = 0.2


@contextmanager
def cluster(address: str, store: str | None = None) -> Iterator[DaskExecutor]:
    """The executor for ``tcp://host:port`` or ``local``, ``local:N`` (N worker processes here).

    With ``store`` models and results travel through it; without, all see the same files. Raises
    ``InputError`` for an address or a store that is none and where ``distributed`` is not
    installed, ``WorkerError`` when no scheduler answers.
    """
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "--scheduler needs Dask, which is not installed",
            hint="pip install 'paddle2om[dask]', here and on the workers",
        ) from error
    with contextlib.ExitStack() as stack:
        if address == "local" or address.startswith("local:"):
            count = address.partition(":")[2]
            if count and not (count.isdigit() and int(count) > 0):
                raise InputError(f"{address!r} is no scheduler", hint="local:2 has two workers")
            target: Any = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=int(count) if count else None,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,  # what matters to a user is in the report
                )
            )
        elif "://" in address:
            target = address
        else:
            raise InputError(
                f"{address!r} is no scheduler", hint="give tcp://host:8786, local or local:4"
            )
        try:
            client = stack.enter_context(distributed.Client(target, timeout=_PATIENCE))
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkerError(
                f"no Dask scheduler answers at {address}", hint="start one with: dask scheduler"
            ) from error
        opened = Store(store) if store else None
        if opened:
            opened.check()
        yield DaskExecutor(client, opened)


class DaskExecutor:
    """Runs tasks on the workers of ``client``'s cluster; one run at a time."""

    def __init__(self, client: distributed.Client, store: Store | None = None) -> None:
        self._client = client
        self._store = store
        self._logs: Mapping[str, Path] = {}
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        #: Whether the last ``run`` ended with Ctrl-C.
        self.interrupted = False

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

        The cluster decides how many run at once, in the order of ``schedule``; ``jobs`` is what one
        machine would have done. A worker that is lost with its task is replaced by another, as
        often as the scheduler allows (three times); then the task is a crashed row. Raises
        ``InputError`` when a worker has other versions than we or does not see the directory, and
        ``WorkerError`` when there are no workers.
        """
        self.interrupted = False
        finished: dict[str, ModelReport] = {}
        self._logs = log_of
        if not tasks:
            return []
        workers = self._workers(tasks[0].report_root)
        topic = f"paddle2om-{uuid.uuid4().hex}"
        self._client.subscribe_topic(topic, lambda event: self._events.put(event[1]))
        futures: dict[Any, Task] = {}
        digests = Digests(None)
        try:
            for task in schedule.waiting if schedule else tasks:
                where = placed(task, workers)
                work: tuple[Any, ...] = (
                    (dask_worker.run_parcel, topic, parcel(task, self._store, digests))
                    if self._store
                    else (
                        dask_worker.run_task,
                        topic,
                        task.model_dump(mode="json"),
                        str(log_of[task.name].absolute()),
                    )
                )
                key = f"{topic}-{task.name}"
                future = self._client.submit(*work, key=key, pure=False, **where)
                futures[future] = task
            self._collect(futures, finished, observer)
        except KeyboardInterrupt:
            self.interrupted = True
            for future, task in futures.items():
                if future.status == "finished" and task.name not in finished:
                    finished[task.name] = self._report_of(task, future)
            self._client.cancel(list(futures))
            with contextlib.suppress(Exception):  # a worker that is gone has stopped, too
                self._client.run(dask_worker.stop_all, topic)
            for task in tasks:
                finished.setdefault(task.name, interrupted(task, []))
        finally:
            self._client.unsubscribe_topic(topic)
        return [finished[task.name] for task in tasks]

    def _workers(self, directory: str) -> dict[str, dict[str, float]]:
        """Resources by worker address, once all are known to be fit for this run."""
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise WorkerError(
                "the Dask cluster has no workers", hint="start some with: dask worker ADDRESS"
            ) from error
        try:
            url = self._store.url if self._store else None
            facts = self._client.run(dask_worker.what_it_is, directory, url)
        except InputError:
            raise
        except Exception as error:  # whatever its Python lacks
            raise InputError(
                f"paddle2om does not run on the cluster's workers: {error}",
                hint="install the same paddle2om there",
            ) from error
        ours = dask_worker.what_it_is(directory)["versions"]
        for address, found in facts.items():
            told = unfit(ours, found)
            if told:
                raise InputError(
                    f"worker {address} on {found['host']} {told[0].format(directory=directory)}",
                    hint=told[1],
                )
        info = self._client.scheduler_info(n_workers=-1)["workers"]
        return {address: dict(info[address].get("resources", {})) for address in facts}

    def _collect(
        self, futures: dict[Any, Task], finished: dict[str, ModelReport], observer: Observer
    ) -> None:
        """Wait for every future, and pass on what is told meanwhile."""
        lonely_since: float | None = None
        left = dict(futures)
        while left:
            time.sleep(_TICK)
            self._pass_on(observer, finished)
            for future in [future for future in left if future.done()]:
                task = left.pop(future)
                report = self._report_of(task, future)
                finished[task.name] = report
                observer.model_finished(report)
            if self._client.scheduler_info(n_workers=-1)["workers"]:
                lonely_since = None
                continue
            lonely_since = lonely_since or time.monotonic()
            if time.monotonic() - lonely_since > _PATIENCE:
                for task in left.values():
                    report = crashed(task, "every Dask worker is gone")
                    finished[task.name] = report
                    observer.model_finished(report)
                return
        self._pass_on(observer, finished)

    def _pass_on(self, observer: Observer, finished: Mapping[str, ModelReport]) -> None:
        while not self._events.empty():
            event = self._events.get()
            name = event["name"]
            if name in finished:  # told late, after its report
                continue
            if event["kind"] == "model":
                observer.model_started(name)
            elif event["kind"] == "stage":
                observer.stage_started(name, event["stage"])
            elif event["kind"] == "detail":
                observer.stage_detail(name, event["stage"], event["text"])
            else:
                observer.stage_finished(name, StageResult.model_validate(event["result"]))

    def _report_of(self, task: Task, future: Any) -> ModelReport:
        error = future.exception() if future.status == "error" else None
        if error is not None or future.status != "finished":
            return crashed(task, f"its Dask worker was lost: {error or future.status}")
        if self._store is None:
            return ModelReport.model_validate(future.result())
        return self._unpacked(task, future.result(), self._store)

    def _unpacked(self, task: Task, made: Mapping[str, Any], store: Store) -> ModelReport:
        """The report of a task that ran elsewhere, with its files put in place here.

        What a failed model left stays there: its log comes back, its files do not.
        """
        assert task.cache is not None
        log = self._logs[task.name]
        with log.open("a", encoding="utf-8") as file:
            file.write(made["log"])
        report = ModelReport.model_validate(made["report"]).model_copy(
            update={"source": task.source, "log": os.path.relpath(log, task.report_root)}
        )
        cache = Cache.open(Path(task.cache.root))
        store.pull(cache, task.cache.keys.values())
        try:
            here = restore(cache, cache.digests(), task, log, own=True)
        except Damaged as damaged:
            return crashed(task, f"the store has lost the result of {damaged.stage}")
        if here is None:
            without = [stage.model_copy(update={"artefacts": ()}) for stage in report.stages]
            report = report.model_copy(update={"stages": tuple(without)})
            if report.status.is_failure:
                return report
            return crashed(task, "its results could not be kept, and did not come back")
        files = {stage.stage: stage.artefacts for stage in here.stages}
        stages = [
            stage.model_copy(update={"artefacts": files.pop(stage.stage, ())})
            for stage in report.stages
        ]
        refused = [stage for stage in here.stages if stage.stage == "publish"]
        return report.model_copy(
            update={"stages": (*stages, *refused), "placement": here.placement}
        )


def unfit(ours: Mapping[str, str], found: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a worker cannot take part, with a hint; None when it can.

    Results of different versions differ in their bytes, and one run has one set of versions.
    """
    theirs = found["versions"]
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            text = f"has {name} {theirs.get(name)}, this machine {ours.get(name)}"
            return text, "install the same versions on all machines"
    if not found["sees"]:
        return "does not see {directory}", "name an output directory that all machines share"
    return None


def placed(task: Task, workers: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Where a task may run, as arguments of ``Client.submit``."""
    able = [address for address, has in workers.items() if has.get(ASCEND, 0) >= 1]
    if task.options.compile.soc is not None and able:
        return {"resources": {ASCEND: 1}}
    others = [address for address in workers if address not in able]
    if able and others:  # leave the chips to those who need them, if that is possible
        return {"workers": others, "allow_other_workers": True}
    return {}


def crashed(task: Task, why: str) -> ModelReport:
    """The report of a task that no worker could finish."""
    state = Running(task, Path(), 0.0)
    hint = "look at the worker's log; it may have run out of memory"
    died = died_in(state, Status.CRASHED, why, hint, 0)
    return report_of(state, [died, *rest_of(task, [died], died)])
