"""``paddle2om locate`` as a user runs it: what it prints, writes and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from tests.accuracy.locate.faults import plant
from tests.command import paddle2om

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "simulators" / "faults"


@pytest.fixture(scope="module")
def good(tiny_pir, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("converted")
    made = paddle2om("convert", tiny_pir, "-o", out, "--opset", 13, "-q")
    assert made.returncode == 0, made.stderr
    return out / "tiny_pir" / "inference.onnx"


@pytest.fixture(scope="module")
def broken(good, tmp_path_factory) -> Path:
    model = onnx.load(good)
    plant(model, "attribute", 0.9)
    path = tmp_path_factory.mktemp("broken") / "broken.onnx"
    onnx.save(model, path)
    return path


def test_agreement_and_divergence(tiny_pir, good, broken, tmp_path):
    agrees = paddle2om("locate", tiny_pir, good, "-q")
    assert (agrees.returncode, agrees.stdout, agrees.stderr) == (0, "", "")

    out = tmp_path / "where"
    before = {path: path.read_bytes() for path in (broken, *tiny_pir.iterdir())}
    differs = paddle2om("locate", tiny_pir, broken, "-o", out)
    assert differs.returncode == 3, differs.stderr
    assert "first divergence: pd_op.leaky_relu" in differs.stdout
    assert "likely cause      attribute: alpha is 0.2 instead of 0.1" in differs.stdout
    assert "<- here" in differs.stdout
    assert "error: tiny_pir: locate: pd_op.leaky_relu is the first to differ" in differs.stderr
    assert f"hint: python {out}/repro/repro.py shows it by itself" in differs.stderr
    assert "-o DIR" in paddle2om("locate", tiny_pir, broken, "-q").stderr
    assert {path: path.read_bytes() for path in before} == before
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert {"report.json", "report.html", "locate.log", "repro/repro.py"} <= names
    told = json.loads((out / "report.json").read_text())
    assert told["exit_code"] == 3
    culprit = told["models"][0]["stages"][-1]["facts"]["culprit"]
    assert culprit["node"]["op_type"] == "LeakyRelu"
    page = (out / "report.html").read_text()
    assert "<svg" in page
    assert "alpha is 0.2 instead of 0.1" in page

    again = paddle2om("locate", tiny_pir, good, "-o", out)  # over its own files
    assert again.returncode == 0, again.stderr
    assert "no divergence" in again.stdout
    assert not (out / "repro").exists()  # it was about the other file
    (out / "report.html").write_text("mine")
    refused = paddle2om("locate", tiny_pir, good, "-o", out)
    assert refused.returncode == 2
    assert (out / "report.html").read_text() == "mine"


def test_json_is_the_report(tiny_pir, broken):
    told = paddle2om("locate", tiny_pir, broken, "--json", "-q")
    facts = json.loads(told.stdout)["models"][0]["stages"][-1]["facts"]
    assert facts["kind"] == "locate"
    assert facts["bundle"] is None  # nothing was written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere", "GOOD"), "nowhere is not a file or a directory"),
        (("TINY", "nowhere.onnx"), "nowhere.onnx is not a file or a directory"),
        (("TINY", "GOOD", "--inputs", "none.npz"), "none.npz is not a file or a directory"),
        (("TINY", "GOOD", "--seed", "-1"), "--seed -1 is negative"),
    ],
)
def test_wrong_input_is_one_error(tiny_pir, good, words, message):
    named = [{"TINY": tiny_pir, "GOOD": good}.get(word, word) for word in words]
    ended = paddle2om("locate", *named)
    assert ended.returncode == 2
    assert f"error: {message}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "told"), [("abort", "SIGABRT"), ("hang", "stopped after 8 s")])
def test_a_worker_that_dies_is_one_error(tiny_pir, good, fault, told):
    ended = paddle2om(
        "locate", tiny_pir, good, "--timeout", 8,
        FAULT=fault, FAULT_OPERATOR="pd_op.conv2d", PYTHONPATH=f"{FAULTS}:{ROOT}",
    )  # fmt: skip
    assert ended.returncode == 4, ended.stderr
    assert told in ended.stderr
    assert "hint: " in ended.stderr
    assert "Traceback" not in ended.stderr
