"""The fork server: imports the heavy libraries once, then forks a child per task.

Run as ``python -m converter.engine.host``. It reads one JSON command per line on standard input and
writes one JSON event per line on standard output; what Paddle, paddle2onnx and ONNX Runtime print
goes to standard error, and from a worker to the task's own log. The host never runs model code
itself, so a segfault, an abort or an OOM kill takes a child, not the host. When its standard input
closes (the parent ended, however it ended) it kills every child and exits.

Commands: ``{"run": ID, "task": {...}, "log": PATH}`` and ``{"kill": ID}``.
Events: ``{"event": "ready"}``, whatever the child emits, and ``{"event": "exit", "task": ID,
"status": WAITSTATUS, "peak_memory": BYTES}`` as the last event of a task.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import sys
import traceback
import warnings
from importlib import import_module
from typing import Any, TextIO

_PR_SET_PDEATHSIG = 1

#: What every task needs; a module that starts threads when imported must not be here.
_PRELOADED = (
    "onnx",
    "onnxruntime",
    "onnxsim",
    "paddle",
    "paddle.inference",
    "paddle2onnx.convert",
    "converter.accuracy.reference",
    "converter.bridge.double_attributes",
    "converter.bridge.kept_slice_axes",
    "converter.engine.child",
)


def _preload() -> None:
    """Import what every task needs, so that no child has to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _PRELOADED:
            import_module(name)
    from converter.stages.pipeline import STAGES, stages_named

    stages_named(STAGES)


class _Children:
    """The running children: by process id, and by the read end of their event pipe."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._selector = selectors.DefaultSelector()
        self._task_of: dict[int, str] = {}
        self._pid_of: dict[str, int] = {}
        self._tail: dict[int, bytes] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)

    def emit(self, event: dict[str, Any]) -> None:
        """Write one event line to the parent."""
        self._write(json.dumps(event).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._events, data) :]

    def start(self, task_id: str, task: dict[str, Any], log: str) -> None:
        """Fork a child for ``task``; its events come back over a pipe of its own."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            pid = os.fork()
        except OSError as error:  # no memory, or too many processes: this task's misfortune only
            sys.stderr.write(f"cannot start a worker: {error}\n")
            sys.stderr.flush()
            os.close(read_end)
            os.close(write_end)
            self.emit({"event": "exit", "task": task_id, "status": None, "peak_memory": 0})
            return
        if pid == 0:
            os.close(read_end)
            self._run_child(task_id, task, log, write_end)
        os.close(write_end)
        self._task_of[pid] = task_id
        self._pid_of[task_id] = pid
        self._tail[read_end] = b""
        self._selector.register(read_end, selectors.EVENT_READ, pid)
        self.emit({"event": "started", "task": task_id, "pid": pid})

    def _run_child(self, task_id: str, task: dict[str, Any], log: str, events: int) -> None:
        """Become the worker: own process group, own log, killed when the host dies. No return."""
        code = 1
        try:
            os.setpgid(0, 0)
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log_fd, 1)
            os.dup2(log_fd, 2)

            from converter.engine.child import run_task

            with os.fdopen(events, "w") as pipe:
                run_task(task_id, task, pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

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
                    "peak_memory": usage.ru_maxrss * 1024,
                }
            )


def _serve(children: _Children, commands: TextIO) -> None:
    """Obey commands and pass on events until the parent closes our standard input."""
    wakeup_read, wakeup_write = os.pipe()
    for end in (wakeup_read, wakeup_write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakeup_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children.selector.register(commands, selectors.EVENT_READ, "commands")
    children.selector.register(wakeup_read, selectors.EVENT_READ, "wakeup")
    os.set_blocking(commands.fileno(), False)
    pending = b""
    while True:
        for key, _ in children.selector.select():
            if key.data == "commands":
                data = os.read(key.fd, 1 << 16)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    command = json.loads(line)
                    if "run" in command:
                        children.start(command["run"], command["task"], command["log"])
                    else:
                        children.kill(command["kill"])
            elif key.data == "wakeup":
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, 1 << 10)
                children.reap()
            elif key.fd in children.selector.get_map():
                children.forward(key.fd)


def main() -> None:
    """Entry point of the host process."""
    # Ctrl-C reaches the whole foreground group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.dup(1)
    commands = os.fdopen(os.dup(0), "r")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    children = _Children(events)
    _preload()
    children.emit({"event": "ready"})
    try:
        _serve(children, commands)
    except BrokenPipeError:
        # The parent is gone; there is no one left to tell.
        pass
    finally:
        children.kill_all()


if __name__ == "__main__":
    main()
    # Without Paddle's tear-down, which takes half a second and has nothing to do here.
    os._exit(0)
