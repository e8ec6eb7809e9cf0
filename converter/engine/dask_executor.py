"""Runs tasks on a Dask cluster (``--scheduler``), the same way as here: see ``dask_worker``.

Models that are compiled need a chip's toolkit: they go to workers that declare the resource
``ascend``, if there are any; all others go elsewhere while there is an elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.engine import dask_worker
from converter.engine.cache.digests import Digests
from converter.engine.interruption import interruptible
from converter.engine.pool import Observer, Pool
from converter.engine.running import interrupted
from converter.engine.schedule import Schedule
from converter.engine.store import Store, check_parcels, parcel
from converter.engine.unpacking import Unpacking, crashed
from converter.errors import InputError, Paddle2omError, WorkerError
from converter.model.result import ModelReport, StageResult
from converter.model.task import Task

if TYPE_CHECKING:
    import distributed

#: The resource that workers with a chip's toolkit declare.
ASCEND = "ascend"

#: Seconds to wait for a scheduler that should be there.
_ANSWER = 10.0

#: Seconds to wait for a worker when there is none (any more), and for a scheduler started here.
_PATIENCE = 60.0

#: Seconds that workers may take to stop when the run is interrupted.
_PARTING = 10.0

#: Seconds between two looks at what has ended.
_TICK = 0.2

#: Seconds between two looks at whether there are workers.
_LOOK = 5.0

#: A function for a worker and its arguments.
Work = tuple[Any, ...]


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
            if count and not re.fullmatch("[1-9][0-9]{0,3}", count):
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
            patience = _ANSWER if target == address else _PATIENCE
            client = stack.enter_context(distributed.Client(target, timeout=patience))
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkerError(
                f"no Dask scheduler answers at {address}, after {_ANSWER:.0f} s",
                hint="start one with: dask scheduler",
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
        self._unpacking: Unpacking | None = None
        self._versions = dask_worker.versions_here()
        self._topic = ""
        self._works: dict[str, Work] = {}
        #: Resources by address, of the workers that were there at first.
        self._fit: dict[str, dict[str, float]] = {}
        #: Models that were sent a second time.
        self._resent: set[str] = set()
        #: Why the store is given up: it did not answer us, for longer than it takes to restart.
        self._gone: WorkerError | None = None
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        #: Results of stages by model, of those that are not finished.
        self._told: dict[str, list[StageResult]] = {}
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
        self._resent, self._gone = set(), None
        self._told.clear()
        finished: dict[str, ModelReport] = {}
        if not tasks:
            return []
        if self._store:
            check_parcels(tasks)
            self._unpacking = Unpacking(self._store, log_of)
        with interruptible():
            workers = self._workers(tasks[0].report_root)
        self._topic = f"paddle2om-{uuid.uuid4().hex}"
        self._client.subscribe_topic(self._topic, lambda event: self._events.put(event[1]))
        futures: dict[Any, Task] = {}
        digests = Digests(None)
        try:
            with interruptible():
                here = []
                for task in schedule.waiting if schedule else tasks:
                    if self._store and task.cache is None:
                        here.append(task)
                        continue
                    work = self._sent(task, log_of[task.name], digests)
                    if isinstance(work, ModelReport):
                        finished[task.name] = work
                        observer.model_finished(work)
                        continue
                    futures[self._submit(task, work, placed(task, workers))] = task
                if here:
                    self._run_here(here, log_of, observer, finished)
                self._collect(futures, finished, observer)
        except KeyboardInterrupt:
            self.interrupted = True
            self._stop(futures, finished)
            self._pass_on(observer, finished)
            for task in tasks:
                told = self._told.get(task.name, [])
                finished.setdefault(task.name, interrupted(task, told))
        finally:
            self._client.unsubscribe_topic(self._topic)
        return [finished[task.name] for task in tasks]

    def _sent(self, task: Task, log: Path, digests: Digests) -> Work | ModelReport:
        """The task's work, with its model in the store; a crashed row where that did not work."""
        if self._gone:
            return crashed(task, self._gone.message, self._gone.hint)
        try:
            return self._work(task, log, digests)
        except OSError as error:
            return crashed(task, f"its model was not sent: {error}", "look at the model's files")
        except WorkerError as error:
            self._gone = error
            return crashed(task, error.message, error.hint)

    def _stop(self, futures: Mapping[Any, Task], finished: dict[str, ModelReport]) -> None:
        """End what runs, and add to ``finished`` what had ended; a worker may answer nothing."""
        end = time.monotonic() + _PARTING
        ended = {future: task for future, task in futures.items() if future.status == "finished"}

        def stop() -> None:
            with contextlib.suppress(Exception):  # a worker that is gone has stopped, too
                self._client.cancel([each for each in futures if each not in ended])
                self._client.run(dask_worker.stop_all, self._topic)

        stopping = threading.Thread(target=stop, daemon=True)
        stopping.start()
        for future, task in ended.items():
            if task.name not in finished:
                with contextlib.suppress(TimeoutError):  # what it made does not come
                    left = max(0.0, end - time.monotonic())
                    finished[task.name] = self._report_of(task, future, left)
        stopping.join(max(0.0, end - time.monotonic()))

    def _work(self, task: Task, log: Path, digests: Digests) -> Work:
        """A function of ``dask_worker`` and its arguments."""
        if self._store:
            made = parcel(task, self._store, digests)
            return (dask_worker.run_parcel, self._topic, made, self._versions)
        data = task.model_dump(mode="json")
        return (dask_worker.run_task, self._topic, data, str(log.absolute()), self._versions)

    def _submit(self, task: Task, work: Work, where: Mapping[str, Any]) -> Any:
        key = f"{self._topic}-{task.name}-{uuid.uuid4().hex[:8]}"
        future = self._client.submit(*work, key=key, pure=False, **where)
        self._works[future.key] = work
        return future

    def _run_here(
        self,
        tasks: Sequence[Task],
        log_of: Mapping[str, Path],
        observer: Observer,
        finished: dict[str, ModelReport],
    ) -> None:
        """Run tasks that no worker can: a model that cannot be read has no keys to travel by."""
        with Pool() as pool:
            for report in pool.run(tasks, log_of, observer, jobs=1):
                finished[report.name] = report
            if pool.interrupted:
                raise KeyboardInterrupt

    def _workers(self, directory: str) -> dict[str, dict[str, float]]:
        """Resources by worker address, once all are known to be fit for this run."""
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise WorkerError(
                "the Dask cluster has no workers", hint="start some with: dask worker ADDRESS"
            ) from error
        with contextlib.ExitStack() as stack:
            asked: tuple[str, ...] = (directory,)
            if self._store:
                asked = (directory, self._store.url, stack.enter_context(self._store.sample()))
            try:
                facts = self._client.run(dask_worker.what_it_is, *asked)
            except Exception as error:  # whatever its Python lacks
                raise InputError(
                    f"paddle2om does not run on the cluster's workers: {error}",
                    hint="install the same paddle2om there",
                ) from error
        for address, found in facts.items():
            told = unfit(self._versions, found, directory)
            if told:
                raise InputError(f"worker {address} on {found['host']} {told[0]}", hint=told[1])
        info = self._client.scheduler_info(n_workers=-1)["workers"]
        self._fit = {address: dict(info[address].get("resources", {})) for address in facts}
        return self._fit

    def _collect(
        self, futures: dict[Any, Task], finished: dict[str, ModelReport], observer: Observer
    ) -> None:
        """Wait for every future, and pass on what is told meanwhile."""
        lonely_since: float | None = None
        looked = time.monotonic()
        left = dict(futures)
        while left:
            time.sleep(_TICK)
            self._pass_on(observer, finished)
            for future in [future for future in left if future.done()]:
                task = left.pop(future)
                if other := self._for_another(task, future) or self._sent_again(task, future):
                    left[other] = futures[other] = task
                    continue
                report = self._report_of(task, future)
                finished[task.name] = report
                observer.model_finished(report)
            if gone := self._gone:
                self._stop({each: left[each] for each in left if not each.done()}, finished)
                for task in left.values():
                    finished[task.name] = crashed(task, gone.message, gone.hint)
                    observer.model_finished(finished[task.name])
                return
            now = time.monotonic()
            if now - looked < _LOOK:
                continue
            looked = now
            if self._client.nthreads():
                lonely_since = None
                continue
            lonely_since = lonely_since or now
            if now - lonely_since > _PATIENCE:
                for task in left.values():
                    report = crashed(task, "every Dask worker is gone")
                    finished[task.name] = report
                    observer.model_finished(report)
                return
        self._pass_on(observer, finished)

    def _for_another(self, task: Task, future: Any) -> Any:
        """The task once more, for the workers that were there at first; None where it is done.

        One that came later may have other versions. It fails at once, and would take all there is.
        """
        if future.status != "error":
            return None
        work = self._works.pop(future.key, None)
        if work is None or not isinstance(future.exception(), dask_worker.UnfitWorker):
            return None
        where = self._where_fit(task)
        return self._submit(task, work, where) if where else None

    def _where_fit(self, task: Task) -> dict[str, Any]:
        """Where a task may run among the workers that were there at first; empty if they left."""
        present = self._client.nthreads()
        fit = {address: has for address, has in self._fit.items() if address in present}
        if not fit:
            return {}
        return {"workers": list(fit), **placed(task, fit), "allow_other_workers": False}

    def _sent_again(self, task: Task, future: Any) -> Any:
        """The task once more, after the store failed its worker; None where that is not why.

        The worker removed what was damaged, and its model is put into the store again. Or the
        worker came later and has no access: only those that were there at first have shown theirs.
        """
        error = future.exception() if future.status == "error" else None
        ours = isinstance(error, Paddle2omError)
        if self._store is None or not ours or task.name in self._resent:
            return None
        self._resent.add(task.name)
        work = self._sent(task, Path(), Digests(None))
        if isinstance(work, ModelReport):
            return None
        return self._submit(task, work, self._where_fit(task))

    def _pass_on(self, observer: Observer, finished: Mapping[str, ModelReport]) -> None:
        while not self._events.empty():
            event = self._events.get()
            name = event["name"]
            if name in finished:  # told late, after its report
                continue
            if event["kind"] == "model":
                self._told[name] = []  # anew, where its first worker was lost
                observer.model_started(name)
            elif event["kind"] == "stage":
                observer.stage_started(name, event["stage"])
            elif event["kind"] == "detail":
                observer.stage_detail(name, event["stage"], event["text"])
            else:
                result = StageResult.model_validate(event["result"])
                self._told.setdefault(name, []).append(result)
                observer.stage_finished(name, result)

    def _report_of(self, task: Task, future: Any, limit: float | None = None) -> ModelReport:
        """Raises ``TimeoutError`` when the result is not here after ``limit`` seconds."""
        error = future.exception() if future.status == "error" else None
        if isinstance(error, Paddle2omError):  # the store's
            return crashed(task, error.message, error.hint)
        if isinstance(error, dask_worker.UnfitWorker):
            return crashed(task, f"only workers with other versions are left: one {error}")
        if error is not None or future.status != "finished":
            return crashed(task, f"its Dask worker was lost: {error or future.status}")
        if self._unpacking is None:
            return ModelReport.model_validate(future.result(timeout=limit))
        try:
            return self._unpacking.report(task, future.result(timeout=limit))
        except WorkerError as failed:
            self._gone = failed
            return crashed(task, failed.message, failed.hint)


def unfit(
    ours: Mapping[str, str], found: Mapping[str, Any], directory: str
) -> tuple[str, str] | None:
    """Why a worker cannot take part, with a hint; None when it can.

    Results of different versions differ in their bytes, and one run has one set of versions.
    """
    if told := dask_worker.other_version(ours, found["versions"]):
        return told, "install the same versions on all machines"
    if not found["sees"]:
        return f"does not see {directory}", "name an output directory that all machines share"
    if found.get("store"):
        message, hint = found["store"]
        return f"says: {message}", f"{hint}, on that machine"
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
