"""Two models against each other: what they are compared on, and what is said where it is little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter import validate
from converter.accuracy.sides import open_side
from converter.errors import InputError
from converter.model import pir_document
from converter.model.pir_document import parse_pir
from converter.stages.versus import _drawn_by


def save(path: Path, nodes, inputs, outputs, weights=None) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def stage_of(report):
    (model,) = report.models
    return model.stages[0]


def texts(report) -> list[str]:
    return [message.text for message in stage_of(report).messages]


FLOATS = (TensorProto.FLOAT, ["batch", 8])


def root_beside(path: Path, node) -> Path:
    """``y`` of ``node``, and beside it a square root, which is NaN below zero."""
    root = helper.make_node("Sqrt", ["x"], ["z"])
    return save(path, [node, root], {"x": FLOATS}, {"y": FLOATS, "z": FLOATS})


def test_values_that_were_not_compared_make_a_pass_degraded(tmp_path):
    leaky = root_beside(tmp_path / "a.onnx", helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.5))
    relu = root_beside(tmp_path / "b.onnx", helper.make_node("Relu", ["x"], ["y"]))
    report = validate(leaky, relu)
    assert stage_of(report).status == "degraded"
    assert any("inputs outside [0, 1) were not compared" in text for text in texts(report))
    assert validate(leaky, relu, strict=True).exit_code == 1


def table(path: Path, rows: np.ndarray) -> Path:
    nodes = [
        helper.make_node("Cast", ["ids"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "whole"], ["y"]),
    ]
    ids = {"ids": (TensorProto.INT32, ["batch", 8])}
    return save(path, nodes, ids, {"y": (TensorProto.FLOAT, ["batch", 8, 4])}, {"table": rows})


def test_the_whole_of_a_table_is_compared(tmp_path):
    rows = np.random.default_rng(0).standard_normal((1000, 4)).astype(np.float32)
    wrong = rows.copy()
    wrong[8:992] = 0  # all but what -8 to 7 index
    good = table(tmp_path / "a.onnx", rows)
    assert validate(good, table(tmp_path / "b.onnx", wrong)).exit_code == 3
    assert validate(good, table(tmp_path / "c.onnx", rows)).exit_code == 0


def test_a_static_form_is_compared_on_its_own_shape(tmp_path):
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    dynamic = save(tmp_path / "a.onnx", relu, {"x": FLOATS}, {"y": FLOATS})
    static = (TensorProto.FLOAT, [3, 8])
    other = save(tmp_path / "b.onnx", relu, {"x": static}, {"y": static})
    for pair in ((dynamic, other), (other, dynamic)):
        report = validate(*pair)
        assert report.exit_code == 0, texts(report)
        assert {case.input_shapes["x"] for case in stage_of(report).facts.cases} == {(3, 8)}


def test_a_dim_of_minus_one_is_a_dynamic_one(tmp_path):
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    odd = (TensorProto.FLOAT, [-1, 8])
    path = save(tmp_path / "a.onnx", relu, {"x": odd}, {"y": odd})
    report = validate(path, path)
    assert report.exit_code == 0
    assert len({case.input_shapes["x"] for case in stage_of(report).facts.cases}) == 2


def test_outputs_that_are_no_numbers_are_refused(tmp_path):
    texts = (TensorProto.STRING, ["batch"])
    node = helper.make_node("Identity", ["x"], ["y"])
    path = save(tmp_path / "a.onnx", [node], {"x": texts}, {"y": texts})
    report = validate(path, path)
    assert report.exit_code == 2
    np.savez(tmp_path / "a.npz", y=np.array(["a", "b"]))
    np.savez(tmp_path / "b.npz", y=np.array([1 + 2j]))
    for name in ("a.npz", "b.npz"):
        assert validate(tmp_path / name, tmp_path / name).exit_code == 2


def test_records_of_other_inputs_are_refused(tmp_path):
    arrays = np.zeros(3), np.ones(3)
    for name, array in zip("ab", arrays, strict=True):
        np.savez(tmp_path / f"{name}.npz", **{f"input:{name}": array, "output:y": np.arange(3.0)})
    report = validate(tmp_path / "a.npz", tmp_path / "b.npz")
    assert report.exit_code == 2
    assert "recorded other inputs: a, and b" in stage_of(report).error.message
    assert validate(tmp_path / "a.npz", tmp_path / "b.npz", rename={"a": "b"}).exit_code == 2


@pytest.mark.parametrize("name", ["y[1]", "z", "[ab]"])
def test_a_tolerance_of_no_output_is_refused(tmp_path, name):
    np.savez(tmp_path / "a.npz", **{"y[0]": np.arange(3.0)})
    from converter.model.tolerance import ToleranceOverride, check_names

    with pytest.raises(InputError, match="not an output"):
        check_names({name: ToleranceOverride(atol=1.0)}, ["y[0]", "y0"])
    check_names({"y[0]": ToleranceOverride(atol=1.0)}, ["y[0]", "y0"])
    check_names({"y[01]": ToleranceOverride(atol=1.0)}, ["y0"])


def test_a_paddle_program_is_read_once(tiny_pir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def parse(data: bytes, *, source: str) -> object:
        read.append(source)
        return parse_pir(data, source=source)

    monkeypatch.setattr(pir_document, "parse_pir", parse)
    side = open_side(tiny_pir, threads=1)
    assert _drawn_by(side) == ()
    assert len(read) == 1
