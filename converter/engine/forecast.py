"""Runs a precision forecast in a worker, and makes the run's report."""

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
    check_is_no_file,
    check_logs,
    check_options,
    tool_versions,
    work_directory,
)
from converter.engine.pool import Observer, Pool
from converter.errors import InputError
from converter.model.artefacts import check_replaceable
from converter.model.onnx_file import find_onnx
from converter.model.paddle_dir import model_name
from converter.model.result import RunReport
from converter.model.task import ConvertOptions, Task
from converter.stages.pipeline import FORECAST_ONNX_STAGES, FORECAST_STAGES
from converter.version import __version__

#: What a run leaves in the output directory besides the files for atc.
REPORT, LOG = "report.json", "forecast.log"


def run_forecast(
    source: Path,
    out: Path | None,
    options: ConvertOptions,
    *,
    yml: Path | None = None,
    force: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Forecast how ``source`` computes in float16 on the chip ``options.compile.soc``.

    ``source`` is an ONNX file, a directory with an ``inference.onnx``, or a Paddle model, which is
    converted first. The files for atc go to ``out``, without which nothing is left behind. The
    report's exit code is 3 when no set of operators in float32 is enough. Raises ``InputError`` for
    what is wrong before the model is looked at, and ``WorkerError`` when no worker can be started.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    with Pool(host) as pool, contextlib.ExitStack() as stack:
        if not source.exists():
            raise InputError(f"{source} is not a file or a directory", hint="check the path")
        options = check_options(options)
        is_onnx = source.suffix == ".onnx" or (source / "inference.onnx").is_file()
        path = find_onnx(source) if is_onnx else source
        directory = out
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paddle2om-")))
        else:
            check_is_no_file(directory)
        with work_directory(directory) as work:
            if not force:
                check_replaceable(directory, [REPORT])
                check_logs([directory / LOG])
            task = Task(
                name=source.stem if source.suffix == ".onnx" else model_name(source),
                source=str(path.absolute()),
                stages=FORECAST_ONNX_STAGES if is_onnx else FORECAST_STAGES,
                work_dir=str(work.absolute()),
                destination=str(directory.absolute()),
                report_root=str(directory.absolute()),
                yml=str(yml.absolute()) if yml else None,
                beside=True,
                force=force,
                options=options.model_copy(update={"threads": available_cpus()}),
            )
            begin_log(directory / LOG, task.name)
            (report,) = pool.run([task], {task.name: directory / LOG}, observer or Silent(), jobs=1)
        if out is None:  # nothing of it is there any more
            stages = tuple(stage.model_copy(update={"artefacts": ()}) for stage in report.stages)
            report = report.model_copy(update={"log": None, "stages": stages, "placement": None})
    return RunReport(
        version=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        platform=platform.platform(),
        versions=tool_versions(),
        out_dir=str(out.absolute()) if out else "",
        interrupted=pool.interrupted,
        models=(report,),
    )
