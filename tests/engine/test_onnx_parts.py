"""What differs between two ONNX files, part by part."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.engine.onnx_parts import differing_parts


def made(path, change=lambda model: None):
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"], name="add")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.ones(2, np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)
    helper.set_model_props(model, {"made by": "1"})
    change(model)
    onnx.save(model, path)
    return path


def metadata(model):
    model.metadata_props[0].value = "2"


def weight(model):
    model.graph.initializer[0].raw_data = np.zeros(2, np.float32).tobytes()


def operator(model):
    model.graph.node[0].op_type = "Sub"


def more(model):
    model.graph.node.append(helper.make_node("Neg", ["y"], ["z"]))


def ir_version(model):
    model.ir_version = 8


def opset(model):
    model.opset_import[0].version = 12


def output(model):
    model.graph.output[0].name = "z"


def graph_name(model):
    model.graph.name = "h"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (metadata, "differs in metadata (made by); nodes and weights are equal"),
        (weight, "differs in 1 of 1 initializers (w)"),
        (operator, "differs in 1 of 1 nodes (add)"),
        (more, "differs in the number of nodes, 1 → 2"),
        (ir_version, "differs in ir_version 7 → 8; nodes and weights are equal"),
        (opset, "differs in opset; nodes and weights are equal"),
        (output, "differs in graph outputs; nodes and weights are equal"),
        (graph_name, "the same nodes and weights, written otherwise"),
    ],
)
def test_each_part_is_named(tmp_path, change, told):
    assert differing_parts(made(tmp_path / "a.onnx"), made(tmp_path / "b.onnx", change)) == told


def test_files_that_cannot_be_read_are_left_to_their_digests(tmp_path):
    (tmp_path / "b.onnx").write_bytes(b"\xff not onnx")

    assert differing_parts(made(tmp_path / "a.onnx"), tmp_path / "b.onnx") == ""
