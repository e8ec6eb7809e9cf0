"""``--precision-from``: a forecast's report, what it makes of the options, and what is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.engine.forecast import run_forecast
from converter.engine.precision_from import with_forecast
from converter.errors import InputError
from converter.model.compile_options import CompileOptions
from converter.model.forecast import PrecisionWay
from converter.model.result import RunReport
from converter.model.task import ConvertOptions
from tests.command import paddle2om
from tests.report.report_builders import write_json

SIMULATOR = Path(__file__).parent.parent / "simulators" / "atc_simulator.py"


def save(directory: Path, *nodes: onnx.NodeProto, **weights: object) -> Path:
    import numpy as np

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 8)) for name in "xy")
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()]
    graph = helper.make_graph(list(nodes), "g", [x], [y], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    directory.mkdir(parents=True)
    onnx.save(model, directory / "inference.onnx")
    return directory


def forecast(model: Path, soc: str | None, out: Path) -> Path:
    options = ConvertOptions(compile=CompileOptions(soc=soc))
    write_json(run_forecast(model, out, options), out / "report.json")
    return out


@pytest.fixture(scope="module")
def overflow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model that squares 1000 x and divides it back, and its forecast for Ascend910B4."""
    directory = tmp_path_factory.mktemp("overflow")
    model = save(
        directory / "model",
        helper.make_node("Mul", ["x", "k"], ["a"], "up"),
        helper.make_node("Mul", ["a", "a"], ["b"], "square"),
        helper.make_node("Mul", ["b", "m"], ["y"], "down"),
        k=1e3,
        m=1e-6,
    )
    return model, forecast(model, "Ascend910B4", directory / "forecast")


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A product that overflows: forecasts for a chip that can keep it, and one that cannot."""
    import numpy as np

    directory = tmp_path_factory.mktemp("products")
    model = save(
        directory / "model",
        helper.make_node("MatMul", ["x", "w"], ["a"], "matmul"),
        helper.make_node("Mul", ["a", "s"], ["y"], "scale"),
        w=np.full((8, 8), 3e5),
        s=1e-6,
    )
    can = forecast(model, "Ascend910B4", directory / "can")
    return model, can, forecast(model, "Ascend310P3", directory / "cannot")


def test_the_first_way_of_the_report_becomes_options(overflow):
    _, out = overflow
    for given in (out, out / "report.json"):
        made = with_forecast(CompileOptions(soc="Ascend910B4", precision_from=str(given)))
        assert made.keep_dtype == str(out / "keep_dtype.cfg")
        assert made.precision is None
        assert made.forecast is not None and made.forecast.acceptable
        assert made.forecast.reason.startswith("2 of 3 operators stay in float32")
        assert with_forecast(made) == made


def test_where_float16_is_enough_nothing_is_changed(tmp_path):
    model = save(tmp_path / "model", helper.make_node("Relu", ["x"], ["y"], "relu"))
    out = forecast(model, None, tmp_path / "forecast")
    options = CompileOptions(soc="Ascend310P3", precision_from=str(out))
    made = with_forecast(options)
    assert made.keep_dtype is None and made.precision is None
    assert "float16 everywhere" in made.forecast.reason


def test_a_chip_that_cannot_keep_it_is_refused(products):
    _, can, _ = products
    with pytest.raises(InputError, match=r"keeps matmul \(MatMul\) in float32, which Ascend310P3"):
        with_forecast(CompileOptions(soc="Ascend310P3", precision_from=str(can)))


def with_ways(out: Path, directory: Path, *ways: PrecisionWay) -> Path:
    """A copy of a report that has these ways."""
    report = RunReport.model_validate_json((out / "report.json").read_bytes())
    (model,) = report.models
    facts = model.facts("forecast").model_copy(update={"ways": ways})
    stages = (*model.stages[:-1], model.stages[-1].model_copy(update={"facts": facts}))
    model = model.model_copy(update={"stages": stages})
    path = directory / "report.json"
    path.write_text(report.model_copy(update={"models": (model,)}).model_dump_json())
    return path


def test_everything_in_float32_is_no_way_for_a_chip_that_cannot(overflow, tmp_path):
    """A forecast for no chip in particular has it; the next way is taken, if there is one."""
    origin = PrecisionWay(flags=("--precision", "origin"), file=None, float32=3, max_abs=0)
    path = with_ways(overflow[1], tmp_path, origin)
    options = CompileOptions(soc="Ascend310P3", precision_from=str(path))
    with pytest.raises(
        InputError, match=r"--precision origin, and Ascend310P3 computes"
    ) as refused:
        with_forecast(options)
    assert "--soc Ascend310P3" in refused.value.hint
    assert with_forecast(options.model_copy(update={"soc": "Ascend910B4"})).precision == "origin"

    (tmp_path / "keep.cfg").write_text("square\n")
    keep = PrecisionWay(flags=("--keep-dtype", "keep.cfg"), file="keep.cfg", float32=1, max_abs=0)
    with_ways(overflow[1], tmp_path, origin, keep)
    made = with_forecast(options)
    assert (made.precision, made.keep_dtype) == (None, str(tmp_path / "keep.cfg"))


@pytest.mark.parametrize(
    "flags", [("--precision",), ("--keep-dtype", "a", "b"), ("--soc", "x"), ("--nonsense", "x")]
)
def test_flags_of_a_report_that_compile_does_not_take(overflow, tmp_path, flags):
    (tmp_path / "a").touch()
    way = PrecisionWay(flags=flags, file=None, float32=1, max_abs=0)
    path = with_ways(overflow[1], tmp_path, way)
    with pytest.raises(InputError, match="flags that compile does not take"):
        with_forecast(CompileOptions(soc="Ascend910B4", precision_from=str(path)))


def test_a_forecast_without_hope_warns_and_places_the_onnx_file(products):
    _, _, cannot = products
    made = with_forecast(CompileOptions(soc="Ascend310P3", precision_from=str(cannot)))
    assert not made.forecast.acceptable
    assert "MatMul would have to be in float32" in made.forecast.reason
    assert made.keep_dtype is None and made.precision is None


@pytest.mark.parametrize("flag", ["precision", "keep_dtype", "modify_mixlist"])
def test_flags_that_the_forecast_decides_are_refused_beside_it(overflow, flag):
    value = "origin" if flag == "precision" else "some.cfg"
    options = CompileOptions(soc="Ascend910B4", precision_from=str(overflow[1]), **{flag: value})
    with pytest.raises(InputError, match="beside --precision-from"):
        with_forecast(options)


def test_what_is_no_report_is_told(overflow, tmp_path):
    def refused(path: Path, told: str) -> None:
        with pytest.raises(InputError, match=told) as caught:
            with_forecast(CompileOptions(soc="Ascend910B4", precision_from=str(path)))
        assert "paddle2om forecast" in caught.value.hint

    refused(tmp_path, "No such file")
    (tmp_path / "report.json").write_text("[]")
    refused(tmp_path, "no report of a forecast")
    report = RunReport.model_validate_json((overflow[1] / "report.json").read_bytes())
    other = report.model_copy(update={"models": ()})
    (tmp_path / "report.json").write_text(other.model_dump_json())
    refused(tmp_path, "no report of a forecast")
    (tmp_path / "report.json").write_text(report.model_dump_json())
    refused(tmp_path, "keep_dtype.cfg is not there")


def compile_it(tmp_path: Path, model: Path, *words: object) -> tuple[dict, str]:
    """Compile with the atc simulator: the report, and the command that it got."""
    directory = tmp_path / "bin"
    directory.mkdir(exist_ok=True)
    script = directory / "atc"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
    script.chmod(0o755)
    ended = paddle2om(
        *("compile", model, "--json", "-o", tmp_path / "out", *words),
        limit=120,
        PATH=f"{directory}:{os.environ['PATH']}",
        ATC_SIMULATOR_MODE="faithful",
        ATC_SIMULATOR_CALLS=str(tmp_path / "calls"),
    )
    assert ended.returncode == 0, ended.stderr
    model_report = json.loads(ended.stdout)["models"][0]
    return model_report, " ".join(model_report["stages"][-1]["facts"]["argv"])


def test_compile_follows_it_and_the_placement_says_so(overflow, tmp_path):
    model, out = overflow
    words = ("--soc", "Ascend910B4", "--precision-from", out)
    report, command = compile_it(tmp_path, model, *words)
    assert "--keep_dtype=keep_dtype.cfg" in command
    assert (tmp_path / "out" / "keep_dtype.cfg").read_text() == "square\ndown\n"
    told = [message["text"] for message in report["stages"][-1]["messages"]]
    assert any(text.startswith("2 of 3 operators stay in float32") for text in told)
    assert not any("another ONNX file" in text for text in told)
    assert report["placement"]["backend"] == "om"
    assert any("no chip has shown" in text for text in report["placement"]["cautions"])


def test_a_model_that_needs_float32_is_not_placed_on_that_chip(products, tmp_path):
    model, _, cannot = products
    words = ("--soc", "Ascend310P3", "--precision-from", cannot)
    report, _ = compile_it(tmp_path, model, *words)
    assert report["placement"]["backend"] == "onnx"
    assert report["placement"]["unfit"]
    assert "MatMul would have to be in float32" in report["placement"]["reason"]


def test_a_forecast_of_another_file_is_warned_of(overflow, tmp_path):
    model, out = overflow
    other = onnx.load(model / "inference.onnx")
    other.doc_string = "not the same file"
    (tmp_path / "other").mkdir()
    onnx.save(other, tmp_path / "other" / "inference.onnx")
    words = ("--soc", "Ascend910B4", "--precision-from", out)
    report, _ = compile_it(tmp_path, tmp_path / "other", *words)
    told = [message["text"] for message in report["stages"][-1]["messages"]]
    assert any("another ONNX file" in text for text in told)
