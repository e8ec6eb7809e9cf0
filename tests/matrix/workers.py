"""Forks a worker per job from this process, where the heavy libraries are imported already.

A worker may abort, be killed or hang: its ``Ended`` says so, with the events it had sent and what
it printed, and the others go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

_PR_SET_PDEATHSIG = 1

#: Characters of a worker's last words that are kept.
_LOG_TAIL = 4000

Emit = Callable[..., None]


@dataclass(frozen=True)
class Work:
    """A function to run in a worker; it tells how far it is, and what it found, with ``emit``."""

    key: Any
    function: Callable[[Emit], None]
    timeout: float = 60.0


@dataclass(frozen=True)
class Ended:
    """What became of a job: ``status`` as of ``os.wait``, None when it ran out of time."""

    key: Any
    events: tuple[dict[str, Any], ...]
    status: int | None
    log: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the function returned."""
        return self.status == 0

    @property
    def death(self) -> str:
        """What ended the process, "" when nothing did."""
        if self.status is None:
            return "timeout"
        if os.WIFSIGNALED(self.status):
            return signal.Signals(os.WTERMSIG(self.status)).name
        return f"exit {os.waitstatus_to_exitcode(self.status)}" if self.status else ""

    def value(self, key: str, default: Any = None) -> Any:
        """The last value that was emitted under ``key``."""
        found = [event[key] for event in self.events if key in event]
        return found[-1] if found else default


@dataclass
class _Child:
    work: Work
    log: IO[bytes]
    started: float
    data: bytes = b""
    timed_out: bool = False
    fields: list[dict[str, Any]] = field(default_factory=list)


def run_all(work: Iterable[Work], jobs: int) -> Iterator[Ended]:
    """Run everything, at most ``jobs`` at a time; yield each as it ends, in that order."""
    waiting = iter(work)
    running: dict[int, _Child] = {}
    pids: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                while len(running) < jobs and (next_one := next(waiting, None)) is not None:
                    pid, pipe, child = _start(next_one)
                    running[pid], pids[pipe] = child, pid
                    selector.register(pipe, selectors.EVENT_READ)
                if not running:
                    return
                for key, _ in selector.select(timeout=_until_deadline(running)):
                    data = os.read(key.fd, 1 << 20)
                    child = running[pids[key.fd]]
                    if data:
                        child.data += data
                        continue
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pid = pids.pop(key.fd)
                    yield _end(pid, running.pop(pid))
                _kill_late(running)
        finally:
            for pid in running:
                _kill(pid)


def _until_deadline(running: dict[int, _Child]) -> float:
    first = min(child.started + child.work.timeout for child in running.values())
    return max(0.05, first - time.monotonic())


def _kill_late(running: dict[int, _Child]) -> None:
    for pid, child in running.items():
        if not child.timed_out and time.monotonic() > child.started + child.work.timeout:
            child.timed_out = True
            _kill(pid)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _start(work: Work) -> tuple[int, int, _Child]:
    read_end, write_end = os.pipe()
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the child has ended
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _become_worker(work, log.fileno(), write_end)
    os.close(write_end)
    return pid, read_end, _Child(work, log, time.monotonic())


def _become_worker(work: Work, log: int, events: int) -> None:
    """Run the job in this fresh process; no return."""
    code = 1
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(log, 1)
        os.dup2(log, 2)
        # pytest, for one, has put something else there.
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")

        def emit(**values: Any) -> None:
            os.write(events, json.dumps(values).encode() + b"\n")

        work.function(emit)
        code = 0
    except SystemExit as asked:
        traceback.print_exc()
        code = 70 if asked.code in (0, None) else 71
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _end(pid: int, child: _Child) -> Ended:
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    child.log.seek(0)
    log = child.log.read().decode(errors="replace")[-_LOG_TAIL:]
    child.log.close()
    *lines, _ = child.data.split(b"\n")
    return Ended(
        key=child.work.key,
        events=tuple(json.loads(line) for line in lines),
        status=None if child.timed_out else status,
        log=log,
        seconds=time.monotonic() - child.started,
    )
