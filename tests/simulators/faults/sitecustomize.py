"""A fault simulator: makes the export of chosen models fail in a chosen way.

Put this directory on PYTHONPATH and set FAULT (what happens) and FAULT_OPERATOR (in programs that
have this operator); the worker processes then meet the fault where they would call paddle2onnx.
With FAULT_ONCE, a path, they meet it once: the file is made then.
"""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def _fail(kind: str) -> None:
    match kind:
        case "abort":
            os.abort()
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "hang":
            time.sleep(3600)
        case "disk-full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "exported.onnx")
        case "eat":
            eaten = []
            while len(eaten) < 400:  # 20 GB at most
                eaten.append(b"x" * (50 << 20))
                time.sleep(0.01)
        case "eat-below":  # as atc might: in a program that the worker started
            code = "import time; x = b'x' * (900 << 20); time.sleep(60)"
            subprocess.run([sys.executable, "-S", "-c", code])
        case "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "bug":
            raise ZeroDivisionError("planted")
        case "system-exit":
            raise SystemExit(-1)


if os.environ.get("FAULT") == "no-simplification":
    from converter.errors import StageError
    from converter.stages.simplify import SimplifyStage

    def _refuse(stage, job, source):
        raise StageError("planted", hint="none")

    SimplifyStage._simplify = _refuse
elif os.environ.get("FAULT") == "no-lowering":
    from converter.bridge.lowering import plan

    plan.all_lowerings = dict
elif os.environ.get("FAULT") == "thread":
    if "converter.engine.host" in " ".join(sys.orig_argv):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
elif os.environ.get("FAULT", "").startswith("warm-"):
    from converter.engine import warm

    warm._LIMIT = 1
    warm._call_each = lambda: _fail(os.environ["FAULT"].removeprefix("warm-"))
elif os.environ.get("FAULT") in ("no-process", "no-memory-for-it", "no-pipe"):
    if "converter.engine.host" in " ".join(sys.orig_argv):
        _name, _code = {
            "no-process": ("fork", errno.EAGAIN),
            "no-memory-for-it": ("fork", errno.ENOMEM),
            "no-pipe": ("pipe", errno.EMFILE),
        }[os.environ["FAULT"]]
        _before = getattr(os, _name)

        def _refuse_here(*_):
            # Of the host's own calls only the one for a worker: it comes from here.
            if not sys._getframe(1).f_code.co_filename.endswith("children.py"):
                return _before()
            once = os.environ.get("FAULT_ONCE")
            if once and Path(once).exists():
                return _before()
            if once:
                Path(once).touch()
            raise OSError(_code, os.strerror(_code))

        setattr(os, _name, _refuse_here)
elif "FAULT" in os.environ:
    from converter.bridge import repair
    from converter.model.pir_document import operation_name, walk_operations

    _repair_program = repair.repair_program

    def _repair_or_fail(program):
        names = {operation_name(operation) for operation in walk_operations(program)}
        once = os.environ.get("FAULT_ONCE")
        if os.environ["FAULT_OPERATOR"] in names and not (once and Path(once).exists()):
            if once:
                Path(once).touch()
            _fail(os.environ["FAULT"])
        return _repair_program(program)

    repair.repair_program = _repair_or_fail
