"""What runs on a Dask worker: a task in a fork server of ours, so that a crash is one row.

Either worker and client see the same files, and the task's work directory, destination and cache
are paths of a shared file system; or the model comes from a store and the results go there. Events
go back through the scheduler as they happen.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from converter.engine.cache.sources import source_files
from converter.engine.cache.store import Cache
from converter.engine.plan import tool_versions
from converter.engine.pool import Pool
from converter.engine.store import Store
from converter.errors import InputError
from converter.model.files import signature
from converter.model.result import ModelReport, StageResult
from converter.model.task import Task
from converter.version import __version__

#: Pools of this process that have nothing to do; one thread takes one.
_idle: list[Pool] = []
_busy: dict[str, list[Pool]] = {}
_lock = Lock()


#: A directory here, and what the client calls it; the same where files are shared.
Renamed = tuple[str, str]


class _Telling:
    """An observer that sends what it sees to the client, under the run's topic."""

    def __init__(self, topic: str, renamed: Renamed) -> None:
        from distributed import get_worker

        self._topic = topic
        self._renamed = renamed
        self._worker = get_worker()

    def _tell(self, kind: str, **facts: Any) -> None:
        self._worker.log_event(self._topic, _told({"kind": kind, **facts}, self._renamed))

    def model_started(self, name: str) -> None:
        """Tell it."""
        self._tell("model", name=name)

    def stage_started(self, name: str, stage: str) -> None:
        """Tell it."""
        self._tell("stage", name=name, stage=stage)

    def stage_detail(self, name: str, stage: str, text: str) -> None:
        """Tell it."""
        self._tell("detail", name=name, stage=stage, text=text)

    def stage_finished(self, name: str, result: StageResult) -> None:
        """Tell it."""
        self._tell("result", name=name, result=result.model_dump(mode="json"))

    def model_finished(self, report: ModelReport) -> None:
        """Not told: the report itself comes back."""


class UnfitWorker(Exception):
    """This worker has other versions than the run: another one has to take the task."""


def run_task(
    topic: str,
    data: dict[str, Any],
    log: str,
    versions: dict[str, str],
    renamed: Renamed = ("", ""),
) -> dict[str, Any]:
    """Run the task ``data`` (a ``Task`` as JSON) to its end; its ``ModelReport`` as JSON.

    What is told meanwhile names the directories ``renamed`` as the client does.

    A task that begins again, because its first worker was lost, finds what that one had left.
    Raises ``UnfitWorker`` where this worker's versions are not ``versions``: it came later than
    the check of those that were there.
    """
    if told := other_version(versions, versions_here()):
        raise UnfitWorker(told)
    task = Task.model_validate(data)
    Path(task.work_dir).mkdir(parents=True, exist_ok=True)
    with _lock:
        pool = _idle.pop() if _idle else Pool()
        _busy.setdefault(topic, []).append(pool)
    try:
        (report,) = pool.run([task], {task.name: Path(log)}, _Telling(topic, renamed), jobs=1)
    finally:
        with _lock:
            _busy[topic].remove(pool)
            if not _busy[topic]:
                del _busy[topic]
    if not pool.interrupted:
        with _lock:
            _idle.append(pool)
    return report.model_dump(mode="json")


def run_parcel(topic: str, parcel: dict[str, Any], versions: dict[str, str]) -> dict[str, Any]:
    """Run a task whose files are in a store, in a directory of its own (``store.parcel``).

    What its stages gave is in the store when it returns: the task's ``report``, and its ``log``.
    Raises ``UnfitWorker``, and ``WorkerError`` when the store fails or has not got the model.
    """
    if told := other_version(versions, versions_here()):
        raise UnfitWorker(told)
    task, store = Task.model_validate(parcel["task"]), Store(parcel["store"])
    assert task.cache is not None
    keys = task.cache.keys.values()
    with tempfile.TemporaryDirectory(prefix="paddle2om-") as name:
        root = Path(name)
        directory = root / "source" / parcel["directory"]
        directory.mkdir(parents=True)
        store.get_files(parcel["files"], directory)
        source = directory / parcel["program"] if parcel["program"] else directory
        cache = Cache.open(root / "cache")
        store.pull(cache, keys)  # what another worker had done before it was lost
        inputs = {str(path): signature(path) for path in source_files(source)}
        use = {"root": str(cache.root), "inputs": inputs, "carries": True}
        here = task.model_copy(
            update={
                "source": str(source),
                "work_dir": str(root / "work"),
                "destination": str(root / "out" / task.name),
                "report_root": str(root / "out"),
                "cache": task.cache.model_copy(update=use),
            }
        )
        (root / "out").mkdir()
        log = root / "log"
        renamed = str(directory), parcel["called"]
        report = run_task(topic, here.model_dump(mode="json"), str(log), versions, renamed)
        store.push(cache, keys)
        text = log.read_text("utf-8", "replace") if log.is_file() else ""
    return _told({"report": report, "log": text}, renamed)


def _told(facts: dict[str, Any], renamed: Renamed) -> dict[str, Any]:
    """What goes to the client, which knows the model by its own path."""
    here, there = (json.dumps(path, ensure_ascii=False)[1:-1] for path in renamed)
    if here == there:
        return facts
    answer: dict[str, Any] = json.loads(json.dumps(facts, ensure_ascii=False).replace(here, there))
    return answer


def stop_all(topic: str) -> None:
    """End what this worker does for the run ``topic``."""
    with _lock:
        pools = list(_busy.get(topic, ()))
    for pool in pools:
        pool.stop()


def versions_here() -> dict[str, str]:
    """The versions that decide results."""
    return {"paddle2om": __version__, **tool_versions()}


def other_version(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    """The first version that differs, in words about "theirs"; None when all are the same."""
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            return f"has {name} {theirs.get(name)}, this machine {ours.get(name)}"
    return None


async def what_it_is(
    directory: str, store: str | None = None, sample: str | None = None
) -> dict[str, Any]:
    """The versions that decide results, and whether this machine sees the directory, or the store.

    ``sample`` is what the client has put into the store. ``store`` says why it cannot be used, in a
    message and a hint.
    """
    trouble = None
    if store is not None:
        try:
            # In a thread: the worker goes on telling the scheduler that it is there.
            await asyncio.to_thread(lambda: Store(store).check(sample))
        except InputError as error:
            trouble = error.message, error.hint
    return {
        "sees": store is not None or os.path.isdir(directory),  # noqa: PTH112
        "store": trouble,
        "host": platform.node(),
        "versions": versions_here(),
    }
