"""Plants one fault in an ONNX model and says where: what ``locate`` has to find.

A fault is a change that keeps the file valid and the shapes as they are: the sort that an exporter,
a graph rewrite or a wrong conversion of weights makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper


@dataclass(frozen=True)
class Planted:
    """What was done: the node, by the tensor it makes, and a word that the cause has to have."""

    kind: str
    node: str
    cause: str


def plant(model: onnx.ModelProto, kind: str, at: float) -> Planted:
    """Plant a fault of ``kind`` in the node that lies at the share ``at`` of those it fits."""
    change = KINDS[kind]
    graph = model.graph
    fitting = [node for node in graph.node if change(model, node, False)]
    assert fitting, f"no node for a fault of kind {kind}"
    node = fitting[min(int(at * len(fitting)), len(fitting) - 1)]
    output = node.output[0]
    cause = change(model, node, True)
    return Planted(kind, output, cause)


def _weights(model: onnx.ModelProto, node: onnx.NodeProto, do: bool) -> str:
    """The filters, or rows of a matrix, are in another order: each is its neighbour."""
    place = {"Conv": 1, "MatMul": 1, "Gemm": 1, "ConvTranspose": 1}.get(node.op_type)
    tensor = _initializer(model, node.input[place]) if place is not None else None
    if tensor is None or not do:
        return "weights" if tensor is not None else ""
    _set(tensor, np.roll(numpy_helper.to_array(tensor), 1, axis=0))
    return "weights"


def _attribute(model: onnx.ModelProto, node: onnx.NodeProto, do: bool) -> str:
    """A number that shapes do not depend on."""
    changes = {
        "HardSigmoid": ("alpha", lambda v: v * 1.2),
        "LeakyRelu": ("alpha", lambda v: v * 2),
        "BatchNormalization": ("epsilon", lambda v: 0.5),
        "Softmax": ("axis", lambda v: 1 if v != 1 else 2),
        "AveragePool": ("count_include_pad", lambda v: 1 - v),
    }
    if node.op_type not in changes:
        return ""
    name, change = changes[node.op_type]
    found = next((a for a in node.attribute if a.name == name), None)
    if found is None:
        return ""
    if node.op_type == "AveragePool" and not any(
        a.name == "pads" and any(a.ints) for a in node.attribute
    ):
        return ""
    if do:
        if found.type == onnx.AttributeProto.FLOAT:
            found.f = change(found.f)
        else:
            found.i = change(found.i)
    return "attribute"


def _dilation(model: onnx.ModelProto, node: onnx.NodeProto, do: bool) -> str:
    """The padding of a convolution sits on the other side; shapes stay."""
    pads = next((a for a in node.attribute if a.name == "pads"), None)
    if node.op_type != "Conv" or pads is None or list(pads.ints) != [1, 1, 1, 1]:
        return ""
    if do:
        pads.ints[:] = [2, 1, 0, 1]
    return "attribute"


def _swapped(model: onnx.ModelProto, node: onnx.NodeProto, do: bool) -> str:
    """Two inputs of an operator that does not commute change places."""
    places = {"Sub": (0, 1), "Div": (0, 1), "BatchNormalization": (1, 4)}.get(node.op_type)
    if node.op_type == "Concat" and len(node.input) == 2:
        places = (0, 1)
    if node.op_type == "BatchNormalization":
        places = (2, 3)  # bias and mean
    if places is None or (node.op_type == "Concat" and not _alike(model, node)):
        return ""
    if do:
        one, other = places
        node.input[one], node.input[other] = node.input[other], node.input[one]
    return "swapped"


def _operator(model: onnx.ModelProto, node: onnx.NodeProto, do: bool) -> str:
    """Another operator of the same signature."""
    others = {"Relu": "Neg", "Add": "Sub", "Sigmoid": "Tanh", "Mul": "Add", "MaxPool": ""}
    other = others.get(node.op_type, "")
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {name for n in model.graph.node if n.op_type == "Constant" for name in n.output}
    if not other or constants.intersection(node.input):  # adding zeros or not is no fault
        return ""
    if node.op_type in ("Add", "Mul") and any(_makes_shape(model, name) for name in node.input):
        return ""
    if do:
        node.op_type = other
    return "operator"


def _constant(model: onnx.ModelProto, node: onnx.NodeProto, do: bool) -> str:
    """A small constant that an operator reads is another."""
    if node.op_type not in ("Add", "Mul", "Div", "Sub", "Clip", "Conv", "Gemm"):
        return ""
    if node.op_type == "Conv":
        tensor = _initializer(model, node.input[2]) if len(node.input) > 2 else None
    else:
        found = [_initializer(model, name) for name in node.input if name]
        tensor = next((t for t in found[::-1] if t is not None), None)
    if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT:
        return ""
    if do:
        _set(tensor, numpy_helper.to_array(tensor) * np.float32(0.5) + np.float32(0.25))
    return "constant"


KINDS: dict[str, Callable[[onnx.ModelProto, onnx.NodeProto, bool], str]] = {
    "weights": _weights,
    "attribute": _attribute,
    "padding": _dilation,
    "swapped": _swapped,
    "operator": _operator,
    "constant": _constant,
}


def _initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto | None:
    """A constant that one node alone reads, whichever form it has."""
    readers = sum(list(node.input).count(name) for node in model.graph.node)
    if readers != 1:
        return None
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return tensor
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output[0] == name:
            return next((a.t for a in node.attribute if a.name == "value"), None)
    return None


def _set(tensor: onnx.TensorProto, array: np.ndarray) -> None:
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))


def _makes_shape(model: onnx.ModelProto, name: str) -> bool:
    """Whether a value is a number of extents, not of pixels."""
    inferred = {v.name: v for v in model.graph.value_info}
    known = inferred.get(name)
    return known is not None and known.type.tensor_type.elem_type != onnx.TensorProto.FLOAT


def _alike(model: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    """Whether both inputs of a Concat have one shape, so that the result is as large either way."""
    known = {v.name: v.type.tensor_type for v in model.graph.value_info}
    kinds = [known.get(name) for name in node.input]
    return all(
        kind is not None and kind.elem_type == onnx.TensorProto.FLOAT for kind in kinds
    ) and str(kinds[0].shape) == str(kinds[1].shape)
