"""Models whose every stage is in the cache: their files are put in place without a worker."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.cache.entries import Entry
from converter.engine.cache.objects import BadObject
from converter.engine.cache.printed import of_earlier_run
from converter.engine.cache.recall import Damaged, fetch, register, results_of, whole, yml_of
from converter.engine.cache.store import Cache
from converter.errors import InputError, Paddle2omError
from converter.model.result import ErrorInfo, ModelReport, StageResult, Status
from converter.model.task import Task
from converter.stages.job import Job
from converter.stages.placing import place_model
from converter.stages.publish import (
    Published,
    check_free,
    check_target,
    publish,
    published_already,
    remove_leftovers,
)
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
    job = _recalled(task, entries)
    results = list(job.results.values())
    published = _in_place(job, digests)
    refused: ErrorInfo | None = None
    try:
        if published is not None:
            remove_leftovers(job)
        else:
            published = _put_in_place(cache, job, entries)
            _remember(digests, task, published)
    except (OSError, Paddle2omError) as raised:
        told = raised if isinstance(raised, Paddle2omError) else describe_os_error(raised)
        published, refused = (), ErrorInfo.of(told)
    cache.touch(task.cache.keys[stage] for stage in entries)
    results = [_with_files(result, published) for result in results]
    if refused is not None:
        results.append(StageResult(stage="publish", status=Status.FAILED, error=refused))
    if not own:  # else the log has it
        with log.open("a", encoding="utf-8") as file:
            file.writelines(of_earlier_run(stage, made.printed) for stage, made in entries.items())
    return ModelReport(
        name=task.name,
        source=task.source,
        model=task.model,
        variant=task.variant,
        stages=tuple(results),
        log=os.path.relpath(log, task.report_root),
        placement=job.placement,
    )


def refusal(cache: Cache | None, digests: Digests, task: Task) -> InputError | None:
    """Why the task's files would not be put in place, as far as that is known before it runs."""
    try:
        entries = whole(cache, task) if cache and task.cache else None
    except Damaged:
        entries = None
    try:
        if entries is None:
            check_free(task)
        elif _in_place(job := _recalled(task, entries), digests) is None:
            check_target(job)
    except InputError as error:
        return error
    except OSError as error:
        return describe_os_error(error)
    return None


def _recalled(task: Task, entries: dict[str, Entry]) -> Job:
    """A job whose stages are these; its files are not there."""
    job = Job(task)
    for stage, entry in entries.items():
        register(job, stage, entry)
    job.results = {result.stage: result for result in results_of(task, entries)}
    return job


def _in_place(job: Job, digests: Digests) -> tuple[Published, ...] | None:
    """What is published of the job, if that is just what it should be; None if not."""
    there = Path(job.task.destination) / (yml.name if (yml := yml_of(job)) else "")
    if yml is not None and not there.is_file():
        return None
    job.yml = there if yml else None
    job.placement = place_model(job)
    return published_already(job, digests.of)


def _put_in_place(cache: Cache, job: Job, entries: dict[str, Entry]) -> tuple[Published, ...]:
    """Fetch what is published and publish it. Raises ``Paddle2omError`` and ``OSError``."""
    check_target(job)
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
