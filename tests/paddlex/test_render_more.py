"""``render --scripts`` and ``render --check``, with the answer of PaddleX's process made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from converter.cli.render import render_command
from converter.errors import InputError, StageError
from converter.paddlex import check

app = typer.Typer()
app.command()(render_command)

NAMES = ("PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec")


@pytest.fixture
def arguments(make_model: Callable[..., Path], tmp_path: Path) -> list[str]:
    for name, kind in zip(NAMES, ("det", "rec"), strict=True):
        make_model(name, kind)
    return ["OCR", "--models", str(tmp_path / "models"), "-o", str(tmp_path / "t.yaml")]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """PaddleX 3.7.2, which opens what it is asked for, on the device that it is told."""
    requests: list[Mapping[str, Any]] = []

    def ask(runner: Path, request: Mapping[str, Any], **_: object) -> dict[str, Any]:
        requests.append(request)
        modules = {}
        for key, name in zip(("TextDetection", "TextRecognition"), NAMES, strict=True):
            opened = {"library": "onnxruntime", "files": [f"/{name}/inference.onnx"],
                      "loaded": True, "providers": ["CPUExecutionProvider"]}  # fmt: skip
            modules[f"SubModules.{key}"] = {
                "model_name": name, "model_dir": f"/{name}", "loaded": True, "problem": None,
                "asked": {"input_shape": None}, "opened": [opened],
            }  # fmt: skip
        return {
            "version": "3.7.2", "wrapper_version": None, "ultra_infer": "recorded",
            "problem": None, "lacking": [], "warnings": [], "modules": modules,
        }  # fmt: skip

    monkeypatch.setattr(check, "ask", ask)
    return requests


def test_scripts_are_named_behind_the_config(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*arguments, "--scripts"])
    assert result.exit_code == 0
    paths = [tmp_path / name for name in ("t.yaml", "t.run.py", "t.run.sh")]
    assert result.stdout.splitlines() == list(map(str, paths))
    assert all(path.is_file() for path in paths)


def test_the_check_and_its_report(
    arguments: list[str], asked: list[Mapping[str, Any]], tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, [*arguments, "--check", "--paddlex", "3.7"])
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path}/t.yaml\n"
    assert "TextDetection                           PP-OCRv5_mobile_det" in result.stderr
    assert "checked with" not in result.stderr
    assert asked[0]["arguments"] == {}
    options = ["--json", "--scripts", "--check", "--force", "--wrapper", "paddleocr"]
    report = json.loads(CliRunner().invoke(app, [*arguments, *options]).stdout)
    assert asked[1]["wrapper"] == "PaddleOCR"
    assert asked[1]["arguments"] == {
        "text_detection_model_name": NAMES[0],
        "text_recognition_model_name": NAMES[1],
        "device": "cpu",
    }
    assert report["check"]["modules"][0]["engine"] == "onnxruntime"
    assert [Path(path).name for path in report["scripts"]] == ["t.run.py", "t.run.sh"]


def test_another_version_is_said(arguments: list[str], asked: list[Mapping[str, Any]]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--check", "--paddlex", "3.5"])
    assert result.exit_code == 0
    assert "warning: checked with PaddleX 3.7.2, and rendered for 3.5\n" in result.stderr


def test_native_paddle_before_3_5_gets_its_device_as_an_argument(
    make_model: Callable[..., Path], asked: list[Mapping[str, Any]], tmp_path: Path
) -> None:
    files = ("inference.json", "inference.pdiparams")
    for name, kind in zip(NAMES, ("det", "rec"), strict=True):
        make_model(name, kind, files=files)
    arguments = ["OCR", "--models", str(tmp_path / "models"), "-o", str(tmp_path / "t.yaml")]
    options = ["--backend", "paddle", "--device", "npu:1", "--paddlex", "3.4", "--check"]
    CliRunner().invoke(app, [*arguments, *options, "--scripts"])
    assert asked[0]["arguments"] == {"device": "npu:1"}
    assert "device='npu:1'" in (tmp_path / "t.run.py").read_text()
    assert (tmp_path / "t.finetune.sh").is_file()


def test_a_mistake_ends_the_command_and_leaves_the_config(
    arguments: list[str], asked: list[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    answer = check.ask(Path(), {})
    answer["modules"]["SubModules.TextDetection"]["opened"][0]["library"] = "paddle"
    monkeypatch.setattr(check, "ask", lambda *_, **__: answer)
    result = CliRunner().invoke(app, [*arguments, "--check"])
    assert isinstance(result.exception, StageError)
    assert "although the config says onnxruntime" in result.exception.message
    assert (tmp_path / "t.yaml").is_file()


@pytest.mark.parametrize("option", ["--scripts", "--check"])
def test_a_name_that_paddlex_would_not_open(
    arguments: list[str], option: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "config"), option])
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "config").exists()
