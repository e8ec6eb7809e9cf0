from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from converter.cli.render import parse_choices, parse_sizes, render_command
from converter.errors import InputError
from converter.paddlex.base import installed_paddlex

MakeModel = Callable[..., Path]

app = typer.Typer()
app.command()(render_command)


@pytest.fixture
def models(make_model: MakeModel, tmp_path: Path) -> Path:
    for name, kind, shape in (
        ("PP-OCRv5_mobile_det", "det", "x:1,3,736,736"),
        ("PP-OCRv5_mobile_rec", "rec", None),
    ):
        make_model(name, kind, files=("inference.onnx", "inference.om"), om_input_shape=shape)
    return tmp_path / "models"


def test_stdout_is_the_path_and_notes_go_to_stderr(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "ocr.yaml"
    result = CliRunner().invoke(app, ["OCR", "--models", str(models), "-o", str(out)])
    assert result.exit_code == 0
    assert result.stdout == f"{out}\n"
    # PaddleX 3.7 has newer models in its config; without PaddleX, ours has these.
    installed = installed_paddlex() is not None
    instead = {
        kind: f", instead of PP-OCRv6_medium_{kind}" if installed else "" for kind in ("det", "rec")
    }
    assert {tuple(line.split(maxsplit=1)) for line in result.stderr.splitlines()} == {
        ("DocPreprocessor.DocOrientationClassify", "off: no model"),
        ("DocPreprocessor.DocUnwarping", "off: no model"),
        ("TextDetection", "PP-OCRv5_mobile_det  onnx on cpu" + instead["det"]),
        ("TextLineOrientation", "off: no model"),
        ("TextRecognition", "PP-OCRv5_mobile_rec  onnx on cpu" + instead["rec"]),
    }
    config = yaml.safe_load(out.read_text())
    assert not config["use_doc_preprocessor"] and not config["use_textline_orientation"]
    modules = config["SubModules"]
    for name in ("TextDetection", "TextRecognition"):
        assert modules[name]["engine"] == "onnxruntime"


def test_json_and_om(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "ocr.yaml"
    arguments = ["OCR", "--models", str(models), "-o", str(out), "--backend", "om", "--json"]
    arguments += ["--device", "npu:2", "--shape", "TextRecognition=3,48,640"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    written = json.loads(result.stdout)
    assert (written["config"], written["backend"]) == (str(out), "om")
    assert "see --shape" not in result.stderr  # both shapes were checked
    modules = yaml.safe_load(out.read_text())["SubModules"]
    assert modules["TextDetection"]["input_shape"] == [3, 736, 736]
    module = modules["TextRecognition"]
    assert module["input_shape"] == [3, 48, 640]
    assert module["hpi_config"]["device_id"] == 2


def test_someone_elses_file_stays(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "ocr.yaml"
    out.write_text("mine: true\n")
    arguments = ["OCR", "--models", str(models), "-o", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert out.read_text() == "mine: true\n"
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0


@pytest.mark.parametrize("text", ["TextDetection", "=x", "TextDetection="])
def test_malformed_choices(text: str) -> None:
    with pytest.raises(InputError, match="is not MODULE=VALUE"):
        parse_choices([text], "--use", "A=B")


def test_contradicting_choices() -> None:
    with pytest.raises(InputError, match="names A twice"):
        parse_choices(["A=1", "A=2"], "--use", "A=B")


@pytest.mark.parametrize("text", ["A=3", "A=3,48", "A=1,3,48,320", "A=3,48,x"])
def test_malformed_sizes(text: str) -> None:
    with pytest.raises(InputError, match="is not three numbers"):
        parse_sizes([text])
