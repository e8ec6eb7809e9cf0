"""The parent's side of the fork server: sends tasks, watches them, and tells what became of each.

A task's worker may abort, be killed, run out of memory or hang: each ends in a complete
``ModelReport`` that names the stage it happened in, and the other tasks go on.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from converter.engine.interruption import interruptible
from converter.engine.launch import Host
from converter.engine.plan import begin_log
from converter.engine.running import (
    Death,
    Running,
    after_death,
    begin_again,
    describe_death,
    describe_first,
    died_in,
    interrupted,
    report_of,
    rest_of,
    should_retry,
    with_retry_told,
)
from converter.engine.schedule import Schedule
from converter.errors import InputError, WorkerError
from converter.model.result import Artefact, ErrorInfo, ModelReport, Placement, StageResult, Status
from converter.model.task import Task

#: Seconds the host may take to import its libraries (a cold disk needs long).
_START_TIMEOUT = 180.0

#: Seconds after which a worker that should have been killed is taken for one that the host cannot
#: kill; the host is then ended itself.
_KILL_GRACE = 10.0

#: Seconds to wait for events at a time; select(2) does not take arbitrarily many.
_LONGEST_WAIT = 3600.0


class Observer(Protocol):
    """What wants to know how the work goes (the terminal's progress display)."""

    def model_started(self, name: str) -> None:
        """A worker took up this model."""

    def stage_started(self, name: str, stage: str) -> None:
        """A stage of this model began."""

    def stage_detail(self, name: str, stage: str, text: str) -> None:
        """What a stage that takes long is doing, or what atc says: one line, for a moment."""

    def stage_finished(self, name: str, result: StageResult) -> None:
        """A stage of this model ended."""

    def model_finished(self, report: ModelReport) -> None:
        """This model is done, one way or another."""


class Pool:
    """A fork server and the tasks that run in it.

    Use as a context manager; leaving it ends the host and everything it started. One pool serves
    one thread.
    """

    def __init__(self, host: Host | None = None) -> None:
        self._host = host
        self._buffer = b""
        self._ready = False
        self.finished: dict[str, ModelReport] = {}
        self._schedule = Schedule((), jobs=1)
        self._first_deaths: dict[str, str] = {}
        #: Whether the last ``run`` ended with Ctrl-C.
        self.interrupted = False
        self._stopped = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the host and its workers, now."""
        host, self._host = self._host, None
        idle, self._ready = not self._ready, False
        if host is not None:
            host.close(at_once=idle)

    def stop(self) -> None:
        """End what ``run`` does from another thread, as Ctrl-C would; no ``run`` after it."""
        self._stopped = True
        if self._host is not None:
            self._host.process.kill()

    def run(
        self,
        tasks: Sequence[Task],
        log_of: Mapping[str, Path],
        observer: Observer,
        *,
        jobs: int,
        schedule: Schedule | None = None,
    ) -> list[ModelReport]:
        """Run every task, at most ``jobs`` at a time; return the reports in the order of ``tasks``.

        ``schedule`` says which is next; without it they begin in the order given.
        Raises ``WorkerError`` when the fork server itself does not start. On ``KeyboardInterrupt``
        the workers are killed and ``interrupted`` is set; the reports say how far each model got.
        """
        self.finished = {}
        self.interrupted = False
        waiting = self._schedule = schedule or Schedule(tasks, jobs=jobs)
        self._first_deaths.clear()
        running: dict[str, Running] = {}
        try:
            with interruptible():
                while waiting.waiting or running:
                    if self._stopped:
                        raise KeyboardInterrupt
                    # A host that is lost with what runs in it is noticed by its events' end:
                    # started again before that, the new one would know nothing of them.
                    if not running and not self._host_is_there(waiting.waiting, observer):
                        break
                    # One at a time: with many commands on the way and nobody reading events,
                    # parent and host could wait for each other for ever.
                    starting = any(state.pid is None for state in running.values())
                    task = None if starting else waiting.next(running)
                    if task is not None:
                        self._begin(task, log_of, running, observer)
                    for event in self._events(running):
                        self._handle(event, running, observer)
        except KeyboardInterrupt:
            self.close()
            self.interrupted = True
            for task in tasks:
                results = running[task.name].results if task.name in running else []
                self.finished.setdefault(task.name, interrupted(task, results))
        except BaseException:
            self.close()
            raise
        return [self.finished[task.name] for task in tasks]

    def _begin(
        self,
        task: Task,
        log_of: Mapping[str, Path],
        running: dict[str, Running],
        observer: Observer,
    ) -> None:
        log = log_of[task.name]
        with contextlib.suppress(InputError, OSError):  # the host says what is wrong with it
            if not log.exists():  # it was begun with the run, and has gone since
                begin_log(log, task.name)
        state = Running(task, log, time.monotonic() + task.options.timeout)
        state.first_death = self._first_deaths.get(task.name, "")
        running[task.name] = state
        observer.model_started(task.name)
        anew = bool(state.first_death)  # nothing of what the first one may have died of
        command = {"run": task.name, "task": task.model_dump(mode="json"), "log": str(log)}
        self._send(command | {"anew": anew})

    def _host_is_there(self, waiting: list[Task], observer: Observer) -> bool:
        """Whether the host runs or could be started (again).

        Where it cannot and other models are done already, those that wait become crashed rows; a
        host that never started raises ``WorkerError``.
        """
        try:
            self._ensure_host()
        except WorkerError as error:
            if not self.finished:
                raise
            for task in waiting:
                state = Running(task, Path(), 0.0)
                died = died_in(state, Status.CRASHED, error.message, error.hint, 0)
                report = report_of(state, [died, *rest_of(task, [died], died)])
                self.finished[task.name] = report
                observer.model_finished(report)
            return False
        return True

    def _ensure_host(self) -> None:
        """Start the host if there is none, and wait until it is ready."""
        if self._host is not None and self._host.alive and self._ready:
            return
        if self._host is None or not self._host.alive:
            self.close()
            self._host = Host()
            self._buffer = b""
        host = self._host
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            for event in self._read(deadline - time.monotonic()):
                if event["event"] == "ready":
                    self._ready = True
                    return
                if event["event"] == "host-lost":
                    raise _cannot_start(host)
        raise WorkerError(
            f"the worker process was not ready after {_START_TIMEOUT:.0f} s",
            hint="look at the machine's load and memory, then try again",
        )

    def _send(self, command: dict[str, Any]) -> None:
        assert self._host is not None
        pipe = self._host.process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):  # noticed as host-lost by the next read
            pipe.write(json.dumps(command).encode() + b"\n")
            pipe.flush()

    def _read(self, timeout: float) -> list[dict[str, Any]]:
        """Events that arrive within ``timeout`` seconds; ``host-lost`` when its output closed."""
        assert self._host is not None
        pipe = self._host.process.stdout
        assert pipe is not None
        descriptor = pipe.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            if not selector.select(min(max(timeout, 0.0), _LONGEST_WAIT)):
                return []
        data = os.read(descriptor, 1 << 20)
        if not data:
            return [{"event": "host-lost"}]
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def _events(self, running: dict[str, Running]) -> list[dict[str, Any]]:
        """Wait for events, but not past the next deadline; kill the tasks that are over theirs."""
        now = time.monotonic()
        for name, state in running.items():
            if now < state.deadline:
                continue
            if state.timed_out:  # killed a while ago, and still not reported as ended
                self._kill_host(running)
                return [{"event": "host-lost"}]
            state.timed_out = True
            state.deadline = now + _KILL_GRACE
            self._send({"kill": name})
        return self._read(min((state.deadline for state in running.values()), default=now) - now)

    def _kill_host(self, running: dict[str, Running]) -> None:
        """End a host that no longer obeys, and the process groups of its workers."""
        assert self._host is not None
        self._host.process.kill()
        for state in running.values():
            if state.pid is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(state.pid, signal.SIGKILL)

    def _handle(
        self, event: dict[str, Any], running: dict[str, Running], observer: Observer
    ) -> None:
        kind = event["event"]
        if kind == "host-lost":
            self._kill_host(running)
            self.close()
            for name, state in list(running.items()):
                self._finish(name, state, Death(None), running, observer)
            return
        name = event["task"]
        state = running[name]
        if kind == "started":
            state.pid = event["pid"]
        elif kind == "stage":
            state.stage = event["stage"]
            state.stage_started = time.monotonic()
            observer.stage_started(name, event["stage"])
        elif kind == "detail":
            if state.stage is not None:
                observer.stage_detail(name, state.stage, event["text"])
        elif kind == "waited":  # the model's time is for its own work
            state.stage_started += event["seconds"]
            if not state.timed_out:
                state.deadline += event["seconds"]
        elif kind == "result":
            result = StageResult.model_validate(event["result"])
            stopped = any(earlier.status.is_failure for earlier in state.results)
            state.results.append(result)
            state.stage, state.stage_started = None, time.monotonic()
            # What a failure kept from running is no news.
            if event["news"] and not stopped:
                observer.stage_finished(name, result)
        elif kind == "done":
            state.done = True
            state.results = _with_artefacts(state.results, event["artefacts"])
            if event.get("placement"):
                state.placement = Placement.model_validate(event["placement"])
            if event.get("error"):
                failed = StageResult(
                    stage="publish",
                    status=Status.FAILED,
                    error=ErrorInfo.model_validate(event["error"]),
                )
                state.results.append(failed)
        elif kind == "exit":
            told = {
                key: event[key]
                for key in ("over_memory", "kernel", "refused", "log")
                if key in event
            }
            death = Death(event["status"], event["peak_memory"], **told)
            self._finish(name, state, death, running, observer)

    def _finish(
        self,
        name: str,
        state: Running,
        death: Death,
        running: dict[str, Running],
        observer: Observer,
    ) -> None:
        """Turn a task whose process has ended into its report, or let it wait for a second try."""
        if should_retry(state, death):
            self._first_deaths[name] = describe_first(state, death)
            begin_again(state, self._first_deaths[name])
            self._schedule.again(state.task)
            del running[name]
            return
        if not state.done:
            state.results = after_death(state, death)
            for result in state.results:
                if result.status in (Status.CRASHED, Status.TIMEOUT):
                    observer.stage_finished(name, result)
        report = report_of(state, with_retry_told(state, state.results))
        self.finished[name] = report
        del running[name]
        observer.model_finished(report)


def _cannot_start(host: Host) -> WorkerError:
    """Why a host ended before it was ready: killed, or unable to import its libraries."""
    code = host.process.wait()
    if code < 0:
        return WorkerError(
            f"the worker process {describe_death(-code)} while it started",
            hint="killed from outside, or by the kernel for want of memory: see dmesg",
        )
    return WorkerError(
        f"the worker process cannot start: {host.last_words()}",
        hint="install paddle2om again in a fresh environment",
    )


def _with_artefacts(
    results: list[StageResult], published: list[dict[str, Any]]
) -> list[StageResult]:
    """Give each stage the artefacts it made, now that they are in their final place."""
    by_stage: dict[str, list[Artefact]] = {}
    for entry in published:
        artefact = Artefact.model_validate({**entry["artefact"], "seen": entry["seen"]})
        by_stage.setdefault(entry["stage"], []).append(artefact)
    return [
        result.model_copy(update={"artefacts": tuple(by_stage.get(result.stage, ()))})
        for result in results
    ]
