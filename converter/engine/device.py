"""Makes device kits, runs them where there is an NPU, and judges what came out."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from pathlib import Path

from converter.accuracy.gate import doubts, gate
from converter.accuracy.recorded import DEVICE_TOLERANCE, compare_recorded
from converter.atc.device.kit import DeviceRun, find_results, run_kit
from converter.atc.runners.contract import LogSink
from converter.engine.convert import Silent
from converter.engine.launch import Host
from converter.engine.plan import (
    available_cpus,
    begin_log,
    check_is_no_file,
    check_logs,
    tool_versions,
    work_directory,
)
from converter.engine.pool import Observer, Pool
from converter.errors import GateError, InputError
from converter.model.comparison import ValidateFacts
from converter.model.result import ErrorInfo, Message, ModelReport, RunReport, StageResult, Status
from converter.model.task import ConvertOptions, Task
from converter.model.tolerance import Tolerance
from converter.stages.pipeline import RECORD_STAGES
from converter.version import __version__


def make_kit(
    kit: Path,
    model: Path,
    om: Path,
    *,
    seed: int = 0,
    force: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Record what Paddle computes at the shapes of ``om`` and make a device kit of it in ``kit``.

    Raises ``InputError`` for what is wrong before the model is looked at, and ``WorkerError`` when
    no worker can be started.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    with Pool(host) as pool:
        if not om.is_file():
            raise InputError(f"--om: {om} is not a file", hint="check the path")
        check_is_no_file(kit)
        log = kit / "record.log"
        with work_directory(kit) as work:
            if not force:
                check_logs([log])
            task = Task(
                name=kit.resolve().name,
                source=str(model.absolute()),
                stages=RECORD_STAGES,
                work_dir=str(work.absolute()),
                destination=str(kit.absolute()),
                report_root=str(kit.absolute()),
                om=str(om.absolute()),
                force=force,
                options=ConvertOptions(seed=seed, threads=available_cpus()),
            )
            begin_log(log, task.name)
            (report,) = pool.run([task], {task.name: log}, observer or Silent(), jobs=1)
    return _run_report(report, kit, command, started, clock, interrupted=pool.interrupted)


def check_kit(
    kit: Path,
    *,
    log: LogSink,
    again: bool = False,
    device: int = 0,
    backend: str = "auto",
    timeout: float = 600.0,
    tolerance: Tolerance = DEVICE_TOLERANCE,
    command: str = "",
) -> RunReport:
    """Judge a kit's results; without any, or with ``again``, run it on an NPU of this host first.

    The report's one stage is ``device``, with the facts of a validation. Raises as ``run_kit`` and
    ``find_results``.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    done = None if again else find_results(kit)
    if done is None:
        done = run_kit(kit, log=log, device=device, backend=backend, timeout=timeout)
    stage = judge(done, tolerance).model_copy(update={"seconds": time.perf_counter() - clock})
    report = ModelReport(name=kit.resolve().name, source=str(kit.absolute()), stages=(stage,))
    return _run_report(report, kit, command, started, clock)


def judge(done: DeviceRun, tolerance: Tolerance) -> StageResult:
    """The verdict on what an NPU computed, as a stage's result."""
    cases = tuple(
        compare_recorded(case, result, tolerance) for case, result in sorted(done.results.items())
    )
    passed, reason = gate(cases)
    weak = doubts(cases)
    error = None
    if not passed:
        error = GateError(
            f"the OM file does not agree with Paddle: {reason}",
            hint="compile with --precision origin, or keep the dtype of some operators with "
            "--keep-dtype; atc computes in float16 unless told otherwise",
        )
    seconds = ", ".join(f"{1000 * value:.2f} ms" for value in done.seconds)
    where = f"run by {done.backend}" + (f" on {done.soc}" if done.soc else "")
    return StageResult(
        stage="device",
        status=Status.FAILED if not passed else Status.DEGRADED if weak else Status.OK,
        facts=ValidateFacts(tolerance=tolerance, cases=cases),
        messages=(
            Message(level="info", text=f"{where} in {seconds}"),
            *(Message(level="warning", text=text) for text in weak),
        ),
        error=ErrorInfo.of(error) if error else None,
    )


def _run_report(
    model: ModelReport,
    kit: Path,
    command: str,
    started: datetime,
    clock: float,
    *,
    interrupted: bool = False,
) -> RunReport:
    return RunReport(
        version=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        platform=platform.platform(),
        versions=tool_versions(),
        out_dir=str(kit.absolute()),
        interrupted=interrupted,
        models=(model,),
    )
