"""Converts models: plans the tasks, runs them in workers, and makes the run's report."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from converter.engine.launch import Host
from converter.engine.plan import (
    available_cpus,
    check_options,
    unique_names,
)
from converter.engine.pool import Observer, Pool
from converter.engine.run import Settings, run_models
from converter.errors import InputError, WorkerError, error_for
from converter.model.problems import problem
from converter.model.recipe import PlannedModel
from converter.model.record import Record
from converter.model.result import (
    ExportFacts,
    ModelReport,
    RepairApplied,
    RunReport,
    StageResult,
    Status,
)
from converter.model.task import DEFAULT_OPSET, ConvertOptions, Task
from converter.stages.stage import describe_os_error


class Silent:
    """An observer that nobody watches."""

    def model_started(self, name: str) -> None:
        """Nothing."""

    def stage_started(self, name: str, stage: str) -> None:
        """Nothing."""

    def stage_detail(self, name: str, stage: str, text: str) -> None:
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
    cache: Path | None = None,
) -> RunReport:
    """Convert every source into ``out_dir/<name>/``.

    A model that fails is a row of the report, not an exception. On Ctrl-C the workers are stopped
    and the report says which models were not finished. ``host`` is a fork server that was started
    ahead; it is ended in any case. ``cache`` is the directory where results are kept and looked up;
    without it everything is done anew. Raises ``InputError`` for what is wrong before any model is
    looked at, and ``WorkerError`` when no worker can be started.
    """
    with Pool(host) as pool:  # from here on a host that was handed in is ended, whatever happens
        planned = [
            PlannedModel(name=name, model=name, source=source, options=options)
            for source, name in zip(sources, unique_names(sources), strict=True)
        ]
        settings = Settings(jobs=jobs, cache=cache, force=force, strict=strict, command=command)
        return run_models(planned, out_dir, settings, pool, observer or Silent())


class ExportResult(Record):
    """What ``export_onnx`` made: the file, the opset it has, and the repairs that were needed."""

    path: Path
    opset: int
    repairs: tuple[RepairApplied, ...]
    status: Status


def make_options(**values: Any) -> ConvertOptions:
    """``ConvertOptions`` from a caller's arguments; ``InputError`` where one has the wrong type."""
    try:
        return ConvertOptions(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])).removeprefix("compile.")
        raise InputError(f"{name} {problem(first)}", hint="see help(converter.convert)") from error


def as_path(value: object) -> Path:
    """``value`` as a path; ``InputError`` where it is none."""
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise InputError(f"{value!r} is not a path", hint="give a str or a pathlib.Path")
    return Path(value)


def _check_target(model: Path, out: Path) -> None:
    """Refuse to put the ONNX file where a directory, a device or a file of the model itself is."""
    if out.is_dir():
        raise InputError(f"{out} is a directory", hint="give the name of the ONNX file")
    if out.exists() and not out.is_file():
        raise InputError(f"{out} is not a regular file", hint="give the name of the ONNX file")
    directory = model.parent if model.is_file() else model
    if out.exists() and out.suffix != ".onnx" and out.parent == directory.resolve():
        raise InputError(
            f"{out} is a file of the model itself", hint="give the ONNX file another name"
        )


_shared: list[Pool] = []


def _shared_pool() -> Pool:
    """One warm worker for repeated ``export_onnx`` calls; ends with the process."""
    if not _shared:
        pool = Pool()
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
    """Export one Paddle model to an ONNX file; nothing is simplified.

    The file is checked: ONNX's checker, ONNX Runtime, the opset, the signature, every weight. Its
    numbers are not: ``convert`` compares them with Paddle's.

    ``model`` is a model directory, an ``inference.json`` or an ``inference.pdmodel``; any file stem
    will do. ``out_path`` is replaced when it exists. The work happens in a child process that stays
    warm for the next call. Not thread-safe.

    Raises ``InputError`` for what is wrong with the model or the paths, ``StageError`` when the
    model cannot be exported, ``WorkerError`` when the native code crashed or ran out of time.
    """
    source, out = as_path(model), as_path(out_path).resolve()
    _check_target(source, out)
    options = make_options(opset=opset, timeout=timeout, threads=available_cpus())
    check_options(options)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise describe_os_error(error) from error
    try:
        task = Task(
            name=out.name,
            source=str(source.absolute()),
            stages=("inspect", "export"),
            work_dir=str(work),
            destination=str(out.parent),
            report_root=str(out.parent),
            onnx_name=out.name,
            only=out.name,
            force=True,
            options=options,
        )
        (report,) = _shared_pool().run([task], {task.name: work / "export.log"}, Silent(), jobs=1)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if _shared_pool().interrupted:
        raise KeyboardInterrupt
    if report.failure is not None:
        told = report.failure.error
        if told is None:
            raise WorkerError("the export did not end", hint="report this model")
        raise error_for(told.exit_code, told.message, hint=told.hint)
    facts = report.facts("export")
    if not isinstance(facts, ExportFacts):
        raise InputError("nothing was exported", hint="report this model")
    return ExportResult(path=out, opset=facts.opset, repairs=facts.repairs, status=report.status)
