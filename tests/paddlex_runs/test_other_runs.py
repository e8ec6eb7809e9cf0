"""In the PaddleX of the tests' own environment: another pipeline, and a real rehearsal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.paddlex_runs.conftest import Paddle2om

pytestmark = pytest.mark.slow

BUILDER = Path(__file__).with_name("document_models.py")
MODELS = ("PP-LCNet_x1_0_doc_ori", "UVDoc")


def test_doc_preprocessor_does_what_native_paddle_does(
    page: Path, paddle2om: Paddle2om, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, BUILDER, tmp_path / "paddle"], check=True, capture_output=True)
    zoo = tmp_path / "zoo"
    paddle2om("convert", *(tmp_path / "paddle" / name for name in MODELS), "-o", zoo, "-q")
    small = tmp_path / "small.png"
    with Image.open(page) as image:
        image.resize((380, 368)).save(small)
    pages = {}
    for backend, models in (("onnx", zoo), ("paddle", tmp_path / "paddle")):
        config = tmp_path / f"{backend}.yaml"
        options = ["--models", models, "--backend", backend, "-o", config]
        paddle2om("render", "doc_preprocessor", *options)
        report = json.loads(paddle2om("check", config, "--image", small, "--json").stdout)
        engine = {"onnx": "onnxruntime", "paddle": "paddle"}[backend]
        assert [(m["state"], m["engine"]) for m in report["modules"]] == [("loaded", engine)] * 2
        pages[backend] = report["pages"][0]["values"]
    for values in pages.values():
        values.pop("input_path")
    assert pages["onnx"] == pages["paddle"]
    assert pages["onnx"]["angle"] in (0, 90, 180, 270)
    # The unwarping did something: its page is another one than it got.
    assert pages["onnx"]["output_img"] != pages["onnx"]["rot_img"]
    assert pages["onnx"]["output_img"].startswith("uint8 array (")


def test_a_long_line_needs_a_wide_shape(
    zoo: Path, page: Path, paddle2om: Paddle2om, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.png"
    with Image.open(page) as image:
        image.crop((30, 100, 600, 300)).save(lines)
    config = tmp_path / "OCR.yaml"
    paddle2om("render", "OCR", "--models", zoo, "--backend", "om", "-o", config)
    shape = ["--shape", "TextRecognition=3,48,320"]
    rehearsal = json.loads(paddle2om("rehearse", config, lines, *shape, "--json").stdout)
    trials = {json.dumps(trial["shapes"]): trial for trial in rehearsal["trials"]}
    narrow = trials['{"TextRecognition": [3, 48, 320]}']
    assert narrow["lines"] == 3
    assert narrow["error_rate"] > 0.2
    assert len(narrow["changes"][0]["text"]) < len(narrow["changes"][0]["reference"])
    suggested = rehearsal["suggested"]
    assert suggested["TextRecognition"][2] > 400
    assert rehearsal["trials"][-1]["shapes"] == suggested
    assert rehearsal["trials"][-1]["error_rate"] < 0.1
