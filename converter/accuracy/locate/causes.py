"""What is wrong with the nodes at the place: they are held against those that belong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converter.accuracy.onnx_values import OnnxValues
from converter.model.located import LocatedNode

if TYPE_CHECKING:
    import onnx

#: Elements of a list or tensor that are shown.
_SHOWN = 8


def describe_node(node: onnx.NodeProto) -> LocatedNode:
    """A node as a record."""
    return LocatedNode(
        name=node.name,
        op_type=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes=_attributes(node),
    )


def find_causes(
    nodes: Sequence[onnx.NodeProto],
    candidate: OnnxValues,
    expected: OnnxValues,
    stands_for: Mapping[str, str] | None = None,
) -> tuple[onnx.NodeProto | None, tuple[str, ...]]:
    """The first of ``nodes`` that is not what ``expected`` has in its place, and what differs.

    Nodes are matched by the tensor that they make. ``stands_for`` maps the candidate's tensors to
    those of ``expected``; without it they have the same names. Returns (None, ()) when nothing
    differs.
    """
    for node in nodes:
        names = [name if stands_for is None else stands_for.get(name, "") for name in node.output]
        other = next((m for m in map(expected.maker, names) if m is not None), None)
        if other is None or node.op_type == other.op_type == "Identity":
            continue  # what reads a copy is held against the original
        causes = _differences(node, candidate, other, expected, stands_for)
        if causes:
            return node, tuple(causes)
    return None, ()


def covers(nodes: Sequence[onnx.NodeProto], expected: OnnxValues) -> int:
    """How many of ``nodes`` make a tensor that ``expected`` has, too."""
    return sum(any(expected.maker(name) is not None for name in node.output) for node in nodes)


def _differences(
    node: onnx.NodeProto,
    candidate: OnnxValues,
    other: onnx.NodeProto,
    expected: OnnxValues,
    stands_for: Mapping[str, str] | None,
) -> list[str]:
    if node.op_type != other.op_type:
        return [f"operator: the node is {node.op_type}, and {other.op_type} belongs there"]
    inputs = _inputs(node, candidate, other, expected, stands_for)
    return [*inputs, *_attribute_changes(node, other)]


def _attribute_changes(node: onnx.NodeProto, other: onnx.NodeProto) -> list[str]:
    ours, theirs = _attributes(node), _attributes(other)
    told = []
    for name in sorted(ours.keys() | theirs.keys()):
        has, should = ours.get(name, "not set"), theirs.get(name, "not set")
        if has != should:
            told.append(f"attribute: {name} is {has} instead of {should}")
    return told


def _inputs(
    node: onnx.NodeProto,
    candidate: OnnxValues,
    other: onnx.NodeProto,
    expected: OnnxValues,
    stands_for: Mapping[str, str] | None,
) -> list[str]:
    ours = [_origin(name, candidate) for name in node.input]
    theirs = [_origin(name, expected) for name in other.input]
    # What stands for nothing that is known is not said to be something else; "" is.
    names = [
        name if stands_for is None or not name else _origin(stands_for.get(name, "?"), expected)
        for name in ours
    ]
    told = []
    if len(ours) != len(theirs):
        told.append(f"inputs: {len(ours)} instead of {len(theirs)}: {', '.join(node.input)}")
    elif names != theirs and sorted(names) == sorted(theirs):
        order = ", ".join(node.input)
        return [f"inputs: swapped: ({order}) instead of ({', '.join(other.input)})"]
    for place, (name, should) in enumerate(zip(node.input, other.input, strict=False)):
        value, wanted = candidate.constant(ours[place]), expected.constant(theirs[place])
        if value is not None and wanted is not None:
            if change := _change(value, wanted):
                kind = "weights" if wanted.size > _SHOWN else "constant"
                told.append(f"{kind}: {name} (input {place}) {change}")
        elif names[place] not in (theirs[place], "?"):
            told.append(f"inputs: input {place} is {name} instead of {should}")
    return told


def _origin(name: str, values: OnnxValues) -> str:
    """The tensor that ``name`` is a copy of: simplified graphs have no copies."""
    maker = values.maker(name)
    while maker is not None and maker.op_type == "Identity":
        name = maker.input[0]
        maker = values.maker(name)
    return name


def _change(value: NDArray[Any], wanted: NDArray[Any]) -> str:
    """How a constant differs from the one that belongs there; "" when it does not."""
    if value.dtype != wanted.dtype or value.shape != wanted.shape:
        return f"is {value.dtype}{list(value.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
    same = np.array_equal(value, wanted, equal_nan=value.dtype.kind == "f")
    if same:
        return ""
    apart = np.abs(value.astype(np.float64) - wanted.astype(np.float64))
    # What folding rounds differently is no change.
    if value.dtype.kind == "f" and apart.max() <= 1e-6 * np.abs(wanted.astype(np.float64)).max():
        return ""
    if wanted.size <= _SHOWN:
        return f"is {value.reshape(-1).tolist()} instead of {wanted.reshape(-1).tolist()}"
    count = int((apart != 0).sum())
    first = int(np.argmax(apart.reshape(-1)))
    return (
        f"differs in {count:,} of {wanted.size:,} elements, by up to {apart.max():.3g} "
        f"(element {first}: {value.reshape(-1)[first]:.6g} instead of "
        f"{wanted.reshape(-1)[first]:.6g})"
    )


def _attributes(node: onnx.NodeProto) -> dict[str, str]:
    return {attribute.name: _shown(attribute) for attribute in node.attribute}


def _shown(attribute: onnx.AttributeProto) -> str:
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        array = onnx.numpy_helper.to_array(value)
        values = ", ".join(map(str, array.reshape(-1)[:_SHOWN]))
        return f"{array.dtype}{list(array.shape)}: {values}{', …' * (array.size > _SHOWN)}"
    if isinstance(value, onnx.GraphProto):
        return f"a graph of {len(value.node)} nodes"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
