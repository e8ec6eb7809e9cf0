"""A fault simulator: makes the export of chosen models fail in a chosen way.

Put this directory on PYTHONPATH and set FAULT (what happens) and FAULT_OPERATOR (in programs that
have this operator); the worker processes then meet the fault where they would call paddle2onnx.
"""

import ctypes
import errno
import os
import time


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
elif "FAULT" in os.environ:
    from converter.bridge import repair
    from converter.model.pir_document import operation_name, walk_operations

    _repair_program = repair.repair_program

    def _repair_or_fail(program):
        names = {operation_name(operation) for operation in walk_operations(program)}
        if os.environ["FAULT_OPERATOR"] in names:
            _fail(os.environ["FAULT"])
        return _repair_program(program)

    repair.repair_program = _repair_or_fail
