"""Calls paddle2onnx's native exporter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from converter.errors import StageError
from converter.model.wording import first_line

#: What paddle2onnx says, in its verbose mode alone, of an operator that it writes in a later opset.
_NEEDS = re.compile(r"\[OP: (?:pd_op\.)?([^\]\s]+)\] Requires the minimal opset version of (\d+)")


def operators_above(program: Path, opset: int) -> dict[str, int]:
    """The operators that paddle2onnx writes in a later opset than ``opset``, with that opset.

    Converts once more, in a process of its own: paddle2onnx names them on its standard output
    alone, and only if the first conversion of its process was verbose.
    """
    call = (
        "import sys; from pathlib import Path; "
        "from converter.bridge.paddle2onnx import export_program; "
        "export_program(Path(sys.argv[1]), int(sys.argv[2]), verbose=True)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", call, str(program), str(opset)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    found: dict[str, int] = {}
    for name, number in _NEEDS.findall(ended.stdout.decode("utf-8", errors="replace")):
        if int(number) > opset:
            found[name] = max(int(number), found.get(name, 0))
    return found


def export_program(program: Path, opset: int, *, verbose: bool = False) -> bytes:
    """Convert the PIR program file; return the serialised ONNX model, which lacks the parameters.

    Not ``paddle2onnx.export``: that swallows errors, exits the process and runs polygraphy, which
    takes most of a minute and installs packages from the network while converting. Raises
    ``StageError``; what paddle2onnx cannot do it may also answer by ending the process.
    """
    from paddle2onnx import paddle2onnx_cpp2py_export as native

    try:
        data: bytes = native.export(
            str(program),
            "",  # no parameter file: see converter.bridge.weights
            opset,
            True,  # raise the opset where an operator needs it; the post-condition reports it
            verbose,
            False,  # its checker only prints; ours decides
            True,  # experimental operators
            True,  # its own graph optimisation
            {},  # custom operators: ignored for PIR programs
            "onnxruntime",
            "",  # quantisation calibration file
            "",  # external data file: has no effect for PIR programs
            False,  # fp16
        )
    except Exception as error:
        raise StageError(
            f"paddle2onnx cannot convert this program: {first_line(str(error)) or repr(error)}",
            hint="the model's log has paddle2onnx's own words",
        ) from error
    if not data:
        raise StageError(
            "paddle2onnx returned an empty model",
            hint="the model's log has paddle2onnx's own words",
        )
    return data
