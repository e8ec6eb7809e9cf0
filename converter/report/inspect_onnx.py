"""The text of ``paddle2om inspect`` for an ONNX file."""

from __future__ import annotations

from converter.model.onnx_file import OnnxFacts
from converter.report import format as fmt


def onnx_text(facts: OnnxFacts) -> str:
    """What an ONNX model holds, in lines for people."""
    lines = [
        f"format      ONNX, opset {facts.opset}, IR version {facts.ir_version}",
        f"nodes       {fmt.integer(facts.nodes)}",
        f"weights     {fmt.size(facts.initializer_bytes)}",
    ]
    lines += [f"input       {spec}" for spec in facts.inputs]
    lines += [f"output      {spec}" for spec in facts.outputs]
    return "\n".join(fmt.printable(line.replace("\n", " ")) for line in lines)
