"""The forecast on models whose answer is known: which operators float16 breaks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.atc.config_files import check_config_file
from converter.atc.precision_files import customize_dtypes_text, modify_mixlist_text
from converter.engine.forecast import run_forecast
from converter.errors import InputError
from converter.model.compile_options import CompileOptions
from converter.model.forecast import ForecastFacts
from converter.model.task import ConvertOptions
from tests.command import paddle2om


@pytest.fixture
def save(tmp_path):
    """Returns a function that writes a model of y [2, 8] from x [2, 8]."""

    def write(*nodes, opset=13, **weights):
        tensors = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 8)) for name in ("x", "y")
        ]
        initializers = [
            numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()
        ]
        graph = helper.make_graph(list(nodes), "g", tensors[:1], tensors[1:], initializers)
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        path = tmp_path / "model" / "inference.onnx"
        path.parent.mkdir(exist_ok=True)
        onnx.save(model, path)
        return path

    return write


def node(op_type, inputs, outputs, name, **attributes):
    return helper.make_node(op_type, inputs.split(), outputs.split(), name, **attributes)


def forecast(path, soc=None, out=None):
    options = ConvertOptions(compile=CompileOptions(soc=soc))
    report = run_forecast(path, out, options)
    stage = report.models[0].stages[-1]
    assert isinstance(stage.facts, ForecastFacts), stage.error
    return report, stage.facts


#: x * 1e3 squared overflows; the mean of the squares is divided back by the same.
OVERFLOW = [
    node("Relu", "x", "a", "before"),
    node("Mul", "a thousand", "b", "scale up"),
    node("Mul", "b b", "c", "square"),
    node("Mul", "c millionth", "d", "scale down"),
    node("Add", "d x", "y", "after"),
]
WEIGHTS = {"thousand": np.float32(1e3), "millionth": np.float32(1e-6)}


def test_nothing_is_needed(save):
    path = save(node("Relu", "x", "a", "relu"), node("Add", "a x", "y", "add"))
    report, facts = forecast(path)
    assert report.exit_code == 0
    assert facts.passed and facts.keep == () and facts.flags == () and facts.files == ()


def test_exactly_the_operators_that_overflow(save, tmp_path):
    report, facts = forecast(save(*OVERFLOW, **WEIGHTS), out=tmp_path / "out")
    assert report.exit_code == 0
    assert not facts.passed
    # The square overflows where it is made and where it is read.
    assert facts.keep == ("square", "scale down")
    assert facts.kept_cases and all(case.passed for case in facts.kept_cases)
    over = {one.name for one in facts.operators if one.overflow}
    assert over == {"square"}
    file = tmp_path / "out" / "keep_dtype.cfg"
    assert file.read_text() == "square\nscale down\n"
    named = {one.name: one.op_type for one in facts.operators}
    assert check_config_file("keep_dtype", file, named) == facts.keep


def test_every_way_to_compile_it_is_one_that_passes(save, tmp_path):
    path, out = save(*OVERFLOW, **WEIGHTS), tmp_path / "out"
    _, facts = forecast(path, "Ascend910B4", out)

    assert [way.flags for way in facts.ways] == [
        ("--keep-dtype", "keep_dtype.cfg"),
        ("--customize-dtypes", "customize_dtypes.cfg"),
        ("--precision", "mixed_float16", "--modify-mixlist", "modify_mixlist.json"),
        ("--precision", "origin"),
    ]
    # A mixlist names types: the third Mul stays in float32 too.
    assert [way.float32 for way in facts.ways] == [2, 2, 3, 5]
    assert facts.ways[0].max_abs == max(o.max_abs for c in facts.kept_cases for o in c.outputs)
    assert facts.ways[2].max_abs > 0 == facts.ways[3].max_abs
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    named = {one.name: one.op_type for one in facts.operators}
    for way in facts.ways[:3]:
        flag = way.flags[-2].removeprefix("--").replace("-", "_")
        found = check_config_file(flag, out / way.file, named)
        assert found == (() if flag == "modify_mixlist" else facts.keep)
    assert (out / "customize_dtypes.cfg").read_text() == (
        "square::InputDtype:float32,float32,OutputDtype:float32\n"
        "scale down::InputDtype:float32,float32,OutputDtype:float32\n"
    )
    assert json.loads((out / "modify_mixlist.json").read_text()) == {
        "black-list": {"to-add": ["Mul"], "to-remove": []}
    }


def test_what_a_chip_cannot_do_is_no_way(save, tmp_path):
    _, facts = forecast(save(*OVERFLOW, **WEIGHTS), "Ascend310P3", tmp_path / "first")
    assert all("origin" not in way.flags for way in facts.ways)
    _, facts = forecast(save(*OVERFLOW, **WEIGHTS))
    assert "origin" in facts.ways[-1].flags  # of no known chip


def test_a_mixlist_is_not_made_of_types_whose_name_in_atc_is_not_known():
    assert modify_mixlist_text(["Div", "Softmax", "Exp", "Exp"]).count('"') == 2 * 6
    assert modify_mixlist_text(["Exp", "LayerNormalization"]) is None


def test_dtypes_that_are_not_known_are_not_guessed():
    rows = [("gather", ["float32", "int64"], ["float32"]), ("wide", ["float64"], ["bool"])]
    assert customize_dtypes_text(rows) == (
        "gather::InputDtype:float32,int64,OutputDtype:float32\n"
        "wide::InputDtype:double,OutputDtype:bool\n"
    )
    assert customize_dtypes_text([("odd", ["float32", ""], ["float32"])]) is None


def test_an_epsilon_that_becomes_zero(save):
    """x / (x*0 + 1e-9): in float16 the divisor is 0."""
    path = save(
        node("Mul", "x zero", "a", "nothing"),
        node("Add", "a epsilon", "b", "add epsilon"),
        node("Mul", "x epsilon", "c", "small"),
        node("Div", "c b", "y", "divide"),
        zero=np.float32(0),
        epsilon=np.float32(1e-9),
    )
    _, facts = forecast(path)
    assert facts.keep == ("add epsilon", "small", "divide")
    under = {one.name for one in facts.operators if one.underflow}
    assert {"add epsilon", "small"} <= under


def test_a_chip_that_cannot_keep_what_would_have_to_be(save, tmp_path):
    path = save(
        node("MatMul", "x w", "a", "matmul"),
        node("Mul", "a small", "y", "scale"),
        w=np.full((8, 8), 3e5, np.float32),
        small=np.float32(1e-6),
    )
    report, facts = forecast(path)
    assert report.exit_code == 0 and facts.keep == ("matmul", "scale")
    report, facts = forecast(path, "Ascend910B2")
    assert report.exit_code == 0 and facts.unkeepable == ()
    report, facts = forecast(path, "Ascend310P3", tmp_path / "out")
    assert report.exit_code == 3
    assert facts.keep is None and facts.unkeepable == ("MatMul",)
    assert facts.flags == ()  # no way to compile it for this chip was found
    assert "MatMul of Ascend310P3 cannot" in report.models[0].stages[-1].error.message
    assert not (tmp_path / "out" / "keep_dtype.cfg").exists()


def test_operators_without_names_cannot_be_kept_one_by_one(save):
    nodes = [node(n.op_type, " ".join(n.input), n.output[0], "") for n in OVERFLOW]
    path = save(*nodes, **WEIGHTS)
    report, facts = forecast(path)
    assert report.exit_code == 0
    assert facts.keep == ("c", "d") and facts.unnamed == 2
    assert facts.files == ("modify_mixlist.json",)
    assert [way.flags[1] for way in facts.ways] == ["mixed_float16", "origin"]
    ways = forecast(path, "Ascend310P3")[1].ways
    assert [way.flags[1] for way in ways] == ["mixed_float16"]


def test_a_model_that_says_nothing_passes_nothing(save):
    path = save(node("Sub", "x x", "a", "none"), node("Div", "a a", "y", "nan"))
    report, facts = forecast(path)
    assert facts.passed
    assert report.exit_code == 3
    assert "NaN everywhere in every case" in report.models[0].stages[-1].error.message


def test_a_model_that_says_little_is_a_doubt(save):
    path = save(node("Mul", "x tiny", "y", "tiny"), tiny=np.float32(1e-7))
    report, facts = forecast(path)
    assert facts.passed and report.exit_code == 0
    assert "proves little" in report.models[0].stages[-1].messages[0].text


def test_outputs_that_are_no_numbers_are_the_users_mistake(tmp_path):
    """The gate would say that they fail in float16."""
    nodes = [node("Relu", "x", "y", "relu"), node("Identity", "words", "z", "copy")]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 8]),
            helper.make_tensor_value_info("z", TensorProto.STRING, [1]),
        ],
        [helper.make_tensor("words", TensorProto.STRING, [1], [b"word"])],
    )
    path = tmp_path / "words.onnx"
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    report = run_forecast(path, None, ConvertOptions())
    assert report.exit_code == 2
    assert "z is of dtype object" in report.models[0].stages[-1].error.message


def test_a_paddle_model_is_converted_first(tiny_pir):
    report, facts = forecast(tiny_pir)
    assert [stage.stage for stage in report.models[0].stages] == [
        "inspect", "export", "simplify", "forecast"
    ]  # fmt: skip
    assert facts.operators and facts.cases


def test_the_command(save, tmp_path):
    path = save(*OVERFLOW, **WEIGHTS)
    ended = paddle2om("forecast", path.parent, "-o", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert "with 2 operators in float32 it passes" in ended.stdout
    assert f"compile with: --keep-dtype {tmp_path}/out/keep_dtype.cfg (2 of 5" in ended.stdout
    assert json.loads((tmp_path / "out" / "report.json").read_text())["exit_code"] == 0
    assert {p.name for p in Path(path.parent).iterdir()} == {"inference.onnx"}
    ended = paddle2om("forecast", path.parent, "-o", tmp_path / "out")  # its own report is replaced
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "keep_dtype.cfg").is_file()
    ended = paddle2om("forecast", tmp_path / "missing")
    assert ended.returncode == 2
    assert "missing is not a file or a directory" in ended.stderr
    assert "hint: " in ended.stderr


def test_what_is_wrong_is_told_first(save, tmp_path):
    path = save(*OVERFLOW, **WEIGHTS)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file, and results go into a directory"):
        forecast(path, out=tmp_path / "file")
    with pytest.raises(InputError, match="a family of chips"):
        forecast(path, "Ascend310P")
