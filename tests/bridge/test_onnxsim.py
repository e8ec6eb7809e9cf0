"""onnxsim in a process of its own, for models with loops."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.bridge import onnxsim
from converter.errors import StageError

#: Stands in for onnxsim 0.8.1, whose optimiser goes on for ever on some loops.
ENDLESS = """
import os, signal
def simplify(model, perform_optimization):
    while perform_optimization or {also_folding}:
        pass
    if {broken}:
        raise ValueError("a loop\\nwithout end")
    return model, {valid}
"""


@pytest.fixture
def model(tmp_path):
    """``y`` grows by 1 + 2 in every round of a Loop."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Add", ["before", "three"], ["after"]),
            helper.make_node("Identity", ["c"], ["again"]),
        ],
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("c", TensorProto.BOOL, []),
            value("before", TensorProto.FLOAT, [2]),
        ],
        [value("again", TensorProto.BOOL, []), value("after", TensorProto.FLOAT, [2])],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["one", "two"], ["three"]),
            helper.make_node("Loop", ["n", "", "x"], ["y"], body=body),
        ],
        "graph",
        [value("n", TensorProto.INT64, []), value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.float32([n]), name) for n, name in ((1, "one"), (2, "two"))],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.save_model(made, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.fixture
def endless(tmp_path, monkeypatch):
    def install(also_folding=False, broken=False, valid=True):
        text = ENDLESS.format(also_folding=also_folding, broken=broken, valid=valid)
        (tmp_path / "packages").mkdir()
        (tmp_path / "packages" / "onnxsim.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))

    return install


def test_model_with_a_loop_is_simplified(model, tmp_path):
    simplified = onnxsim.simplify(model, tmp_path)
    assert [node.op_type for node in simplified.graph.node] == ["Loop"]


def test_optimiser_without_end_leaves_the_folding(model, tmp_path, endless):
    endless()
    assert onnxsim.simplify(model, tmp_path, limit=2) == onnx.load_model(model)


def test_no_end_at_all_is_an_error(model, tmp_path, endless):
    endless(also_folding=True)
    with pytest.raises(StageError, match="did not end within 2 s of processor time") as raised:
        onnxsim.simplify(model, tmp_path, limit=2)
    assert raised.value.hint == "the model works without it"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"broken": True}, "onnxsim failed: a loop"), ({"valid": False}, "result is invalid")],
)
def test_what_the_process_says_is_told(model, tmp_path, endless, options, words):
    endless(**options)
    with pytest.raises(StageError, match=words):
        onnxsim.simplify(model, tmp_path, limit=2)
