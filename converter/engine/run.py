"""Runs planned models: what is in the cache is put in place, the rest goes to workers."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.cache.planning import Keyed, stages_that_run
from converter.engine.cache.recall import Damaged
from converter.engine.cache.recording import Recording
from converter.engine.cache.restore import restore
from converter.engine.cache.store import Cache
from converter.engine.changed import Noticing
from converter.engine.executor import Executor
from converter.engine.interruption import interruptible
from converter.engine.origin import files_of_models
from converter.engine.plan import (
    available_cpus,
    begin_log,
    check_cache_dir,
    check_logs,
    check_options,
    check_out_dir,
    tasks_for,
    tool_versions,
    work_directory,
)
from converter.engine.pool import Observer
from converter.engine.running import interrupted
from converter.engine.schedule import Estimate, Schedule, available_memory, bytes_of, estimate
from converter.errors import InputError
from converter.model.artefacts import check_replaceable
from converter.model.names import LOG_DIRECTORY, REPORT_FILES
from converter.model.recipe import PlannedModel
from converter.model.result import ModelReport, RunReport, Shard
from converter.model.task import Task
from converter.version import __version__


@dataclass(frozen=True)
class Settings:
    """How a run goes about it.

    ``jobs`` is the number of models at a time, None for one per CPU; ``memory`` the bytes that they
    may take together, at least 1, None for what is free. ``cache`` is where results are kept, None
    for nowhere; ``failures`` says whether a model that failed and has not changed is left alone.
    """

    jobs: int | None = None
    memory: int | None = None
    cache: Path | None = None
    failures: bool = False
    force: bool = False
    strict: bool = False
    command: str = ""


def run_models(
    models: Sequence[PlannedModel],
    out_dir: Path,
    settings: Settings,
    executor: Executor,
    observer: Observer,
    *,
    shard: Shard | None = None,
    digests: Digests | None = None,
) -> RunReport:
    """Convert every model into ``out_dir/<name>/``; the report has them in the order given.

    A model that fails is a row of the report, not an exception. On Ctrl-C the workers are stopped
    and the report says which models were not finished. ``digests`` is what is known of files where
    there is no cache. Raises ``InputError`` for what is wrong
    before any model is looked at, and ``WorkerError`` when no worker can be started.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    models, jobs = check_run(models, out_dir, settings)
    logs = logs_of(models, out_dir)
    cache = Cache.open(settings.cache) if settings.cache else None
    digests = cache.digests() if cache else digests or Digests(None)
    with work_directory(out_dir) as work:
        with interruptible():
            check_own_files(out_dir, logs, settings)
            # Before anything runs: a file that changes meanwhile is told by its digest.
            origin = files_of_models(models, digests)
        noticing = Noticing(observer, models, digests, origin)
        # The same number whatever is in the cache: it may show in the last digit of a result.
        threads = max(1, available_cpus() // jobs)
        tasks = tasks_for(models, out_dir, work, threads=threads, force=settings.force)
        for task in tasks:
            Path(task.work_dir).mkdir()
            begin_log(logs[task.name], task.name)
        if cache is None:
            estimates = estimates_for(tasks, None, {task.name: task.stages for task in tasks})
            schedule = schedule_for(tasks, estimates, jobs=jobs, memory=settings.memory)
            reports = executor.run(tasks, logs, noticing, jobs=jobs, schedule=schedule)
            stopped = executor.interrupted
        else:
            reports, stopped = _run_cached(
                cache, digests, tasks, logs, settings, executor, noticing, jobs=jobs
            )
    options = {task.name: task.options for task in tasks}
    by_name = {
        report.name: noticing.with_sources(report).model_copy(
            update={"options": options[report.name]}
        )
        for report in reports
    }
    return RunReport(
        version=__version__,
        command=settings.command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        platform=platform.platform(),
        versions=tool_versions(),
        out_dir=str(out_dir.absolute()),
        strict=settings.strict,
        interrupted=stopped,
        shard=shard,
        models=tuple(by_name[model.name] for model in models),
    )


def logs_of(models: Sequence[PlannedModel], out_dir: Path) -> dict[str, Path]:
    """Where the log of each model goes, by its name."""
    return {model.name: out_dir / LOG_DIRECTORY / f"{model.name}.log" for model in models}


def check_own_files(out_dir: Path, logs: Mapping[str, Path], settings: Settings) -> None:
    """Refuse to replace files in the places of the reports and logs. Raises ``InputError``."""
    if not settings.force:
        check_replaceable(out_dir, REPORT_FILES)
        check_logs(logs.values())


def check_run(
    models: Sequence[PlannedModel], out_dir: Path, settings: Settings
) -> tuple[list[PlannedModel], int]:
    """The models with their chips resolved, and the number of jobs. Raises ``InputError``."""
    jobs = settings.jobs
    if jobs is not None and not (isinstance(jobs, int) and jobs >= 1):
        raise InputError(
            f"{jobs!r} is not a number of jobs",
            hint="give at least 1, or leave it out for one per CPU",
        )
    if settings.memory is not None and settings.memory < 1:
        raise InputError(
            f"{settings.memory} is no amount of memory",
            hint="give bytes, or leave it out for what is free",
        )
    checked = [
        model.model_copy(update={"options": check_options(model.options)}) for model in models
    ]
    sources = list({model.source: None for model in models})
    names = [model.name for model in models]
    check_out_dir(out_dir, sources, names)
    if settings.cache is not None:
        check_cache_dir(settings.cache, out_dir, sources, names)
    return checked, max(1, min(jobs or available_cpus(), len(models)))


def schedule_for(
    tasks: Sequence[Task], estimates: Mapping[str, Estimate], *, jobs: int, memory: int | None
) -> Schedule:
    """The order of ``tasks``, from what each will take."""
    memory = available_memory() if memory is None else memory
    return Schedule(tasks, jobs=jobs, estimates=estimates, memory=memory)


def estimates_for(
    tasks: Sequence[Task], cache: Cache | None, running: Mapping[str, Collection[str]]
) -> dict[str, Estimate]:
    """What each task will take, from earlier runs; ``running`` are its stages that will run."""
    sizes: dict[str, int] = {}
    estimates = {}
    for task in tasks:
        if task.source not in sizes:
            sizes[task.source] = bytes_of(task.source)
        seen = cache.history.of(task.source, task.name) if cache else None
        estimates[task.name] = estimate(sizes[task.source], seen, running[task.name])
    return estimates


def _run_cached(
    cache: Cache,
    digests: Digests,
    tasks: Sequence[Task],
    logs: Mapping[str, Path],
    settings: Settings,
    executor: Executor,
    observer: Observer,
    *,
    jobs: int,
) -> tuple[list[ModelReport], bool]:
    """Restore what is there, run the rest; the reports and whether Ctrl-C ended it."""
    reports: dict[str, ModelReport] = {}
    left: list[Task] = []
    stopped = False
    try:
        with interruptible():
            keyed = Keyed(cache, digests, failures=settings.failures)
            for task in keyed.all(tasks):
                report = None
                try:
                    report = restore(cache, digests, task, logs[task.name])
                except Damaged as damaged:
                    task = _told_damaged(task, damaged)
                if report is None:
                    left.append(task)
                else:
                    reports[task.name] = report
                    observer.model_finished(report)
        if left:
            running = {task.name: stages_that_run(keyed.states(task)[0]) for task in left}
            estimates = estimates_for(left, cache, running)
            schedule = schedule_for(left, estimates, jobs=jobs, memory=settings.memory)
            recording = Recording(observer, cache, keyed.parts, {task.name: task for task in left})
            made = executor.run(left, logs, recording, jobs=jobs, schedule=schedule)
            reports |= {report.name: report for report in made}
            stopped = executor.interrupted
            _remember_artefacts(digests, made, Path(tasks[0].report_root))
    except KeyboardInterrupt:
        stopped = True
    digests.save()
    rest = [interrupted(task, []) for task in tasks if task.name not in reports]
    return [*reports.values(), *rest], stopped


def _told_damaged(task: Task, found: Damaged) -> Task:
    assert task.cache is not None
    damaged = {**task.cache.damaged, found.stage: (found.what, found.how)}
    return task.model_copy(update={"cache": task.cache.model_copy(update={"damaged": damaged})})


def _remember_artefacts(digests: Digests, reports: Sequence[ModelReport], out_dir: Path) -> None:
    """What was published need not be read to be known the next time, if it is as it was then."""
    for report in reports:
        for artefact in (a for stage in report.stages for a in stage.artefacts):
            if artefact.seen is not None:
                with contextlib.suppress(OSError):
                    path = out_dir.absolute() / artefact.path
                    digests.remember(path, artefact.sha256, artefact.seen)
