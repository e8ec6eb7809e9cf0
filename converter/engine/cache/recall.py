"""Results that are there already, put back onto a job as if its stages had run."""

from __future__ import annotations

from pathlib import Path

from converter.engine.cache.entries import Entry
from converter.engine.cache.objects import BadObject
from converter.engine.cache.store import Cache
from converter.model.result import StageResult, Status
from converter.model.task import Task
from converter.stages.job import YML_NAME, Job
from converter.stages.pipeline import not_run


class Damaged(Exception):
    """The result of ``stage`` is in the cache and cannot be used.

    ``what`` of it, and ``how`` that was found (``BadObject``).
    """

    def __init__(self, stage: str, error: BadObject) -> None:
        super().__init__(f"{stage}: {error}")
        self.stage = stage
        self.what = error.what
        self.how = error.how


def find_entry(cache: Cache, task: Task, stage: str, *, own: bool = False) -> Entry | None:
    """The entry of a task's stage, if there is one that counts. Raises ``BadObject``.

    ``own`` says that this run made it.
    """
    use = task.cache
    key = use.keys.get(stage) if use else None
    entry = cache.find(key) if key else None
    if entry is not None and not (entry.lasting or own):
        return None
    if use and entry is not None and entry.result.status.is_failure:
        # Its texts name the model's path. `convert` tries again what failed.
        return entry if use.failures and entry.source == task.source else None
    return entry


def recalled(entry: Entry) -> StageResult:
    """The result as this run reports it: it took no time."""
    status = Status.CACHED if entry.result.status is Status.OK else entry.result.status
    changes = {"status": status, "cached": True, "seconds": 0.0, "peak_memory": 0}
    return entry.result.model_copy(update=changes)


def register(job: Job, stage: str, entry: Entry) -> None:
    """Enter the stage's files on the job; they are not there yet."""
    for file in entry.files:
        path = job.work_dir / file.path
        job.add_file(file.name, path, stage)
        job.digests[path] = file.sha256
    if entry.onnx is not None:
        job.onnx = job.work_dir / entry.onnx


def fetch(cache: Cache, job: Job, entry: Entry) -> None:
    """Put the stage's files into the work directory. Raises ``BadObject`` and ``OSError``."""
    for file in entry.files:
        path = job.work_dir / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            cache.objects.fetch(file.sha256, path)
        except BadObject as error:
            raise BadObject(f"the cached {file.name}", error.how) from error
        if file.executable:
            path.chmod(0o755)


def whole(cache: Cache, task: Task, *, own: bool = False) -> dict[str, Entry] | None:
    """The entries of all stages that a task would run; None when one is not there.

    A failure ends them: what follows it is not run. Raises ``Damaged``.
    """
    found: dict[str, Entry] = {}
    entries: list[tuple[str, Entry | None]] = []
    for stage in task.stages:
        try:
            entry = find_entry(cache, task, stage, own=own)
        except BadObject as error:
            raise Damaged(stage, error) from error
        if entry is not None and entry.foreseen and task.stages[0] in found:
            return {task.stages[0]: found[task.stages[0]], stage: entry}
        entries.append((stage, entry))
        if entry is not None and not entry.foreseen:
            found[stage] = entry
    made: dict[str, Entry] = {}
    for stage, entry in entries:
        if entry is None or entry.foreseen:
            return None
        made[stage] = entry
        if entry.result.status.is_failure:
            break
    return made


def results_of(task: Task, entries: dict[str, Entry]) -> list[StageResult]:
    """The results of all stages, with those that a failure kept from running."""
    failed = next((e.result for e in entries.values() if e.result.status.is_failure), None)
    results = []
    for stage in task.stages:
        if stage in entries:
            results.append(recalled(entries[stage]))
        else:
            assert failed is not None
            results.append(not_run(stage, failed))
    return results


def yml_of(job: Job) -> Path | None:
    """The ``inference.yml`` among a job's files."""
    return job.files[YML_NAME][0] if YML_NAME in job.files else None
