"""onnxsim, which never ends on some models: those with loops run in a process with a limit.

onnxsim 0.8.1's optimiser was never seen to end on PP-FormulaNet's decoding loop as paddle2onnx
writes it, with masks as large as the embeddings; without those a conversion took 50 s of processor
time. Its constant folding alone takes seconds. Native code can't be interrupted, so it is a process
that ends.

Where that process ends by the limit or a crash, another machine may get another result, and the
same one another time: what is made then is not to be kept.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from converter.errors import StageError
from converter.model.memory import kernel_kills
from converter.model.onnx_file import all_nodes
from converter.model.processes import describe_kill, describe_refusal, hint_for_refusal
from converter.model.wording import first_line, last_line

if TYPE_CHECKING:
    import onnx

#: Seconds of processor time; SLANet takes 3.
LIMIT = 60

#: Seconds from the limit's own signal to SIGKILL, which tells nothing.
_GRACE = 5

#: What the models have that it did not end on.
LOOPS = ("Loop", "Scan")

_NOT_NEEDED = "the model works without it"

#: The process's exit code where it would be the same another time.
_REFUSED = 3


class Simplified(NamedTuple):
    """A simplified model, and what ended the optimiser before it was done; empty for nothing."""

    model: onnx.ModelProto
    cut: str = ""


#: Input name -> extents that the model is to have from now on.
Shapes: TypeAlias = Mapping[str, Sequence[int]]


def simplify(
    source: Path,
    work_dir: Path,
    *,
    model: onnx.ModelProto | None = None,
    shapes: Shapes | None = None,
    limit: int = LIMIT,
) -> Simplified:
    """Simplify the model in ``source``, made static where there are ``shapes``.

    ``model`` is what it holds, where that is loaded already. Files in between go to ``work_dir``.
    With a loop inside, what does not end within ``limit`` seconds of processor time, or crashes,
    is done again without the optimiser. Raises ``StageError`` when onnxsim fails, or calls its own
    result invalid; its cause is a ``CalledProcessError``, ``MemoryError`` or ``OSError`` where it
    may not fail another time.
    """
    import onnx

    if model is None:
        model = onnx.load_model(source)
    if not any(node.op_type in LOOPS for node in all_nodes(model)):
        return Simplified(_run(model, shapes, optimise=True))
    target = work_dir / "onnxsim.onnx"
    cut = ""
    for how in ("optimise", "fold"):
        command = [sys.executable, "-P", "-m", __name__, str(limit)]
        command += [str(source), str(target), how, json.dumps(shapes)]
        killed_before = kernel_kills()
        try:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            told = describe_refusal(error.errno or 0)
            raise StageError(f"onnxsim {told}", hint=hint_for_refusal(error.errno or 0)) from error
        if ended.returncode == 0:
            return Simplified(onnx.load_model(target), cut)
        failed = subprocess.CalledProcessError(ended.returncode, command)
        if ended.returncode > 0:  # it said why, in its last line
            refused = ended.returncode == _REFUSED
            said = last_line(ended.stderr) or "onnxsim failed"
            raise StageError(said, hint=_NOT_NEEDED) from (None if refused else failed)
        cut = _ending(-ended.returncode, limit, kernel=kernel_kills() > killed_before)
    raise StageError(f"onnxsim {cut}", hint=_NOT_NEEDED) from failed


def _ending(number: int, limit: int, *, kernel: bool) -> str:
    """What a signal that ended the process means."""
    if number == signal.SIGXCPU:
        return f"did not end within {limit} s of processor time"
    return describe_kill(number, kernel=kernel)


def _run(model: onnx.ModelProto, shapes: Shapes | None, *, optimise: bool) -> onnx.ModelProto:
    import onnxsim

    options = {"overwrite_input_shapes": {k: list(v) for k, v in shapes.items()}} if shapes else {}
    try:
        made, checked = onnxsim.simplify(model, perform_optimization=optimise, **options)
    except Exception as error:
        raise StageError(f"onnxsim failed: {first_line(str(error))}", hint=_NOT_NEEDED) from error
    if not checked:
        raise StageError("onnxsim's result is invalid", hint=_NOT_NEEDED)
    simplified: onnx.ModelProto = made
    # onnxsim records what it removed, thousands of names that a runtime has no use for.
    kept = [entry for entry in made.metadata_props if not entry.key.startswith("onnxsim")]
    del made.metadata_props[:]
    made.metadata_props.extend(kept)
    return simplified


def main(limit: str, source: str, target: str, how: str, shapes: str) -> int:
    """What the process does: 0, or another exit code after saying why on standard error."""
    import onnx

    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + _GRACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        model = onnx.load_model(source)
        made = _run(model, json.loads(shapes), optimise=how == "optimise")
        onnx.save_model(made, target)
    except StageError as error:
        sys.stderr.write(f"\n{error.message}\n")
        return 1 if isinstance(error.__cause__, MemoryError) else _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
