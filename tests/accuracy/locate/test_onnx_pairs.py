"""Which tensors of two ONNX files are taken for each other."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.accuracy.locate.onnx_pairs import onnx_pairs
from converter.accuracy.onnx_values import OnnxValues


@pytest.fixture
def values(tmp_path):
    """Returns a function that makes a file of nodes ("Add a b > c") from x to y, and opens it."""

    def make(name, *lines, weights=("w",), width=4, **constants):
        nodes = []
        for number, line in enumerate(lines):
            read, _, made = line.partition(" > ")
            op_type, *inputs = read.split()
            nodes.append(helper.make_node(op_type, inputs, made.split(), f"node {number}"))
        ends = [
            helper.make_tensor_value_info(each, TensorProto.FLOAT, [2, 4]) for each in ("x", "y")
        ]
        tensors = [numpy_helper.from_array(np.ones(width, np.float32), each) for each in weights]
        tensors += [numpy_helper.from_array(array, each) for each, array in constants.items()]
        graph = helper.make_graph(nodes, name, ends[:1], ends[1:], tensors)
        opset = helper.make_opsetid("", 13)
        path = tmp_path / f"{name}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
        (tmp_path / name).mkdir()
        return OnnxValues(path, tmp_path / name)

    return make


SAME = ({"x": "x"}, {"y": "y"})


def paired(reference, candidate, inputs=SAME[0], outputs=SAME[1]):
    return {pair.tensor: pair.key for pair in onnx_pairs(reference, candidate, inputs, outputs)}


def test_one_name_is_one_tensor(values):
    one = values("one", "Relu x > a", "Add a w > y")
    other = values("other", "Relu x > a", "Sub a w > y")

    pairs = onnx_pairs(one, other, *SAME)

    assert [(pair.tensor, pair.key) for pair in pairs] == [("a", "a"), ("y", "y")]
    assert [pair.operator for pair in pairs] == ["Relu", "Add"]  # what the reference has there
    assert pairs[1].parameters == ("w",)
    assert pairs[1].location == "node 1"


def test_other_names_are_paired_by_what_makes_them(values):
    one = values("one", "Relu x > a", "Exp a > b", "Add b w > y")
    other = values("other", "Relu x > p", "Exp p > q", "Add q w > y")

    assert paired(one, other) == {"p": "a", "q": "b", "y": "y"}


def test_alike_nodes_are_paired_in_order(values):
    one = values("one", "Relu x > a", "Relu x > b", "Add a b > y")
    other = values("other", "Relu x > p", "Relu x > q", "Add p q > y")

    assert paired(one, other) == {"p": "a", "q": "b", "y": "y"}


@pytest.mark.parametrize("size", [4, 4096])
def test_alike_nodes_in_another_order_are_paired_by_their_constants(values, size):
    """Constants of 1 KiB and more are in a file."""
    wq, wk, wv, wrong = (np.arange(size, dtype=np.float32) + start for start in range(4))
    one = values(
        "one", "Add x k > a", "Add x q > b", "Add x v > c", "Sum a b c > y", k=wk, q=wq, v=wv
    )
    lines = ("Add x 1 > p", "Add x 2 > q", "Add x 3 > r", "Sum p q r > y")
    other = values("other", *lines, **{"1": wv, "2": wk, "3": wq})
    assert paired(one, other) == {"p": "c", "q": "a", "r": "b", "y": "y"}

    # The one whose constant is wrong takes none that another one is waiting for.
    faulty = values("faulty", *lines, **{"1": wrong, "2": wk, "3": wq})
    assert paired(one, faulty) == {"p": "c", "q": "a", "r": "b", "y": "y"}


def test_alike_nodes_in_another_order_are_paired_by_their_attributes(values, tmp_path):
    one = values("one", "Elu x > a", "Elu x > b", "Add a b > y")
    other = values("other", "Elu x > p", "Elu x > q", "Add p q > y")
    for opened, alphas in ((one, (0.25, 0.5)), (other, (0.5, 0.25))):
        for node, alpha in zip(opened.model.graph.node, alphas, strict=False):
            node.attribute.append(helper.make_attribute("alpha", alpha))

    assert paired(one, other) == {"p": "b", "q": "a", "y": "y"}


def test_another_operator_or_constant_is_no_pair(values):
    one = values("one", "Relu x > a", "Add a w > b", "Relu b > y")
    operator = values("operator", "Tanh x > p", "Add p w > q", "Relu q > y")
    constant = values("constant", "Relu x > p", "Add p w > q", "Relu q > y", width=1)

    # What reads an unpaired tensor cannot be paired either.
    assert paired(one, operator) == {"y": "y"}
    assert paired(one, constant) == {"p": "a", "y": "y"}


def test_inputs_and_outputs_may_be_called_otherwise(values, tmp_path):
    one = values("one", "Relu x > a", "Exp a > y")
    model = onnx.load(tmp_path / "one.onnx")
    names = {"x": "image", "a": "inner", "y": "scores"}
    for node in model.graph.node:
        for side in (node.input, node.output):
            side[:] = [names[name] for name in side]
    model.graph.input[0].name, model.graph.output[0].name = "image", "scores"
    onnx.save(model, tmp_path / "renamed.onnx")
    renamed = OnnxValues(tmp_path / "renamed.onnx", tmp_path / "one")

    found = paired(one, renamed, {"image": "x"}, {"scores": "y"})

    assert found == {"inner": "a", "scores": "y"}
