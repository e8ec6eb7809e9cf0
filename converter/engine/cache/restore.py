"""Models whose every stage is in the cache: their files are put in place without a worker."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.cache.entries import Entry
from converter.engine.cache.objects import BadObject
from converter.engine.cache.recall import Damaged, fetch, register, results_of, whole, yml_of
from converter.engine.cache.store import Cache
from converter.errors import InputError, Paddle2omError
from converter.model.result import ErrorInfo, ModelReport, StageResult, Status
from converter.model.task import Task
from converter.stages.job import Job
from converter.stages.pipeline import stages_named
from converter.stages.placing import place_model
from converter.stages.publish import Published, publish, published_already
from converter.stages.stage import describe_os_error


def restore(
    cache: Cache, digests: Digests, task: Task, log: Path, *, own: bool = False
) -> ModelReport | None:
    """The report of a task all of whose results are in the cache, with its files in place.

    ``own`` says that this run made them. None when a worker has to see to it. Raises ``Damaged``.
    """
    if task.cache is None:
        return None
    entries = whole(cache, task, own=own)
    if entries is None:
        return None
    job = Job(task)
    for stage, entry in entries.items():
        register(job, stage, entry)
    results = results_of(task, entries)
    job.results = {result.stage: result for result in results}
    there = Path(task.destination) / (yml.name if (yml := yml_of(job)) else "")
    published = None
    if yml is None or there.is_file():
        job.yml = there if yml else None
        job.placement = place_model(job)
        published = published_already(job, digests.of)
    refused: ErrorInfo | None = None
    if published is None:
        try:
            published = _put_in_place(cache, job, entries)
        except (OSError, Paddle2omError) as raised:
            told = raised if isinstance(raised, Paddle2omError) else describe_os_error(raised)
            published, refused = (), ErrorInfo.of(told)
        if published is None:
            return None
        _remember(digests, task, published)
    cache.touch(task.cache.keys[stage] for stage in entries)
    results = [_with_files(result, published) for result in results]
    if refused is not None:
        results.append(StageResult(stage="publish", status=Status.FAILED, error=refused))
    with log.open("a", encoding="utf-8") as file:
        file.write("every result is an earlier run's, from the cache\n")
    return ModelReport(
        name=task.name,
        source=task.source,
        model=task.model,
        variant=task.variant,
        stages=tuple(results),
        log=os.path.relpath(log, task.report_root),
        placement=job.placement,
    )


def _put_in_place(
    cache: Cache, job: Job, entries: dict[str, Entry]
) -> tuple[Published, ...] | None:
    """Fetch what is published and publish it; None when the first stage objects."""
    (first, *_) = stages_named(job.task.stages)
    try:
        first.requires(job)
    except InputError:
        return None
    wanted = {path for path, _ in job.files.values()}
    for stage, entry in entries.items():
        files = tuple(file for file in entry.files if job.work_dir / file.path in wanted)
        try:
            fetch(cache, job, entry.model_copy(update={"files": files}))
        except BadObject as error:
            raise Damaged(stage, error) from error
    job.yml = yml_of(job)
    job.placement = place_model(job)
    published = publish(job)
    shutil.rmtree(job.work_dir, ignore_errors=True)
    job.work_dir.mkdir()
    return published


def _remember(digests: Digests, task: Task, published: tuple[Published, ...]) -> None:
    for entry in published:
        path = Path(task.report_root) / entry.artefact.path
        try:
            digests.remember(path, entry.artefact.sha256, entry.seen)
        except OSError:
            continue


def _with_files(result: StageResult, published: tuple[Published, ...]) -> StageResult:
    made = tuple(entry.artefact for entry in published if entry.stage == result.stage)
    return result.model_copy(update={"artefacts": made})
