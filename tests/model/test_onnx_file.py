"""What an ONNX file says of itself, where that is not what everyone expects."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from converter.errors import InputError
from converter.model.onnx_file import describe_file


def save(path: Path, node: onnx.NodeProto, *outputs: onnx.ValueInfoProto) -> Path:
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph([node], "g", [taken], list(outputs))
    opsets = [helper.make_opsetid("", 19)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


@pytest.mark.parametrize("kind", ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT16", "INT64", "BOOL"])
def test_dtypes_have_their_own_names(kind: str, tmp_path: Path) -> None:
    """The onnx package calls bfloat16 and the 8-bit floats float32."""
    number = TensorProto.DataType.Value(kind)
    made = helper.make_tensor_value_info("y", number, ["n", 4])
    path = save(tmp_path / "m.onnx", helper.make_node("Cast", ["x"], ["y"], to=number), made)
    assert describe_file(path).outputs[0].dtype == kind.lower()


def test_what_is_no_tensor_is_said_to_be_none(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, ["n", 4])
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    with pytest.raises(InputError, match="y is not a tensor but of type sequence") as caught:
        describe_file(save(tmp_path / "m.onnx", node, sequence))
    assert "only models that take and give tensors" in caught.value.hint
    nothing = onnx.ValueInfoProto(name="y")
    with pytest.raises(InputError, match="y is not a tensor but of type nothing"):
        describe_file(save(tmp_path / "m.onnx", helper.make_node("Relu", ["x"], ["y"]), nothing))
