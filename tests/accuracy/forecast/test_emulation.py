"""float16 emulated in ONNX Runtime: against numpy's own float16, operator by operator."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.accuracy.forecast.emulation import Emulation
from converter.errors import StageError


@pytest.fixture
def emulate(tmp_path):
    """Returns a function: nodes and initializers -> the emulation of y from x [4]."""

    def make(*nodes, shape=(4,), **weights):
        tensors = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")
        ]
        initializers = [
            numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()
        ]
        graph = helper.make_graph(list(nodes), "g", tensors[:1], tensors[1:], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, tmp_path / "m.onnx")
        return Emulation(tmp_path / "m.onnx", tmp_path)

    return make


def half(array):
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32).astype(np.float16).astype(np.float32)


X = np.array([1 / 3, 1000.7, 1e-9, -70000.0], np.float32)


def test_a_runtime_does_not_take_the_rounding_out(emulate):
    """1/3 is no float16; a pair of casts that an optimiser removes would leave it."""
    model = emulate(helper.make_node("Identity", ["x"], ["y"]))
    made = model.run({"x": X}, ())["y"]
    np.testing.assert_array_equal(made, half(X))
    assert made[0] != X[0] and made[2] == 0 and made[3] == -np.inf
    np.testing.assert_array_equal(model.run({"x": X}, {0})["y"], X)


def test_inputs_weights_and_outputs_are_rounded(emulate):
    w = np.float32(1.001)
    model = emulate(helper.make_node("Mul", ["x", "w"], ["y"], "mul"), w=w)
    made = model.run({"x": X[:3].repeat(2)[:4]}, ())["y"]
    np.testing.assert_array_equal(made, half(half(X[:3].repeat(2)[:4]) * half(w)))
    assert [one.name for one in model.operators] == ["mul"]


def test_what_a_kept_operator_gives_is_rounded_by_its_reader(emulate):
    model = emulate(
        helper.make_node("Mul", ["x", "big"], ["a"], "first"),
        helper.make_node("Div", ["a", "big"], ["y"], "second"),
        big=np.float32(1e4),
    )
    x = np.array([1.0, 2.0, 30.0, 40.0], np.float32)
    assert np.isinf(model.run({"x": x}, ())["y"]).any()
    assert np.isinf(model.run({"x": x}, {0})["y"]).any()  # rounded where the second reads it
    assert np.isinf(model.run({"x": x}, {1})["y"]).any()  # rounded where the first gives it
    np.testing.assert_allclose(model.run({"x": x}, {0, 1})["y"], x, rtol=1e-6)


def test_integers_and_shapes_are_left_alone(emulate):
    model = emulate(
        helper.make_node("Shape", ["x"], ["s"], "shape"),
        helper.make_node("Reshape", ["x", "s"], ["y"], "reshape"),
    )
    assert [one.op_type for one in model.operators] == ["Reshape"]
    np.testing.assert_array_equal(model.run({"x": X}, {0})["y"], X)


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(StageError, match=r"m\.onnx cannot be emulated"):
        Emulation(tmp_path / "m.onnx", tmp_path)


@pytest.mark.parametrize("inner", ["Gelu", "Erf"])
def test_what_follows_an_operator_of_the_runtime_is_rounded(tmp_path, inner):
    """ONNX's inference ends at an operator that it has not; ONNX Runtime's does not."""
    domain = "com.microsoft" if inner == "Gelu" else ""
    nodes = [
        helper.make_node(inner, ["x"], ["a"], "inner", domain=domain),
        helper.make_node("Mul", ["a", "million"], ["b"], "up"),
        helper.make_node("Shape", ["b"], ["s"], "shape"),
        helper.make_node("Reshape", ["b", "s"], ["c"], "reshape"),
        helper.make_node("Mul", ["c", "millionth"], ["y"], "down"),
    ]
    weights = {"million": np.float32(1e6), "millionth": np.float32(1e-6)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    model = Emulation(tmp_path / "m.onnx", tmp_path)
    outputs = {one.name: one.outputs for one in model.operators}
    assert outputs == {"inner": ("a",), "up": ("b",), "reshape": ("c",), "down": ("y",)}
    x = {"x": np.ones(4, np.float32)}
    assert np.isinf(model.run(x, {1})["y"]).all()  # up alone gives what down cannot read
    assert np.isfinite(model.run(x, {1, 2, 3})["y"]).all()


def test_a_file_of_ir_version_3(tmp_path):
    """There every initializer is a graph input, and the rounded weights are none."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [4]), ("w", []), ("y", [4]))
    ]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["y"], "mul")],
        "g",
        values[:2],
        values[2:],
        [numpy_helper.from_array(np.float32(1.001), "w")],
    )
    opsets = [helper.make_opsetid("", 8)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=3), tmp_path / "m.onnx")
    made = Emulation(tmp_path / "m.onnx", tmp_path).run({"x": X}, ())["y"]
    np.testing.assert_array_equal(made, half(half(X) * half(1.001)))
