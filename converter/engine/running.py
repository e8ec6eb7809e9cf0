"""What is known of a running task, and what becomes of one whose worker died."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from converter.errors import StageError, WorkerError
from converter.model.memory import format_bytes
from converter.model.processes import describe_kill, describe_refusal, hint_for_refusal
from converter.model.result import ErrorInfo, Message, ModelReport, Placement, StageResult, Status
from converter.model.task import Task
from converter.model.wording import shorten
from converter.stages.pipeline import not_run

#: How paddle2onnx marks what it cannot do, before it aborts.
_REFUSAL = "[ERROR][Paddle2ONNX]"


@dataclass(frozen=True)
class Death:
    """How a worker ended: what the host's ``exit`` event says.

    ``refused`` is the ``errno`` with which the system refused to start it, or to open its ``log``.
    """

    status: int | None
    peak_memory: int = 0
    over_memory: int | None = None
    kernel: bool = False
    refused: int | None = None
    log: bool = False

    @property
    def may_be_chance(self) -> bool:
        """Whether a second try in a fresh process can help.

        Signals: native code is not deterministic, and the kernel or someone else may have sent it.
        And processes that could not be started beside others. Not an exit, which a program decides
        on, and not what we ended.
        """
        if self.status is None:
            return not self.log
        return os.WIFSIGNALED(self.status) and self.over_memory is None

    def __str__(self) -> str:
        ending = describe_death(self.status, kernel=self.kernel)
        told = ending if self.refused is None else describe_refusal(self.refused, log=self.log)
        return f"the worker process {told}"


@dataclass
class Running:
    """What is known of a task that has started.

    ``stage_started`` (of ``time.monotonic``) is later by the seconds that the stage has waited for
    another process.
    """

    task: Task
    log: Path
    deadline: float
    results: list[StageResult] = field(default_factory=list)
    pid: int | None = None
    stage: str | None = None
    stage_started: float = 0.0
    done: bool = False
    placement: Placement | None = None
    timed_out: bool = False
    first_death: str = ""


def report_of(state: Running, results: list[StageResult]) -> ModelReport:
    """The report of a task that has ended, one way or another."""
    task = state.task
    log = os.path.relpath(state.log, task.report_root) if state.log.name else None
    return ModelReport(
        name=task.name,
        source=task.source,
        model=task.model,
        variant=task.variant,
        stages=tuple(results),
        log=log,
        placement=state.placement,
    )


def should_retry(state: Running, death: Death) -> bool:
    """Whether this task is to be tried once more."""
    refused = state.stage == "export" and bool(_refusal(state.log))
    return death.may_be_chance and not (
        state.done or state.timed_out or state.first_death or refused
    )


def with_retry_told(state: Running, results: list[StageResult]) -> list[StageResult]:
    """The results of a second try, with a message at the stage that the first one died in."""
    if not state.first_death:
        return results
    stage, _, told = state.first_death.partition(": ")
    note = Message(level="warning", text=f"retried: the first time {told}")
    named = [result.stage for result in results]
    at = named.index(stage) if stage in named else 0
    return [
        result.model_copy(update={"messages": (*result.messages, note)}) if index == at else result
        for index, result in enumerate(results)
    ]


def begin_again(state: Running, told: str) -> None:
    """Empty the work directory for a second try, and say so in the log."""
    work = Path(state.task.work_dir)
    with contextlib.suppress(OSError):
        for path in work.iterdir():
            if path == state.log:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    with contextlib.suppress(OSError), state.log.open("a", encoding="utf-8") as log:
        log.write(f"paddle2om: {told}; trying once more\n")


def describe_first(state: Running, death: Death) -> str:
    """What ``first_death`` keeps: the stage, and what happened to the worker in it."""
    return f"{_stage_of(state)}: {death}"


def _stage_of(state: Running) -> str:
    """The stage that a worker is in, or was about to begin."""
    seen = {result.stage for result in state.results}
    left = (stage for stage in state.task.stages if stage not in seen)
    return state.stage or next(left, "publish")


def after_death(state: Running, death: Death) -> list[StageResult]:
    """The results of a task whose worker died: what it had finished, where it died, the rest."""
    peak_memory, limit = death.peak_memory, state.task.options.memory
    if state.timed_out:
        died = died_in(
            state,
            Status.TIMEOUT,
            f"stopped after {state.task.options.timeout:g} s",
            "raise --timeout if this model needs longer",
            peak_memory,
        )
    elif death.over_memory is not None and limit is not None:
        died = died_in(
            state,
            Status.CRASHED,
            f"stopped: it took {format_bytes(death.over_memory)} of memory, and may take "
            f"{format_bytes(limit)}",
            "raise --memory if this machine has it",
            peak_memory,
        )
    elif state.stage == "export" and (refusal := _refusal(state.log)):
        # paddle2onnx says what it cannot convert and then aborts the process.
        died = died_in(
            state,
            Status.FAILED,
            f"paddle2onnx cannot convert this program: {refusal}",
            "`paddle2om inspect` lists the model's operators; the model's log has more",
            peak_memory,
        )
    else:
        told = f"{death}, at the second try too" if state.first_death else str(death)
        died = died_in(state, Status.CRASHED, told, _hint_for_death(death), peak_memory)
    return [*state.results, died, *rest_of(state.task, [*state.results, died], died)]


def died_in(
    state: Running, status: Status, message: str, hint: str, peak_memory: int
) -> StageResult:
    """The result of the stage that a worker did not come back from."""
    error = StageError if status is Status.FAILED else WorkerError
    return StageResult(
        stage=_stage_of(state),
        status=status,
        error=ErrorInfo(message=message, hint=hint, exit_code=error.exit_code),
        seconds=max(0.0, time.monotonic() - state.stage_started) if state.stage_started else 0.0,
        peak_memory=peak_memory,
    )


def rest_of(task: Task, results: list[StageResult], died: StageResult) -> list[StageResult]:
    """The stages that did not get their turn."""
    seen = {result.stage for result in results}
    return [not_run(name, died) for name in task.stages if name not in seen]


def _refusal(log: Path) -> str:
    """What paddle2onnx printed of a program it will not convert; empty when it printed nothing."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    told = [line.removeprefix(_REFUSAL).strip() for line in lines if line.startswith(_REFUSAL)]
    return shorten(" ".join(told))


def interrupted(task: Task, results: list[StageResult]) -> ModelReport:
    """The report of a task that Ctrl-C stopped: what it had finished, and what it had not.

    A model with all its results is not finished before its files are in their place.
    """
    failed = next((result for result in results if result.status.is_failure), None)
    seen = {result.stage for result in results}
    if failed is not None:
        rest = rest_of(task, results, failed)
    else:
        left = [stage for stage in task.stages if stage not in seen] or ["publish"]
        note = Message(level="info", text="not run: interrupted")
        rest = [
            StageResult(
                stage=stage,
                status=Status.SKIPPED if index else Status.INTERRUPTED,
                messages=(note,),
            )
            for index, stage in enumerate(left)
        ]
    return ModelReport(
        name=task.name,
        source=task.source,
        model=task.model,
        variant=task.variant,
        stages=(*results, *rest),
    )


def describe_death(wait_status: int | None, *, kernel: bool = False) -> str:
    """What a wait status (``os.wait``) says: ``was killed by SIGSEGV``, ``exited with code 1``."""
    if wait_status is None:
        return "was lost: the server that it was forked from ended"
    if os.WIFSIGNALED(wait_status):
        return describe_kill(os.WTERMSIG(wait_status), kernel=kernel)
    return f"exited with code {os.waitstatus_to_exitcode(wait_status)} before it was done"


def _hint_for_death(death: Death) -> str:
    wait_status = death.status
    if death.refused is not None:
        return hint_for_refusal(death.refused, log=death.log)
    if death.kernel:
        return "lower --jobs, or set --memory to stop such a model before the machine suffers"
    if wait_status is not None and os.WIFSIGNALED(wait_status):
        if os.WTERMSIG(wait_status) == signal.SIGKILL:
            return "killed from outside: by someone, a batch system or a container's limit"
        return "native code aborted: the model's log has its last words"
    return "the model's log has its last words"
