"""Converts models: plans the tasks, runs them in workers, and makes the run's report."""

from __future__ import annotations

import atexit
import platform
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from converter.engine.launch import Host
from converter.engine.plan import (
    LOG_DIRECTORY,
    available_cpus,
    check_options,
    plan,
    source_bytes,
    tool_versions,
)
from converter.engine.pool import Observer, Pool
from converter.errors import InputError, WorkerError, error_for
from converter.model.result import (
    ExportFacts,
    ModelReport,
    Record,
    RepairApplied,
    RunReport,
    StageResult,
    Status,
)
from converter.model.task import DEFAULT_OPSET, ConvertOptions, Task
from converter.stages.stage import describe_os_error
from converter.version import __version__


class Silent:
    """An observer that nobody watches."""

    def model_started(self, name: str) -> None:
        """Nothing."""

    def stage_started(self, name: str, stage: str) -> None:
        """Nothing."""

    def stage_finished(self, name: str, result: StageResult) -> None:
        """Nothing."""

    def model_finished(self, report: ModelReport) -> None:
        """Nothing."""


def run_conversion(
    sources: Sequence[Path],
    out_dir: Path,
    options: ConvertOptions,
    *,
    jobs: int | None = None,
    force: bool = False,
    strict: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Convert every source into ``out_dir/<name>/``.

    A model that fails is a row of the report, not an exception. On Ctrl-C the workers are stopped
    and the report says which models were not finished. ``host`` is a fork server that was started
    ahead; it is ended in any case. Raises ``InputError`` for what is wrong
    before any model is looked at, and ``WorkerError`` when no worker can be started.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    jobs = min(jobs or available_cpus(), max(1, len(sources)))
    with Pool(jobs, host) as pool:
        tasks, work = plan(sources, out_dir, options, jobs=jobs, force=force)
        logs = out_dir / LOG_DIRECTORY
        # The longest first, so that none is left to run alone at the end.
        tasks.sort(key=source_bytes, reverse=True)
        try:
            reports = pool.run(
                tasks, lambda task: _fresh(logs / f"{task.name}.log"), observer or Silent()
            )
        finally:
            shutil.rmtree(work, ignore_errors=True)
        interrupted = pool.interrupted
    by_source = {report.source: report for report in reports}
    models = [by_source[str(source.absolute())] for source in sources]
    return RunReport(
        version=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        platform=platform.platform(),
        versions=tool_versions(),
        out_dir=str(out_dir.absolute()),
        strict=strict,
        interrupted=interrupted,
        models=tuple(models),
    )


def _fresh(log: Path) -> Path:
    """A log begins anew with each run."""
    log.unlink(missing_ok=True)
    return log


class ExportResult(Record):
    """What ``export_onnx`` made: the file, the opset it has, and the repairs that were needed."""

    path: Path
    opset: int
    repairs: tuple[RepairApplied, ...]
    status: Status


_shared: list[Pool] = []


def _shared_pool() -> Pool:
    """One warm worker for repeated ``export_onnx`` calls; ends with the process."""
    if not _shared:
        pool = Pool(1)
        _shared.append(pool)
        atexit.register(pool.close)
    return _shared[0]


def export_onnx(
    model: str | Path,
    out_path: str | Path,
    opset: int = DEFAULT_OPSET,
    *,
    timeout: float = ConvertOptions().timeout,
) -> ExportResult:
    """Export one Paddle model to an ONNX file and check the file; nothing is simplified.

    ``model`` is a model directory, an ``inference.json`` or an ``inference.pdmodel``; any file stem
    will do. ``out_path`` is replaced when it exists. The work happens in a child process that stays
    warm for the next call. Not thread-safe.

    Raises ``InputError`` for what is wrong with the model or the paths, ``StageError`` when the
    model cannot be exported, ``WorkerError`` when the native code crashed or ran out of time.
    """
    out = Path(out_path).absolute()
    options = ConvertOptions(opset=opset, timeout=timeout, threads=available_cpus())
    check_options(options)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise describe_os_error(error) from error
    try:
        task = Task(
            name=out.name,
            source=str(Path(model).absolute()),
            stages=("inspect", "export"),
            work_dir=str(work),
            destination=str(out.parent),
            report_root=str(out.parent),
            onnx_name=out.name,
            keep_manifest=False,
            force=True,
            options=options,
        )
        (report,) = _shared_pool().run([task], lambda _: work / "export.log", Silent())
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if report.failure is not None:
        told = report.failure.error
        if told is None:
            raise WorkerError("the export did not end", hint="report this model")
        raise error_for(told.exit_code, told.message, hint=told.hint)
    facts = report.facts("export")
    if not isinstance(facts, ExportFacts):
        raise InputError("nothing was exported", hint="report this model")
    return ExportResult(path=out, opset=facts.opset, repairs=facts.repairs, status=report.status)
