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

    def make(name, *lines, weights=("w",), width=4):
        nodes = []
        for number, line in enumerate(lines):
            read, _, made = line.partition(" > ")
            op_type, *inputs = read.split()
            nodes.append(helper.make_node(op_type, inputs, made.split(), f"node {number}"))
        ends = [
            helper.make_tensor_value_info(each, TensorProto.FLOAT, [2, 4]) for each in ("x", "y")
        ]
        tensors = [
            numpy_helper.from_array(np.arange(width, dtype=np.float32) + place, each)
            for place, each in enumerate(weights)
        ]
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


QUERIES = ("q", "k", "v")


@pytest.mark.parametrize("order", [("k", "q", "v"), ("v", "k", "q"), ("q", "k", "v")])
def test_alike_nodes_are_paired_by_their_constants(values, order):
    """Queries, keys and values are products of one tensor, in whatever order."""
    lines = [f"Mul x {name} > {name}1" for name in QUERIES]
    after = [f"Relu {name}1 > {name}2" for name in QUERIES]
    one = values("one", *lines, *after, "Sum q2 k2 v2 > y", weights=QUERIES)
    lines = [f"Mul x {name} > other/{name}1" for name in order]
    after = [f"Relu other/{name}1 > other/{name}2" for name in order]
    last = "Sum other/q2 other/k2 other/v2 > y"
    other = values("other", *lines, *after, last, weights=QUERIES)

    inner = {f"other/{name}{place}": f"{name}{place}" for name in QUERIES for place in (1, 2)}
    assert paired(one, other) == inner | {"y": "y"}


def test_large_constants_are_compared_in_their_file(values):
    """To compare them loads none of them."""
    lines = [f"Mul x {name} > {name}1" for name in QUERIES]
    one = values("one", *lines, "Sum q1 k1 v1 > y", weights=QUERIES, width=4096)
    lines = [f"Mul x {name} > other/{name}1" for name in QUERIES[::-1]]
    last = "Sum other/q1 other/k1 other/v1 > y"
    other = values("other", *lines, last, weights=QUERIES, width=4096)

    inner = {f"other/{name}1": f"{name}1" for name in QUERIES}
    assert paired(one, other) == inner | {"y": "y"}
    assert not any(
        tensor.raw_data for each in (one, other) for tensor in each.model.graph.initializer
    )


def test_alike_nodes_in_another_order_are_paired_by_their_attributes(values):
    one = values("one", "Elu x > a", "Elu x > b", "Add a b > y")
    other = values("other", "Elu x > p", "Elu x > q", "Add p q > y")
    for opened, alphas in ((one, (0.25, 0.5)), (other, (0.5, 0.25))):
        for node, alpha in zip(opened.model.graph.node, alphas, strict=False):
            node.attribute.append(helper.make_attribute("alpha", alpha))

    assert paired(one, other) == {"p": "b", "q": "a", "y": "y"}


def test_a_node_with_a_fault_takes_no_others_place(values):
    """The first has a constant that is nowhere else: it is what the other two leave over."""
    lines = [f"Mul x {name} > {name}1" for name in QUERIES]
    one = values("one", *lines, "Sum q1 k1 v1 > y", weights=QUERIES)
    lines = [f"Mul x {name} > other/{name}1" for name in ("faulty", "q", "k")]
    last = "Sum other/q1 other/k1 other/faulty1 > y"
    other = values("other", *lines, last, weights=("q", "k", "unused", "faulty"))

    found = paired(one, other)

    assert found == {"other/q1": "q1", "other/k1": "k1", "other/faulty1": "v1", "y": "y"}


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
