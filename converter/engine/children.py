"""The host's children: starts workers, passes on what they tell, and reports how each ended."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
from typing import Any, NoReturn

from converter.engine.memory_limit import MemoryLimits
from converter.engine.worker import become_worker, end_after, start_anew


class Children:
    """The running children: by process id, and by the read end of their event pipe."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._selector = selectors.DefaultSelector()
        self._task_of: dict[int, str] = {}
        self._pid_of: dict[str, int] = {}
        self._tail: dict[int, bytes] = {}
        self._limits = MemoryLimits()
        self._libc = ctypes.CDLL(None, use_errno=True)

    def emit(self, event: dict[str, Any]) -> None:
        """Write one event line to the parent."""
        self._write(json.dumps(event).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._events, data) :]

    def start(self, task_id: str, task: dict[str, Any], log: str, *, anew: bool) -> None:
        """Start a worker for ``task``; its events come back over a pipe of its own.

        It is forked from this process, or with ``anew`` shares nothing with it.
        """
        ends: tuple[int, ...] = ()
        log_end = None
        try:
            ends = read_end, write_end = os.pipe()
            os.set_blocking(read_end, False)
            log_end = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            host = os.getpid()
            pid = start_anew(task_id, task, log_end, write_end) if anew else os.fork()
        except OSError as error:  # no memory, or too many processes: this task's misfortune only
            for end in (*ends, log_end):
                if end is not None:
                    os.close(end)
            told = {"status": None, "peak_memory": 0, "refused": error.errno or 0}
            if ends and log_end is None:
                told["log"] = True
            self.emit({"event": "exit", "task": task_id, **told})
            return
        if pid == 0:
            os.close(read_end)
            self._run_child(task_id, task, host, log_end, write_end)
        os.close(write_end)
        os.close(log_end)
        self._task_of[pid] = task_id
        self._pid_of[task_id] = pid
        self._tail[read_end] = b""
        self._limits.watch(pid, task["options"].get("memory"))
        self._selector.register(read_end, selectors.EVENT_READ, pid)
        self.emit({"event": "started", "task": task_id, "pid": pid})

    def _run_child(
        self, task_id: str, task: dict[str, Any], host: int, log: int, events: int
    ) -> NoReturn:
        """Become the worker. No return."""

        def work() -> None:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            become_worker(self._libc, host)
            os.dup2(log, 1)
            os.dup2(log, 2)
            from converter.engine.child import run_task

            with os.fdopen(events, "w") as pipe:
                run_task(task_id, task, pipe)

        end_after(work)

    @property
    def patience(self) -> float | None:
        """Seconds until ``check_memory`` is due; None when no worker has a limit."""
        return self._limits.patience

    def check_memory(self) -> None:
        """Kill the workers that have taken more memory than they may."""
        for pid in self._limits.over():
            self.kill(self._task_of[pid])

    def kill(self, task_id: str) -> None:
        """Kill the task's whole process group (atc and other programs it started included)."""
        pid = self._pid_of.get(task_id)
        if pid is not None:
            # The child makes its own group first thing; before that only the process exists.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill every child."""
        for task_id in list(self._pid_of):
            self.kill(task_id)

    @property
    def selector(self) -> selectors.DefaultSelector:
        """Watches the children's pipes; the host adds its own descriptors."""
        return self._selector

    def forward(self, read_end: int) -> bool:
        """Pass on complete event lines from one child; False when there is no more for now."""
        try:
            data = os.read(read_end, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            self._close(read_end)
            return False
        lines, newline, rest = (self._tail[read_end] + data).rpartition(b"\n")
        self._tail[read_end] = rest
        if newline:
            self._write(lines + newline)
        return True

    def _close(self, read_end: int) -> None:
        self._selector.unregister(read_end)
        os.close(read_end)
        del self._tail[read_end]

    def reap(self) -> None:
        """Report every child that has ended, after passing on the last of what it wrote."""
        while self._task_of:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            task_id = self._task_of.pop(pid, None)
            if task_id is None:
                continue
            del self._pid_of[task_id]
            ended = self._limits.ended(pid, status)
            # A program the child started outlives it only if something went wrong: end it too.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            for key in list(self._selector.get_map().values()):
                if key.data == pid:
                    while self.forward(key.fd):
                        pass
                    if key.fd in self._tail:  # something it started still holds the other end
                        self._close(key.fd)
            # ru_maxrss is in KiB on Linux (getrusage(2)).
            self.emit(
                {
                    "event": "exit",
                    "task": task_id,
                    "status": status,
                    "peak_memory": max(usage.ru_maxrss * 1024, ended.pop("peak", 0)),
                    **ended,
                }
            )
