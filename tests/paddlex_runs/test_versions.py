"""Rendered configs in real PaddleX versions: what they resolve to, and the text they read.

OM files are run by a test double of ultra_infer (tests/simulators/ultra_infer_double), which notes
what PaddleX asks of it. Nothing here touches an NPU.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.paddlex_runs.conftest import (
    DETECTION,
    OM_SHAPES,
    RECOGNITION,
    ROOT,
    Paddle2om,
    environment,
)

pytestmark = pytest.mark.slow

DOUBLE = ROOT / "tests" / "simulators" / "ultra_infer_double"

#: Environment, version to render for, wrapper.
ONNX_TARGETS = [
    ("paddlex-3.7.2", "3.7", "paddlex"),
    ("paddlex-3.5.0", "3.5", "paddlex"),
    ("paddleocr-3.7.0", "3.7", "paddleocr"),
]
OM_TARGETS = [
    ("paddlex-3.7.2", "3.7", "paddlex"),
    ("paddlex-3.0.1", "3.0", "paddlex"),
    ("paddlex-3.4.3", "3.4", "paddlex"),
    ("paddlex-3.5.0", "3.5", "paddlex"),
    ("paddleocr-3.7.0", "3.7", "paddleocr"),
]


def served(report: dict[str, Any]) -> dict[str, tuple[str, str, str, list[str]]]:
    """Module -> state, engine, device and files, of those that are switched on."""
    return {
        m["module"]: (m["state"], m["engine"], m["device"], m["files"])
        for m in report["modules"]
        if m["state"] != "off"
    }


@pytest.mark.parametrize(("name", "version", "wrapper"), ONNX_TARGETS)
def test_onnx_reads_what_native_paddle_reads(
    name: str, version: str, wrapper: str, zoo: Path, page: Path, native: list[str],
    paddle2om: Paddle2om, tmp_path: Path,
) -> None:  # fmt: skip
    python = environment(name)
    config = tmp_path / "OCR.yaml"
    target = ["--paddlex", version, "--wrapper", wrapper]
    paddle2om("render", "OCR", "--models", zoo, "-o", config, *target)
    asked = ["--wrapper", wrapper, "--paddlex-python", python, "--image", page, "--json"]
    report = json.loads(paddle2om("check", config, *asked).stdout)
    assert report["paddlex"].startswith(version)
    assert served(report) == {
        "TextDetection": ("loaded", "onnxruntime", "cpu", [f"{zoo}/{DETECTION}/inference.onnx"]),
        "TextRecognition": (
            "loaded", "onnxruntime", "cpu", [f"{zoo}/{RECOGNITION}/inference.onnx"]
        ),
    }  # fmt: skip
    assert report["pages"][0]["texts"] == native


@pytest.mark.parametrize(("name", "version", "wrapper"), OM_TARGETS)
def test_om_files_reach_the_runtime_as_they_should(
    name: str, version: str, wrapper: str, zoo: Path, page: Path, native: list[str],
    paddle2om: Paddle2om, tmp_path: Path,
) -> None:  # fmt: skip
    python = environment(name)
    config, log = tmp_path / "OCR.yaml", tmp_path / "double.jsonl"
    target = ["--paddlex", version, "--wrapper", wrapper, "--backend", "om", "--device", "npu:3"]
    paddle2om("render", "OCR", "--models", zoo, "-o", config, *target)
    asked = ["--wrapper", wrapper, "--paddlex-python", python, "--json"]
    recorded = json.loads(paddle2om("check", config, *asked).stdout)
    assert recorded["ultra_infer"] == "missing"
    expected = {
        "TextDetection": ("ultra_infer/om", "npu:3", [f"{zoo}/{DETECTION}/inference.om"]),
        "TextRecognition": ("ultra_infer/om", "npu:3", [f"{zoo}/{RECOGNITION}/inference.om"]),
    }
    assert served(recorded) == {key: ("resolved", *rest) for key, rest in expected.items()}
    path = os.pathsep.join(filter(None, [str(DOUBLE), os.environ.get("PYTHONPATH")]))
    double = {"PYTHONPATH": path, "ULTRA_INFER_DOUBLE_LOG": str(log)}
    result = paddle2om("check", config, *asked, "--image", page, env=double)
    report = json.loads(result.stdout)
    assert served(report) == {key: ("loaded", *rest) for key, rest in expected.items()}
    noted = [json.loads(line) for line in log.read_text().splitlines()]
    opened = {note["model"]: note for note in noted if "backend" in note}
    assert {m: (n["backend"], n["device"], n["device_id"]) for m, n in opened.items()} == {
        f"{zoo}/{model}/inference.om": ("om", "ascend", 3) for model in OM_SHAPES
    }
    fed = [(Path(note["model"]).parent.name, note["fed"]) for note in noted if "fed" in note]
    lines = len(report["pages"][0]["texts"])
    assert fed.count((DETECTION, {"x": list(OM_SHAPES[DETECTION])})) == 1
    assert fed.count((RECOGNITION, {"x": list(OM_SHAPES[RECOGNITION])})) == lines == len(fed) - 1
    # The shapes cost text, but not the place of a line, nor the text of most of the long ones.
    assert lines == len(native)
    same = {text for text in report["pages"][0]["texts"] if len(text) > 10} & set(native)
    assert len(same) >= 6


def test_a_mixed_pipeline_keeps_its_devices(
    zoo: Path, page: Path, paddle2om: Paddle2om, tmp_path: Path
) -> None:
    config, log = tmp_path / "OCR.yaml", tmp_path / "double.jsonl"
    target = ["--backend", "om", "--place", "TextDetection=onnx", "--scripts", "--check"]
    result = paddle2om("render", "OCR", "--models", zoo, "-o", config, *target)
    assert [Path(line).name for line in result.stdout.splitlines()] == [
        "OCR.yaml", "OCR.run.py", "OCR.run.sh", "OCR.finetune.sh"
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(DOUBLE), *sys.path[1:]]),
        "ULTRA_INFER_DOUBLE_LOG": str(log),
        "PYTHON": sys.executable,
        "HOME": str(tmp_path / "home"),
        "PADDLE_PDX_CACHE_HOME": str(tmp_path / "home"),
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
    }
    import subprocess

    subprocess.run(
        [sys.executable, tmp_path / "OCR.run.py", "-o", tmp_path / "out", page],
        check=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    notes = [json.loads(line) for line in log.read_text().splitlines()]
    opened = {
        Path(n["model"]).name: (n["backend"], n["device"], n["device_id"])
        for n in notes
        if "backend" in n
    }
    assert opened == {"inference.onnx": ("ort", "cpu", None), "inference.om": ("om", "ascend", 0)}
    (written,) = (tmp_path / "out").glob("*.json")
    assert len(json.loads(written.read_text())["rec_texts"]) == 19


def test_an_old_paddlex_falls_back_and_is_found_out(
    zoo: Path, paddle2om: Paddle2om, tmp_path: Path
) -> None:
    python = environment("paddlex-3.4.3")
    config = tmp_path / "OCR.yaml"
    paddle2om("render", "OCR", "--models", zoo, "-o", config, "--paddlex", "3.7")
    result = paddle2om("check", config, "--paddlex-python", python, "--json", code=1)
    problems = [p["name"] for m in json.loads(result.stdout)["modules"] for p in m["problems"]]
    assert problems == ["fell-back-to-paddle"] * 2
    assert "does not read engine, which came with 3.5" in result.stderr


def test_paddleocr_overwrites_names_unless_told(
    zoo: Path, paddle2om: Paddle2om, tmp_path: Path
) -> None:
    """What PaddleOCR 3.7 does to a config, and that the script it gets keeps the models."""
    import subprocess

    python = environment("paddleocr-3.7.0")
    config = tmp_path / "OCR.yaml"
    options = ["--wrapper", "paddleocr", "--scripts"]
    paddle2om("render", "OCR", "--models", zoo, "-o", config, *options)
    script = (tmp_path / "OCR.run.py").read_text()
    environment_ = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "PADDLE_PDX_CACHE_HOME": str(tmp_path / "home"),
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
    }
    create = f"import runpy; runpy.run_path({str(tmp_path / 'OCR.run.py')!r})['create']()"
    subprocess.run([python, "-c", create], check=True, env=environment_, cwd=tmp_path)
    bare = [line for line in script.splitlines() if "_model_name=" not in line]
    (tmp_path / "OCR.run.py").write_text("\n".join(bare))
    without = subprocess.run(
        [python, "-c", create], env=environment_, cwd=tmp_path, capture_output=True, text=True
    )
    assert without.returncode != 0
    assert "Model name mismatch" in without.stderr
