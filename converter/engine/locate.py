"""Runs the search for the first value that differs in a worker, and makes the run's report."""

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
from converter.model.artefacts import check_replaceable, read_manifest, remove_ours
from converter.model.located import BUNDLE, LocateFacts
from converter.model.names import REPORT_FILES
from converter.model.onnx_file import find_onnx
from converter.model.result import RunReport
from converter.model.task import ConvertOptions, Task
from converter.stages.pipeline import LOCATE_ONNX_STAGES, LOCATE_STAGES
from converter.version import __version__

#: What a run leaves in the output directory besides the repro bundle.
LOG = "locate.log"


def run_locate(
    reference: Path,
    candidate: Path,
    out: Path | None,
    options: ConvertOptions,
    *,
    inputs: Path | None = None,
    force: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Search ``candidate``, an ONNX file, for the first value that ``reference`` has otherwise.

    ``reference`` is a Paddle model or an ONNX file; ``inputs`` an ``.npz`` file to do it on. The
    repro bundle goes to ``out``, without which nothing is left behind. The report's exit code is 3
    when the models differ. Raises ``InputError`` for what is wrong before the models are looked
    at, and ``WorkerError`` when no worker can be started.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    with Pool(host) as pool, contextlib.ExitStack() as stack:
        options = check_options(options)
        onnx = find_onnx(candidate)
        for path in (reference, *([inputs] if inputs else [])):
            if not path.exists():
                raise InputError(f"{path} is not a file or a directory", hint="check the path")
        between_onnx = reference.suffix == ".onnx" and reference.is_file()
        directory = out
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paddle2om-")))
        with work_directory(directory) as work:
            if not force:
                check_replaceable(directory, REPORT_FILES)
                check_logs([directory / LOG])
            name = reference.resolve()
            task = Task(
                name=name.stem if name.is_file() else name.name,
                source=str(reference.absolute()),
                stages=LOCATE_ONNX_STAGES if between_onnx else LOCATE_STAGES,
                work_dir=str(work.absolute()),
                destination=str(directory.absolute()),
                report_root=str(directory.absolute()),
                candidate=str(onnx.absolute()),
                inputs=str(inputs.absolute()) if inputs else None,
                beside=True,
                fleeting=out is None,
                force=force,
                options=options.model_copy(update={"threads": available_cpus()}),
            )
            begin_log(directory / LOG, task.name)
            (report,) = pool.run([task], {task.name: directory / LOG}, observer or Silent(), jobs=1)
        if not any(stage.artefacts for stage in report.stages):
            # The bundle of an earlier run is about another file; all else stays.
            names = read_manifest(directory)
            remove_ours(directory, keep=[n for n in names if not n.startswith(f"{BUNDLE}/")])
        if out is None:  # nothing of it is there any more
            stages = tuple(stage.model_copy(update={"artefacts": ()}) for stage in report.stages)
            stages = tuple(
                stage.model_copy(update={"facts": stage.facts.model_copy(update={"bundle": None})})
                if isinstance(stage.facts, LocateFacts)
                else stage
                for stage in stages
            )
            report = report.model_copy(update={"log": None, "stages": stages})
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
