"""The fork server: imports the heavy libraries once, then forks a child per task.

Run as ``python -m converter.engine.host``. It reads one JSON command per line on standard input and
writes one JSON event per line on standard output; what Paddle, paddle2onnx and ONNX Runtime print
goes to standard error, and from a worker to the task's own log. The host never runs a model of the
user's (one of our own, after a child has survived it: ``converter.engine.warm``), so a segfault, an
abort or an OOM kill takes a child, not the host. When its standard input closes (the parent ended,
however it ended) it kills every child and exits.

Forking is safe only where no thread holds a lock: the host counts its threads when the imports are
done, and starts every worker anew (``converter.engine.worker``) if there are others than its own,
or if ``PADDLE2OM_WORKERS=spawn`` says so; it then imports nothing itself.

Commands: ``{"run": ID, "task": {...}, "log": PATH, "anew": BOOL}`` and ``{"kill": ID}``.
Events: ``{"event": "ready", "threads": COUNT, "fork": BOOL}`` once; for each task
``{"event": "started", "task": ID, "pid": PID}``, whatever its worker emits, and
``{"event": "exit", "task": ID, "status": WAITSTATUS, "peak_memory": BYTES}`` as the last event of a
task; with ``"over_memory": BYTES`` when it was killed for taking so much, ``"kernel": true``
when it was killed while the kernel killed for want of memory, and ``"refused": ERRNO``, no status,
when the system started no process for it, with ``"log": true`` because its log cannot be written.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import warnings
from importlib import import_module
from typing import TextIO

from converter.engine.children import Children
from converter.engine.warm import warm_up

#: How workers are started: ``fork`` (the default) or ``spawn``.
WORKERS_VARIABLE = "PADDLE2OM_WORKERS"

#: What every task needs; a module that starts threads when imported must not be here.
_PRELOADED = (
    "onnx",
    "onnxruntime",
    "onnxsim",
    "paddle",
    "paddle.inference",
    "paddle2onnx.convert",
    "converter.accuracy.predictor",
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
    from converter.bridge.lowering.registry import all_lowerings
    from converter.bridge.provenance import tools_of_this_process
    from converter.bridge.supported import supported_operators
    from converter.stages.pipeline import STAGES, stages_named

    stages_named(STAGES)
    # Forty modules of lowerings, a table, and package metadata: every export looks into them.
    all_lowerings()
    supported_operators()
    tools_of_this_process()


def _serve(children: Children, commands: TextIO, *, fork: bool) -> None:
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
        for key, _ in children.selector.select(children.patience):
            if key.data == "commands":
                data = os.read(key.fd, 1 << 16)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    command = json.loads(line)
                    if "run" in command:
                        children.start(
                            command["run"],
                            command["task"],
                            command["log"],
                            anew=not fork or command.get("anew", False),
                        )
                    else:
                        children.kill(command["kill"])
            elif key.data == "wakeup":
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, 1 << 10)
                children.reap()
            elif key.fd in children.selector.get_map():
                children.forward(key.fd)
        children.check_memory()


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def main() -> None:
    """Entry point of the host process."""
    # Ctrl-C reaches the whole foreground group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.dup(1)
    commands = os.fdopen(os.dup(0), "r")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    children = Children(events)
    fork = os.environ.get(WORKERS_VARIABLE) != "spawn"
    if fork:
        _preload()
    if fork and _threads() == 1:
        warm_up()
    threads = _threads()
    fork = fork and threads == 1
    children.emit({"event": "ready", "threads": threads, "fork": fork})
    try:
        _serve(children, commands, fork=fork)
    except BrokenPipeError:
        # The parent is gone; there is no one left to tell.
        pass
    finally:
        children.kill_all()


if __name__ == "__main__":
    main()
    # Without Paddle's tear-down, which takes half a second and has nothing to do here.
    os._exit(0)
