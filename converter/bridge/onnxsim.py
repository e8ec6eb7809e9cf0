"""onnxsim, which never ends on some models: those with loops run in a process with a limit.

onnxsim 0.8.1's optimiser goes on for ever on PP-FormulaNet's decoding loop, while its constant
folding alone takes seconds. Native code can't be interrupted, so it is a process that ends.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import StageError
from converter.model.wording import first_line

if TYPE_CHECKING:
    import onnx

#: Seconds of processor time; SLANet takes 3.
LIMIT = 60

#: What the models have that it did not end on.
LOOPS = ("Loop", "Scan")

_NOT_NEEDED = "the model works without it"


def simplify(source: Path, work_dir: Path, *, limit: int = LIMIT) -> onnx.ModelProto:
    """Simplify the model in ``source``; files in between go to ``work_dir``.

    With a loop inside, what does not end within ``limit`` seconds of processor time is
    done again without the optimiser. Raises ``StageError`` when onnxsim fails, or calls its own
    result invalid.
    """
    import onnx

    model = onnx.load_model(source)
    if not any(node.op_type in LOOPS for node in model.graph.node):
        return _run(model, optimise=True)
    target = work_dir / "onnxsim.onnx"
    for optimise in ("optimise", "fold"):
        command = [sys.executable, "-P", "-m", __name__, str(limit)]
        command += [str(source), str(target), optimise]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return onnx.load_model(target)
        if ended.returncode > 0:  # it said why; a signal is the limit's, or a crash of its own
            raise StageError(first_line(ended.stderr) or "onnxsim failed", hint=_NOT_NEEDED)
    raise StageError(
        f"onnxsim crashed, or did not end within {limit} s of processor time", hint=_NOT_NEEDED
    )


def _run(model: onnx.ModelProto, *, optimise: bool) -> onnx.ModelProto:
    import onnxsim

    try:
        made, checked = onnxsim.simplify(model, perform_optimization=optimise)
    except Exception as error:
        raise StageError(f"onnxsim failed: {first_line(str(error))}", hint=_NOT_NEEDED) from error
    if not checked:
        raise StageError("onnxsim's result is invalid", hint=_NOT_NEEDED)
    simplified: onnx.ModelProto = made
    return simplified


def main(limit: str, source: str, target: str, how: str) -> int:
    """What the process does: 0, or 1 after saying why on standard error."""
    import onnx

    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        onnx.save_model(_run(onnx.load_model(source), optimise=how == "optimise"), target)
    except StageError as error:
        sys.stderr.write(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
