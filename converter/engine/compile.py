"""Compiles an ONNX file that is already there: the atc stage alone, in a worker."""

from __future__ import annotations

import contextlib
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from converter.atc import external_weights
from converter.engine.convert import Silent
from converter.engine.launch import Host
from converter.engine.plan import (
    available_cpus,
    begin_log,
    check_is_no_file,
    check_logs,
    resolve_compile_options,
    tool_versions,
    work_directory,
)
from converter.engine.pool import Observer, Pool
from converter.errors import InputError
from converter.model.compile_options import CompileOptions
from converter.model.onnx_file import find_onnx
from converter.model.result import ModelReport, RunReport, Status
from converter.model.task import DEFAULT_TIMEOUT, ConvertOptions, Task
from converter.stages.pipeline import COMPILE_STAGES
from converter.version import __version__

#: Seconds for everything around atc: reading, pinning and comparing the model.
_AROUND_ATC = 300.0


def run_compile(
    source: Path,
    out: Path,
    options: CompileOptions,
    *,
    yml: Path | None = None,
    seed: int = 0,
    preflight_only: bool = False,
    force: bool = False,
    strict: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Compile an ONNX file to ``out``: a directory, or the OM file when it ends with ``.om``.

    ``source`` may be a directory with one ONNX file; ``yml`` is its ``inference.yml``, None for the
    one beside it. ``preflight_only`` ends before atc would start. The report has one model with the
    stages ``read`` and ``compile``. Raises ``InputError`` for what is wrong before the model is
    looked at, and ``WorkerError`` when no worker can be started.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    with Pool(host) as pool, contextlib.ExitStack() as stack:
        if options.soc is None:
            raise InputError("no soc_version", hint="give --soc Ascend310P3 (see npu-smi info)")
        options = resolve_compile_options(options)
        onnx = find_onnx(source)
        single = out.suffix == ".om"
        directory = out.parent if single else out
        check_is_no_file(directory)
        if preflight_only:  # it leaves nothing behind
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paddle2om-")))
        om_name = out.name if single else f"{onnx.stem}.om"
        if single and external_weights.are_asked_for(
            f"--{n}={v}" for n, v in options.flags.items()
        ):
            raise InputError(
                f"external weights lie beside the OM file, and -o {out} names one file alone",
                hint="name a directory with -o",
            )
        if yml is not None and not yml.is_file():
            raise InputError(f"--yml: {yml} is not a file", hint="check the path")
        if single and not preflight_only and out.exists() and not (force and out.is_file()):
            raise InputError(f"{out} exists", hint="choose another name with -o, or use --force")
        log = directory / f"{Path(om_name).stem}.log"
        limit = options.timeout or DEFAULT_TIMEOUT
        with work_directory(directory) as work:
            if not force:
                check_logs([log])
            task = Task(
                name=onnx.parent.resolve().name if onnx.stem == "inference" else onnx.stem,
                source=str(onnx.absolute()),
                stages=COMPILE_STAGES,
                work_dir=str(work.absolute()),
                destination=str(directory.absolute()),
                report_root=str(directory.absolute()),
                onnx_name=onnx.name,
                om_name=om_name,
                only=om_name if single else None,
                beside=True,
                must_compile=not preflight_only,
                preflight_only=preflight_only,
                yml=str(yml.absolute()) if yml else None,
                force=force,
                options=ConvertOptions(
                    compile=options.model_copy(update={"timeout": limit}),
                    seed=seed,
                    threads=available_cpus(),
                    timeout=limit + _AROUND_ATC,
                ),
            )
            begin_log(log, task.name)
            (report,) = pool.run([task], {task.name: log}, observer or Silent(), jobs=1)
        if preflight_only:
            report = report.model_copy(update={"log": None})
        elif single and report.failure is None:
            with contextlib.suppress(OSError):
                log.unlink()
    return RunReport(
        version=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        platform=platform.platform(),
        versions=tool_versions(),
        out_dir=str((out.parent if single else out).absolute()),
        strict=strict,
        interrupted=pool.interrupted,
        models=(report,),
    )


def om_file(report: RunReport) -> Path | None:
    """Where a report of ``run_compile`` says that the OM file is; None when there is none."""
    model: ModelReport = report.models[0]
    for stage in model.stages:
        if stage.stage == "compile" and stage.status in (Status.OK, Status.DEGRADED):
            names = [a.path for a in stage.artefacts if a.path.endswith(".om")]
            return Path(report.out_dir) / names[0] if names else None
    return None
