"""Output names and dims of the ONNX graph become Paddle's, everywhere they are used."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.bridge.signature import name_signature, rename_signature
from converter.errors import InputError, StageError
from converter.model.tensor import TensorSpec
from converter.stages.export import _as_computed, _extents_agree

X = TensorSpec(name="x", dtype="float32", shape=("batch", 3))


def spec(name: str) -> TensorSpec:
    return TensorSpec(name=name, dtype="float32", shape=(f"{name}_axis0", 3))


def graph_of(*nodes: onnx.NodeProto, outputs: list[str]) -> onnx.ModelProto:
    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["DynamicDimension.7", 3])

    graph = helper.make_graph(list(nodes), "g", [value("x")], [value(output) for output in outputs])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])


def test_outputs_and_dims_get_paddles_names():
    model = graph_of(
        helper.make_node("Relu", ["x"], ["fetch_name_0"]),
        helper.make_node("Neg", ["fetch_name_0"], ["fetch_name_1"]),
        outputs=["fetch_name_0", "fetch_name_1"],
    )

    name_signature(model, (X,), (spec("relu_0.tmp_0"), spec("neg_0.tmp_0")))

    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.output] == ["relu_0.tmp_0", "neg_0.tmp_0"]
    assert model.graph.node[1].input[0] == "relu_0.tmp_0"
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "relu_0.tmp_0_axis0"


def test_an_inner_value_makes_way_for_the_name_of_an_output():
    model = graph_of(
        helper.make_node("Relu", ["x"], ["inner"]),
        helper.make_node("Neg", ["inner"], ["fetch_name_0"]),
        outputs=["fetch_name_0"],
    )

    name_signature(model, (X,), (spec("inner"),))

    onnx.checker.check_model(model, full_check=True)
    assert model.graph.output[0].name == "inner"
    assert model.graph.node[1].output[0] == "inner"
    assert model.graph.node[0].output[0] == model.graph.node[1].input[0] == "inner.inner"


def test_a_lost_output_is_an_error():
    model = graph_of(helper.make_node("Relu", ["x"], ["y"]), outputs=["y"])

    with pytest.raises(StageError, match="1 outputs, the Paddle program 2"):
        name_signature(model, (X,), (spec("a"), spec("b")))


def test_the_batches_of_two_inputs_are_two_dims():
    other = TensorSpec(name="z", dtype="float32", shape=("batch", 3))
    node = helper.make_node("MatMul", ["x", "z"], ["y"])
    model = graph_of(node, outputs=["y"])
    model.graph.input.append(
        helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["DynamicDimension.1", 3])
    )

    name_signature(model, (X, other), (spec("y"),))

    dims = [value.type.tensor_type.shape.dim[0].dim_param for value in model.graph.input]
    assert dims == ["batch", "z_batch"]


def test_a_new_name_that_a_parameter_has_is_refused():
    model = graph_of(helper.make_node("Mul", ["x", "w"], ["y"]), outputs=["y"])
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [], [2.0]))
    with pytest.raises(InputError, match="a parameter of the model is called w"):
        rename_signature(model, {"y": "w"}, ["x"])
    assert model.graph.output[0].name == "y"


@pytest.mark.parametrize(
    ("want", "have", "inputs", "outputs"),
    [
        ((1, 3), (1, 3), True, True),
        ((1, 3), (1, 4), False, False),
        (("batch", 3), ("n", 3), True, True),
        (("batch", 3), (1, 3), False, True),
        ((1, 3), ("n", 3), False, True),
    ],
)
def test_extents_of_a_signature(want, have, inputs, outputs):
    specs = [TensorSpec(name="x", dtype="float32", shape=shape) for shape in (want, have)]
    assert _extents_agree(*specs, exactly=True) is inputs
    assert _extents_agree(*specs, exactly=False) is outputs


def test_outputs_that_paddle_declares_wrongly_are_what_it_computes():
    outputs = {"n": np.zeros((3, 2), "int64"), "y": np.zeros((1, 3), "float32")}
    reference = SimpleNamespace(first=lambda count: [SimpleNamespace(outputs=outputs)] * count)
    declared = (
        TensorSpec(name="n", dtype="float32", shape=(12,)),
        TensorSpec(name="y", dtype="float32", shape=("batch", 3)),
    )
    wrong, right = _as_computed(SimpleNamespace(reference=reference), declared)
    assert (wrong.dtype, wrong.shape) == ("int64", ("n_axis0", "n_axis1"))
    assert right == declared[1]
