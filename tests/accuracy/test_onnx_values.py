"""Values inside an ONNX graph: right, complete, and within the budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.accuracy.onnx_values import OnnxValues
from converter.errors import StageError

SIZE = 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain with a weight, a Constant weight, an If that reads from outside, and an integer."""
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(SIZE, SIZE)).astype(np.float32)
    other = numpy_helper.from_array(generator.normal(size=(SIZE, SIZE)).astype(np.float32))
    body = helper.make_graph(
        [helper.make_node("Neg", ["b"], ["in_body"])],
        "then",
        [],
        [helper.make_empty_tensor_value_info("in_body")],
    )
    same = helper.make_graph(
        [helper.make_node("Identity", ["b"], ["in_other"])],
        "else",
        [],
        [helper.make_empty_tensor_value_info("in_other")],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Constant", [], ["v"], value=other),
        helper.make_node("MatMul", ["a", "v"], ["b"]),
        helper.make_node("ReduceSum", ["b"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["flag"], to=TensorProto.BOOL),
        helper.make_node("If", ["flag"], ["c"], then_branch=body, else_branch=same),
        helper.make_node("ArgMax", ["c"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path_factory.mktemp("values") / "chain.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture
def feed() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(1).normal(size=(3, SIZE)).astype(np.float32)}


def test_values_are_those_of_the_whole_model(model, tmp_path, feed):
    values = OnnxValues(model, tmp_path)
    assert values.names == ("a", "b", "sum", "flag", "c", "y")
    found = dict(values.evaluate(reversed(values.names), feed))
    assert list(found) == list(values.names)  # the order of the graph
    loaded = onnx.load(model)
    weights = [numpy_helper.to_array(loaded.graph.initializer[0])]
    weights.append(numpy_helper.to_array(loaded.graph.node[1].attribute[0].t))
    np.testing.assert_allclose(found["a"], feed["x"] @ weights[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(np.abs(found["c"]), np.abs(found["b"]))
    whole = onnxruntime.InferenceSession(str(model)).run(["y"], feed)[0]
    np.testing.assert_array_equal(found["y"], whole)


def test_tensors_inside_can_be_given(model, tmp_path, feed):
    values = OnnxValues(model, tmp_path)
    given = {"b": np.ones((2, SIZE), np.float32)}
    assert [node.op_type for node in values.nodes_between(given, ["c"])] == [
        "ReduceSum",
        "Cast",
        "If",
    ]
    ((_, c),) = values.evaluate(["c"], given)
    np.testing.assert_array_equal(c, -given["b"])  # the sum is not 0: the first branch


@pytest.mark.parametrize("sizes", [{}, dict.fromkeys(("a", "b", "c"), 3 * SIZE * 4)])
def test_groups_stay_within_the_budget(model, tmp_path, feed, monkeypatch, sizes):
    values = OnnxValues(model, tmp_path)
    groups = []
    run = values._run

    def watched(group, inputs):
        groups.append(group)
        return run(group, inputs)

    monkeypatch.setattr(values, "_run", watched)
    budget = 2 * 3 * SIZE * 4
    found = dict(values.evaluate(["a", "b", "c", "y"], feed, budget=budget, sizes=sizes))
    assert len(found) == 4
    assert len(groups) >= 2
    for group in groups:
        assert len(group) == 1 or sum(found[name].nbytes for name in group) <= budget


def test_weights_are_not_copied_into_each_part(model, tmp_path, feed):
    values = OnnxValues(model, tmp_path)
    assert len(values.part(feed, ["a"]).SerializeToString()) < SIZE * SIZE
    assert (tmp_path / "chain.weights").stat().st_size == 2 * SIZE * SIZE * 4


def test_external_data_is_read_where_it_is(model, tmp_path, feed):
    away = tmp_path / "away"
    away.mkdir()
    onnx.save_model(
        onnx.load(model), away / "large.onnx", save_as_external_data=True, size_threshold=0
    )
    before = {file.name: file.read_bytes() for file in away.iterdir()}
    work = tmp_path / "work"
    work.mkdir()
    found = dict(OnnxValues(away / "large.onnx", work).evaluate(["c"], feed))
    expected = dict(OnnxValues(model, work).evaluate(["c"], feed))
    np.testing.assert_array_equal(found["c"], expected["c"])
    assert {file.name: file.read_bytes() for file in away.iterdir()} == before


def test_what_cannot_be_computed_is_an_error(model, tmp_path):
    values = OnnxValues(model, tmp_path)
    with pytest.raises(StageError, match="cannot compute a"):
        list(values.evaluate(["a"], {"x": np.zeros((3, 5), np.float32)}))
    with pytest.raises(StageError, match="no tensor of the graph"):
        list(values.evaluate(["w"], {}))
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(StageError, match="cannot be read"):
        OnnxValues(tmp_path / "bad.onnx", tmp_path)
