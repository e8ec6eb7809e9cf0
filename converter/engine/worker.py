"""A worker: the process that one task runs in. Forked from the host, or started anew.

Started anew (``python -P -m converter.engine.worker EVENTS``) it imports everything itself, which
takes seconds; it then shares nothing with the host, whatever state that is in. The task comes as a
line of JSON on standard input.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1

#: How much more a worker is worth killing than others when memory runs out (proc(5), 0 to 1000):
#: a worker is one row of the report, its host is several, the parent all.
_OOM_SCORE = "500"

#: Native libraries read these once, when they are imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def become_worker(libc: ctypes.CDLL, host: int) -> None:
    """Own process group, ends with its ``host``, the first to go when memory runs out."""
    os.setpgid(0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != host:  # it ended before it could be heeded, and nobody waits for us
        os._exit(1)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


def end_after(work: Callable[[], None]) -> NoReturn:
    """Do the work and end this process: 0, or 1 after an exception, which goes to the log."""
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        # Without Paddle's tear-down, which takes half a second and has nothing to do here.
        os._exit(code)


def start_anew(task_id: str, task: dict[str, Any], log: int, events: int) -> int:
    """Start a worker that shares nothing with this process; return its process id.

    ``log`` and ``events`` are descriptors.
    """
    import subprocess

    threads = str(task["options"]["threads"])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "converter.engine.worker", str(events)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=(events,),
        env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, threads)},
        process_group=0,
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        asked = {"task": task_id, "data": task, "host": os.getpid()}
        process.stdin.write(json.dumps(asked).encode())
        process.stdin.close()
    # The host waits for all its children itself; this object must not try.
    process.returncode = 0
    return process.pid


def main(events: int) -> NoReturn:
    """Entry point of a worker that was started anew."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = json.load(sys.stdin)

    def work() -> None:
        become_worker(ctypes.CDLL(None, use_errno=True), asked["host"])
        from converter.engine.child import run_task

        with os.fdopen(events, "w") as pipe:
            run_task(asked["task"], asked["data"], pipe)

    end_after(work)


if __name__ == "__main__":
    main(int(sys.argv[1]))
