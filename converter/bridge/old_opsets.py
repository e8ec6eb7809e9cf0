"""What files of opset 7 and 8 (IR version 3) need that paddle2onnx does not give them.

Before opset 9 a Constant node holds floats only, and before IR version 4 every initializer is a
graph input too. paddle2onnx writes integer Constants all the same, which ONNX's checker refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converter.bridge.lowering.stitch import replace

if TYPE_CHECKING:
    import onnx

_CONSTANT_OF_ANY_TYPE_SINCE = 9
_INITIALIZERS_ALONE_SINCE = 4


def make_valid(model: onnx.ModelProto, opset: int) -> None:
    """Turn Constants that are not floats into initializers, and declare those as inputs.

    Runtimes do not ask for inputs that have an initializer.
    """
    if opset < _CONSTANT_OF_ANY_TYPE_SINCE:
        for graph in _graphs(model.graph):
            _move_constants(graph, model.graph)
    if model.ir_version < _INITIALIZERS_ALONE_SINCE:
        _declare_initializers(model.graph)


def _move_constants(graph: onnx.GraphProto, outer: onnx.GraphProto) -> None:
    """Move the integer and bool constants of ``graph`` to the initializers of ``outer``."""
    kept = []
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if node.op_type != "Constant" or value is None or value.data_type in _floats():
            kept.append(node)
            continue
        tensor = outer.initializer.add()
        tensor.CopyFrom(value)
        tensor.name = node.output[0]
    if len(kept) < len(graph.node):
        replace(graph.node, kept)


def _declare_initializers(graph: onnx.GraphProto) -> None:
    from onnx import helper

    declared = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if tensor.name not in declared:
            graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )


def _floats() -> set[int]:
    from onnx import TensorProto

    return {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """``graph`` and the bodies of its If and Loop nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
