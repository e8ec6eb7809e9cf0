"""A node is held against the one that belongs in its place."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.accuracy.locate.causes import find_causes
from converter.accuracy.onnx_values import OnnxValues


def values(tmp_path, name: str, nodes, constants) -> OnnxValues:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 2]) for n in ("x", "y")],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path = tmp_path / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return OnnxValues(path, tmp_path / name)


WEIGHT = np.arange(64, dtype=np.float32).reshape(2, 32)
GOOD = [
    helper.make_node("Sub", ["x", "y"], ["a"]),
    helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.1),
    helper.make_node("Identity", ["w"], ["copy"]),
    helper.make_node("MatMul", ["b", "copy"], ["out"]),
]


@pytest.mark.parametrize(
    ("place", "node", "weight", "cause"),
    [
        (0, helper.make_node("Sub", ["y", "x"], ["a"]), WEIGHT, "swapped: (y, x) instead of"),
        (0, helper.make_node("Add", ["x", "y"], ["a"]), WEIGHT, "is Add, and Sub belongs there"),
        (0, helper.make_node("Sub", ["x", "x"], ["a"]), WEIGHT, "input 1 is x instead of y"),
        (
            1,
            helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.2),
            WEIGHT,
            "alpha is 0.2 instead of 0.1",
        ),
        (1, helper.make_node("LeakyRelu", ["a"], ["b"]), WEIGHT, "alpha is not set instead of"),
        # Without the copy, as simplified files are.
        (
            3,
            helper.make_node("MatMul", ["b", "w"], ["out"]),
            WEIGHT * 2,
            "w (input 1) differs in 63",
        ),
    ],
)
def test_what_differs_is_told(tmp_path, place, node, weight, cause):
    expected = values(tmp_path, "expected", GOOD, {"w": WEIGHT})
    nodes = [node if i == place else other for i, other in enumerate(GOOD)]
    candidate = values(tmp_path, "candidate", nodes, {"w": weight})
    found, causes = find_causes(list(candidate.model.graph.node), candidate, expected)
    assert found is not None
    assert found.output[0] == node.output[0]
    assert cause in causes[0]


RENAMED = [
    helper.make_node("Sub", ["y", "x"], ["other/a"]),
    helper.make_node("LeakyRelu", ["other/a"], ["other/b"], alpha=0.1),
    helper.make_node("MatMul", ["other/b", "other/w"], ["out"]),
]
NAMES = {"y": "x", "x": "y", "other/a": "a", "other/b": "b", "out": "out"}


@pytest.mark.parametrize(
    ("place", "node", "cause"),
    [
        (0, helper.make_node("Sub", ["x", "y"], ["other/a"]), "inputs: swapped: (x, y)"),
        (
            1,
            helper.make_node("LeakyRelu", ["other/a"], ["other/b"], alpha=0.2),
            "alpha is 0.2 instead of 0.1",
        ),
        (2, helper.make_node("MatMul", ["other/a", "other/w"], ["out"]), "other/a instead of b"),
        (2, helper.make_node("MatMul", ["unknown", "other/w"], ["out"]), None),
        (None, None, None),
    ],
)
def test_other_names_are_no_cause(tmp_path, place, node, cause):
    """Nor is a tensor of which nothing is known but that it has another name."""
    expected = values(tmp_path, "expected", GOOD, {"w": WEIGHT})
    nodes = [node if i == place else other for i, other in enumerate(RENAMED)]
    candidate = values(tmp_path, "candidate", nodes, {"other/w": WEIGHT})
    found, causes = find_causes(list(candidate.model.graph.node), candidate, expected, NAMES)
    if cause is None:
        assert (found, causes) == (None, ())
    else:
        assert found.output[0] == node.output[0]
        assert cause in causes[0]


def test_equal_graphs_and_rounding_in_folded_weights_are_no_cause(tmp_path):
    expected = values(tmp_path, "expected", GOOD, {"w": WEIGHT})
    rounded = WEIGHT * np.float32(1 + 1e-7)
    candidate = values(tmp_path, "candidate", GOOD, {"w": rounded})
    assert find_causes(list(candidate.model.graph.node), candidate, expected) == (None, ())
