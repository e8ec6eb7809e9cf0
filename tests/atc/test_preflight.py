"""The pre-flight: what is found, how bad it is, and what is said to do; and the rewrites."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.atc import rewrites
from converter.atc.flags import DATA
from converter.atc.preflight import Plan, preflight, registered_opsets
from converter.model.onnx_file import open_session, run
from converter.model.result import Finding
from tests.atc.onnx_models import build, detector
from tests.simulators.atc_screen import TABLES

IMAGE = {"x": [1, 3, 8, 8]}
INT64 = TensorProto.INT64


def one(kind: str, *more: str, outputs=("y",), opset=11, weights=None, domain="", **attributes):
    """A model of one node on an image; ``more`` are further inputs."""
    node = helper.make_node(kind, ["x", *more], list(outputs), "node", domain=domain, **attributes)
    domains = {domain: 1} if domain else None
    return build(
        [node],
        IMAGE,
        dict.fromkeys(filter(None, outputs)),
        opset=opset,
        weights=weights,
        domains=domains,
    )


def found(model: onnx.ModelProto, soc: str = "Ascend910B2", **plan) -> list[Finding]:
    return list(preflight(Plan(model, soc, **plan)))


def test_a_plain_model_has_no_findings():
    assert found(one("Relu")) == []
    assert found(detector()) == []


W = np.ones((3, 3, 2, 2), np.float32)


@pytest.mark.parametrize(
    ("model", "soc", "severity", "subject", "atc", "help_"),
    [
        (one("Relu", opset=19), "Ascend910B2", "error", "opset 19", "E16002", "opset 11"),
        (one("Relu", opset=7), "Ascend910B2", "error", "opset 7", "E16002", "opset 11"),
        (
            one("QuantizeLinear", "s", weights={"s": np.float32(1)}),
            "Ascend910B2",
            "error",
            "QuantizeLinear",
            "no parser for it at opset 11",
            "AMCT",
        ),
        (one("HardSwish", opset=13), "Ascend910B2", "error", "HardSwish", "opset 13", "14 to 18"),
        (
            one("Upsample", "s", opset=10, weights={"s": np.ones(4, np.float32)}),
            "Ascend910B2",
            "error",
            "Upsample",
            "opset 10",
            "8 to 9, 11 to 16",
        ),
        (one("Loop"), "Ascend910B2", "error", "Loop", "no parser", "cut the model off"),
        (
            one("GridSample", "g", opset=16, weights={"g": np.zeros((1, 4, 4, 2), np.float32)}),
            "Ascend310P3",
            "warning",
            "GridSample",
            "EZ3003",
            "ONNX Runtime",
        ),
        (one("NonZero"), "Ascend910B2", "warning", "NonZero", "dynamic OM", "cut the model"),
        (
            one("ConvTranspose", "w", weights={"w": W}),
            "Ascend910B2",
            "error",
            "ConvTranspose",
            "kernel_shape",
            "extents of its weights",
        ),
        (
            one("AveragePool", kernel_shape=[16, 16], pads=[8, 8, 8, 8]),
            "Ascend910B2",
            "warning",
            "AveragePool",
            "slow",
            "ReduceMean",
        ),
        (
            one("MaxPool", outputs=("y", "places"), kernel_shape=[2, 2]),
            "Ascend910B2",
            "error",
            "MaxPool",
            "no indices",
            "replace",
        ),
        (
            one("ArgMax", opset=13, select_last_index=1),
            "Ascend910B2",
            "error",
            "ArgMax",
            "select_last_index",
            "replace",
        ),
        (
            one("Resize", "", "", "size", opset=18, antialias=1, weights={"size": np.ones(4, int)}),
            "Ascend910B2",
            "warning",
            "Resize",
            "antialias",
            "before the model",
        ),
        (
            one("Resize", "", "s", nearest_mode="ceil", weights={"s": np.ones(4, np.float32)}),
            "Ascend910B2",
            "warning",
            "Resize",
            "nearest_mode",
            "compare",
        ),
    ],
)
def test_one_finding(model, soc, severity, subject, atc, help_):
    (finding,) = found(model, soc)
    assert (finding.severity, finding.subject) == (severity, subject)
    assert atc in finding.atc
    assert help_ in finding.help


def test_a_static_shape_is_asked_for_where_there_is_none():
    (static,) = found(one("Loop"))
    node = helper.make_node("Loop", ["x"], ["y"], "node")
    (dynamic,) = found(build([node], {"x": [1, 3, "h", "w"]}, {"y": None}))
    assert dynamic.help.startswith("give a static shape")
    assert "static shape" not in static.help


def test_the_kernel_of_grid_sample_is_there_on_other_chips():
    model = one("GridSample", "g", opset=16, weights={"g": np.zeros((1, 4, 4, 2), np.float32)})
    assert found(model, "Ascend910B2") == []


def test_operators_of_other_domains():
    worst, second = found(one("Strange", domain="com.example"))
    assert "E16005" in worst.atc
    assert second.subject == "com.example::Strange"


def test_shapes_that_are_computed():
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], "shape"),
        helper.make_node("Reshape", ["x", "shape"], ["y"], "same"),
    ]
    model = build(nodes, IMAGE, {"y": None})
    (finding,) = found(model)
    assert (finding.severity, finding.subject, finding.nodes) == ("warning", "Reshape", ("same",))
    assert found(model, profiles=True)[0].severity == "info"


def test_inputs():
    scalar = build([helper.make_node("Neg", ["s"], ["y"], "n")], {"s": []}, {"y": []})
    assert [(f.severity, f.subject) for f in found(scalar)] == [("info", "input s")]
    assert found(scalar, profiles=True)[0].severity == "warning"
    empty = build([helper.make_node("Neg", ["x"], ["y"], "n")], {"x": [1, 0]}, {"y": None})
    assert "0 elements" in found(empty)[0].atc


def test_float32_where_the_chip_has_none():
    (finding,) = found(one("Relu"), "Ascend310P3", precision="origin")
    assert finding.subject == "precision origin"
    assert found(one("Relu"), "Ascend910B2", precision="origin") == []
    assert found(one("Relu"), "Ascend310P3", precision="fp16") == []


@pytest.mark.parametrize(
    ("cann", "opset", "count"), [("6.0", 13, 0), ("6.0", 14, 1), ("8.1.RC1", 16, 1), ("9.2", 18, 0)]
)
def test_the_opsets_that_a_cann_is_documented_for(cann, opset, count):
    assert len(found(one("Relu", opset=opset), cann=cann)) == count


def test_many_nodes_are_counted_and_three_are_named():
    names = "abcde"
    pairs = zip("xabcd", names, strict=True)
    nodes = [helper.make_node("DFT", [a], [b], f"node_{b}") for a, b in pairs]
    (finding,) = found(build(nodes, IMAGE, {"e": None}, opset=18))
    assert (len(finding.nodes), finding.count) == (3, 5)
    assert str(finding).startswith("DFT (node_a, node_b, node_c, ...): atc has no parser")


def test_the_table_and_the_simulators_agree():
    """Two people's reading of the same sources: what the pre-flight forecasts, atc does."""
    table = json.loads((DATA / "operators.json").read_text())["registered"]
    for kind, spans in TABLES["operators"].items():
        assert table.get(kind) == spans, kind
    assert registered_opsets("HardSwish") == ((14, 18),)
    assert registered_opsets("Loop") == ()


def outputs_of(model, tmp_path, inputs):
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "m.onnx")
    return run(open_session(tmp_path / "m.onnx"), inputs)


def test_topk_indices_are_cast(tmp_path):
    model = build(
        [
            helper.make_node("TopK", ["x", "k"], ["values", "indices"], "top", axis=3),
            helper.make_node("Add", ["indices", "one"], ["y"], "next"),
        ],
        IMAGE,
        {"values": [1, 3, 8, 2], "indices": [1, 3, 8, 2], "y": [1, 3, 8, 2]},
        weights={"k": np.array([2], np.int64), "one": np.array(1, np.int64)},
        dtypes={"indices": INT64, "y": INT64},
    )
    assert "E89999" in found(model)[0].atc
    x = {"x": np.random.default_rng(0).random((1, 3, 8, 8), np.float32)}
    before = outputs_of(model, tmp_path, x)

    assert rewrites.cast_topk_indices(model) == ["indices of TopK cast to int64: top"]

    assert [node.op_type for node in model.graph.node] == ["TopK", "Cast", "Add"]
    after = outputs_of(model, tmp_path, x)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert found(model) == []
    assert rewrites.cast_topk_indices(model) == []


def test_kernel_shapes_are_written(tmp_path):
    model = one("ConvTranspose", "w", weights={"w": W}, strides=[2, 2])
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 16, 16])
    )
    x = {"x": np.random.default_rng(0).random((1, 3, 8, 8), np.float32)}
    before = outputs_of(model, tmp_path, x)["y"]
    assert rewrites.write_kernel_shapes(model) == ["kernel_shape written: node"]
    assert np.array_equal(outputs_of(model, tmp_path, x)["y"], before)
    assert found(model) == []
    assert rewrites.write_kernel_shapes(model) == []


def test_only_unused_domains_are_dropped():
    model = one("Relu")
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))
    assert "E16005" in found(model)[0].atc
    assert len(rewrites.drop_domains(model)) == 1
    assert found(model) == []
    used = one("Strange", domain="com.example")
    assert rewrites.drop_domains(used) == []


def test_inputs_are_sorted_and_old_style_weights_stay_behind():
    model = detector(("scale_factor", "image", "im_shape"))
    weight = numpy_helper.from_array(np.zeros(1, np.float32), "a_weight")
    model.graph.initializer.append(weight)
    model.graph.input.insert(0, helper.make_tensor_value_info("a_weight", TensorProto.FLOAT, [1]))
    (change,) = rewrites.sort_inputs(model)
    names = [value.name for value in model.graph.input]
    assert names == ["im_shape", "image", "scale_factor", "a_weight"]
    assert "im_shape, image, scale_factor" in change
    assert rewrites.sort_inputs(model) == []
