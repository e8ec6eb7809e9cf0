"""Calls paddle2onnx's native exporter."""

from __future__ import annotations

from pathlib import Path

from converter.errors import StageError
from converter.model.wording import first_line


def export_program(program: Path, params: Path | None, opset: int) -> bytes:
    """Convert the PIR program file with its parameters; return the serialised ONNX model.

    Not ``paddle2onnx.export``: that swallows errors, exits the process and runs polygraphy, which
    takes most of a minute and installs packages from the network while converting. Raises
    ``StageError``; what paddle2onnx cannot do it may also answer by ending the process.
    """
    from paddle2onnx import paddle2onnx_cpp2py_export as native

    try:
        data: bytes = native.export(
            str(program),
            str(params) if params else "",
            opset,
            True,  # raise the opset where an operator needs it; the post-condition reports it
            False,  # verbose
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
