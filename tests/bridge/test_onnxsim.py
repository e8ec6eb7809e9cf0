"""onnxsim in a process of its own, for models with loops."""

import errno
import signal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.bridge import onnxsim
from converter.errors import StageError
from converter.stages.stage import is_lasting

#: Stands in for onnxsim 0.8.1, whose optimiser goes on for ever on some loops.
ENDLESS = """
import os, signal
def simplify(model, perform_optimization, **options):
    if perform_optimization and {killed_by}:
        os.kill(os.getpid(), {killed_by})
    while perform_optimization or {also_folding}:
        pass
    if {broken}:
        raise {broken}("a loop\\nwithout end")
    return {returned}, {valid}
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
def branch(model, tmp_path):
    """The same Loop in a branch of an If."""
    made = onnx.load_model(model)
    value = helper.make_tensor_value_info
    output = value("y", TensorProto.FLOAT, [2])
    same = helper.make_node("Identity", ["x"], ["y"])
    chosen = helper.make_node(
        "If",
        ["c"],
        ["y"],
        then_branch=helper.make_graph(list(made.graph.node), "then", [], [output]),
        else_branch=helper.make_graph([same], "else", [], [output]),
    )
    del made.graph.node[:]
    made.graph.node.append(chosen)
    made.graph.input.append(value("c", TensorProto.BOOL, []))
    onnx.checker.check_model(made)
    onnx.save_model(made, tmp_path / "branch.onnx")
    return tmp_path / "branch.onnx"


@pytest.fixture
def endless(tmp_path, monkeypatch):
    def install(also_folding=False, broken="", valid=True, killed_by=0, returned="model"):
        text = ENDLESS.format(
            also_folding=also_folding,
            broken=broken or None,
            valid=valid,
            killed_by=int(killed_by),
            returned=returned,
        )
        (tmp_path / "packages").mkdir()
        (tmp_path / "packages" / "onnxsim.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))

    return install


def test_model_with_a_loop_is_simplified(model, tmp_path):
    simplified, cut = onnxsim.simplify(model, tmp_path)
    assert [node.op_type for node in simplified.graph.node] == ["Loop"]
    assert cut == ""


def test_optimiser_without_end_leaves_the_folding(model, tmp_path, endless):
    endless()
    simplified, cut = onnxsim.simplify(model, tmp_path, limit=2)
    assert simplified == onnx.load_model(model)
    assert cut == "did not end within 2 s of processor time"


def test_model_with_a_loop_is_made_static(model, tmp_path):
    made = onnx.load_model(model)
    made.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "k"
    onnx.save_model(made, model)
    simplified, _ = onnxsim.simplify(model, tmp_path, model=made, shapes={"x": (2,), "n": ()})
    assert simplified.graph.input[1].type.tensor_type.shape.dim[0].dim_value == 2


def test_a_loop_in_a_branch_has_a_limit_too(branch, tmp_path, endless):
    endless()
    simplified, cut = onnxsim.simplify(branch, tmp_path, limit=2)
    assert simplified == onnx.load_model(branch)
    assert cut == "did not end within 2 s of processor time"


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGSEGV, "was killed by SIGSEGV"), (signal.SIGKILL, "was killed by ")],
)
def test_a_crash_of_the_optimiser_leaves_the_folding(model, tmp_path, endless, number, words):
    endless(killed_by=number)
    simplified = onnxsim.simplify(model, tmp_path, limit=2)
    assert simplified.model == onnx.load_model(model)
    assert simplified.cut.startswith(words)


def test_no_end_at_all_is_an_error(model, tmp_path, endless):
    endless(also_folding=True)
    with pytest.raises(StageError, match="did not end within 2 s of processor time") as raised:
        onnxsim.simplify(model, tmp_path, limit=2)
    assert raised.value.hint == "the model works without it"
    assert not is_lasting(raised.value)


def test_a_process_that_cannot_be_started_is_an_error(model, tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise BlockingIOError(errno.EAGAIN, "too many")

    monkeypatch.setattr(onnxsim.subprocess, "run", refuse)
    with pytest.raises(StageError, match="could not be started: Resource temp") as raised:
        onnxsim.simplify(model, tmp_path)
    assert "ulimit -u" in raised.value.hint
    assert not is_lasting(raised.value)


@pytest.mark.parametrize(
    ("options", "words", "lasting"),
    [
        ({"broken": "ValueError"}, "onnxsim failed: a loop", True),
        ({"valid": False}, "onnxsim's result is invalid", True),
        ({"broken": "MemoryError"}, "onnxsim failed: a loop", False),
        # An exception that nobody expects: its last line, not "Traceback (most recent call last)".
        ({"returned": "None"}, "AttributeError: ", False),
    ],
)
def test_what_the_process_says_is_told(model, tmp_path, endless, options, words, lasting):
    endless(**options)
    with pytest.raises(StageError) as raised:
        onnxsim.simplify(model, tmp_path, limit=2)
    assert raised.value.message.startswith(words)
    assert is_lasting(raised.value) is lasting
