"""Compares two artefacts in a worker, or records the outputs of one."""

from __future__ import annotations

import contextlib
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from converter.engine.convert import Silent
from converter.engine.launch import Host
from converter.engine.plan import (
    available_cpus,
    begin_log,
    check_logs,
    check_options,
    tool_versions,
    work_directory,
)
from converter.engine.pool import Observer, Pool
from converter.errors import InputError
from converter.model.artefacts import check_replaceable
from converter.model.files import unreadable
from converter.model.names import REPORT_FILES
from converter.model.result import RunReport
from converter.model.task import ConvertOptions, Task
from converter.stages.pipeline import CASES_STAGES, VERSUS_STAGES
from converter.version import __version__

_LOG = "validate.log"


def run_validation(
    reference: Path,
    candidate: Path,
    options: ConvertOptions,
    *,
    out: Path | None = None,
    on_device: bool = False,
    force: bool = False,
    strict: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Compare ``candidate`` with ``reference``: the report's one stage is ``validate``.

    Each is a Paddle model, an ONNX file, an ``.npz`` file of recorded outputs or a directory of
    those. ``out`` gets a log; None leaves nothing behind. What is wrong in the two is a failed
    stage. Raises ``InputError`` for what is wrong before they are looked at, and ``WorkerError``
    when no worker can be started.
    """
    task = Task(
        name=candidate.name or str(candidate),
        source=str(reference),
        candidate=str(candidate),
        on_device=on_device,
        stages=VERSUS_STAGES,
        work_dir="",
        destination="",
        report_root="",
        force=force,
        options=options,
    )
    return _run(task, out, strict=strict, command=command, observer=observer, host=host)


def record_outputs(
    model: Path,
    out: Path,
    options: ConvertOptions,
    *,
    force: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Record inputs and what ``model`` computes from them in ``out``, one ``.npz`` per case.

    Raises as ``run_validation``.
    """
    task = Task(
        name=model.name or str(model),
        source=str(model),
        stages=CASES_STAGES,
        work_dir="",
        destination="",
        report_root="",
        force=force,
        options=options,
    )
    return _run(task, out, strict=False, command=command, observer=observer, host=host)


def _run(
    task: Task,
    out: Path | None,
    *,
    strict: bool,
    command: str,
    observer: Observer | None,
    host: Host | None,
) -> RunReport:
    started, clock = datetime.now(UTC), time.perf_counter()
    with Pool(host) as pool, contextlib.ExitStack() as stack:
        options = check_options(task.options).model_copy(update={"threads": available_cpus()})
        if "\0" in task.source + (task.candidate or ""):
            raise InputError("a path has a NUL character in it", hint="give a real path")
        for path in map(Path, filter(None, (task.source, task.candidate))):
            try:
                path.stat()
            except OSError as error:
                raise unreadable(path, error) from error
        directory = out or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="paddle2om-"))
        )
        log = directory / _LOG
        work = stack.enter_context(work_directory(directory))
        if not task.force:
            check_logs([log])
            if task.candidate is not None:
                check_replaceable(directory, REPORT_FILES)
        places = {
            "work_dir": str(work.absolute()),
            "destination": str(directory.absolute()),
            "report_root": str(directory.absolute()),
            "fleeting": out is None,
            "options": options,
        }
        task = task.model_copy(update=places)
        begin_log(log, task.name)
        (report,) = pool.run([task], {task.name: log}, observer or Silent(), jobs=1)
        if out is None:
            report = report.model_copy(update={"log": None})
    return RunReport(
        version=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        platform=platform.platform(),
        versions=tool_versions(),
        out_dir=str(directory.absolute()) if out else "",
        strict=strict,
        interrupted=pool.interrupted,
        models=(report,),
    )
