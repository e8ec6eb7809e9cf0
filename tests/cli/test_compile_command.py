"""`paddle2om compile`: exit codes, the two output streams, and what is left on the disk."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from converter.model.artefacts import MANIFEST, read_om_input_shape
from tests.command import paddle2om

SIMULATOR = Path(__file__).parent.parent / "simulators" / "atc_simulator.py"
SOC = ("--soc", "Ascend310P3")
SHAPE = ("--shape", "x=1,3,32,32")


@pytest.fixture
def model(tmp_path):
    """A directory with an ONNX model whose input is dynamic."""
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"]) for name in "xy"
    ]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "relu")], "g", *zip(tensors))
    directory = tmp_path / "model"
    directory.mkdir()
    opset = helper.make_opsetid("", 11)
    onnx.save(
        helper.make_model(graph, opset_imports=[opset], ir_version=8), directory / "inference.onnx"
    )
    return directory


@pytest.fixture
def run(tmp_path):
    """Returns a function that runs the command with the simulator as atc, or without an atc."""

    def run(*words, atc: str | None = "faithful"):
        directory = tmp_path / "bin"
        directory.mkdir(exist_ok=True)
        script = directory / "atc"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
        script.chmod(0o755)
        path = f"{directory}:{os.environ['PATH']}" if atc else os.environ["PATH"]
        return paddle2om(
            "compile",
            *words,
            limit=120,
            PATH=path,
            ATC_SIMULATOR_MODE=atc or "",
            ATC_SIMULATOR_CALLS=str(tmp_path / "calls"),
        )

    return run


def test_a_directory_and_then_one_file(run, model, tmp_path):
    before = {path: path.read_bytes() for path in model.iterdir()}
    (model / "inference.yml").write_text("Global:\n  model_name: made-up\n")
    out = tmp_path / "out"

    ended = run(model, *SOC, *SHAPE, "-o", out)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{out / 'inference.om'}\n"
    names = {path.name for path in out.iterdir()}
    assert {"inference.om", "inference.yml", "atc.sh", "inference.log", MANIFEST} <= names
    assert "atc SIMULATOR" in (out / "inference.log").read_text()
    assert read_om_input_shape(out) == "x:1,3,32,32"
    assert all(path.read_bytes() == content for path, content in before.items())

    alone = tmp_path / "alone" / "x.om"
    ended = run(model / "inference.onnx", *SOC, *SHAPE, "-o", alone)
    assert (ended.returncode, ended.stdout) == (0, f"{alone}\n")
    assert list(alone.parent.iterdir()) == [alone]
    again = run(model, *SOC, *SHAPE, "-o", alone)
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_what_convert_left_stays(run, model, tmp_path, tiny_pir):
    """OUT/<name> of convert is where an OM file for PaddleX belongs."""
    out = tmp_path / "out"
    assert paddle2om("convert", tiny_pir, "--opset", 13, "-o", out, "-q").returncode == 0
    directory = out / tiny_pir.name
    before = (directory / "inference.onnx").read_bytes()

    ended = run(directory, *SOC, *SHAPE, "-o", directory)

    assert ended.returncode == 0, ended.stderr
    assert (directory / "inference.onnx").read_bytes() == before
    files = json.loads((directory / MANIFEST).read_text())["files"]
    assert {"inference.onnx", "inference.om", "atc.sh"} <= set(files)


def test_without_atc_a_script_is_left_and_it_is_a_failure(run, model, tmp_path):
    ended = run(model, *SOC, *SHAPE, "-o", tmp_path / "out", atc=None)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "atc not found" in ended.stderr
    script = (tmp_path / "out" / "atc.sh").read_text()
    assert "--input_shape=x:1,3,32,32" in script


def test_precision_profiles_and_further_flags(run, model, tmp_path):
    keep = tmp_path / "keep these.txt"
    keep.write_text("relu\n")
    ended = run(
        model,
        *SOC,
        *("--profile", "x=1,3,32,32", "--profile", "x=1,3,64,64"),
        *("--precision", "mixed_float16", "--keep-dtype", keep),
        *("--atc-flag", "output_type=FP16", "--json", "-o", tmp_path / "out"),
    )

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    argv = report["models"][0]["stages"][-1]["facts"]["argv"]
    assert {
        "--input_shape=x:1,3,-1,-1",
        "--dynamic_image_size=32,32;64,64",
        "--precision_mode_v2=mixed_float16",
        "--keep_dtype=keep_dtype.txt",
        "--output_type=FP16",
    } <= set(argv)
    (call,) = map(json.loads, (tmp_path / "calls").read_text().splitlines())
    assert call["keep_dtype"] == "keep_dtype.txt"
    assert (tmp_path / "out" / "keep_dtype.txt").read_text() == "relu\n"


def test_an_om_file_behind_aipp_is_none_for_paddlex(run, model, tmp_path):
    yml = tmp_path / "other.yml"
    yml.write_text("PreProcess: {transform_ops: [RecResizeImg: {image_shape: [3, 48, 320]}]}\n")
    out = tmp_path / "out"
    ended = run(model, *SOC, "--aipp", "bgr", "--yml", yml, "-o", out)
    assert ended.returncode == 0, ended.stderr
    assert "uint8 in NHWC" in " ".join(ended.stderr.split())
    assert (out / "inference.yml").read_text() == yml.read_text()
    assert read_om_input_shape(out) == "x:1,3,48,320 behind AIPP"


def test_a_preflight_prints_what_it_found_and_compiles_nothing(run, model, tmp_path):
    ended = run(model, *SOC, *SHAPE, "--preflight-only", "-q", "-o", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert "shapes: x:1,3,32,32 (x: asked)\ncommand: atc --model=" in ended.stdout
    assert not (tmp_path / "calls").exists()
    assert not (tmp_path / "out").exists()

    broken = onnx.load(model / "inference.onnx")
    broken.graph.node[0].op_type = "QuantizeLinear"
    onnx.save(broken, model / "inference.onnx")
    ended = run(model, *SOC, *SHAPE, "--preflight-only", "-q", "-o", tmp_path / "out")
    assert ended.returncode == 1
    assert "error: QuantizeLinear (relu): atc has no parser for it at opset 11" in ended.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--soc", "Ascend310P"], "a family of chips"),
        ([*SOC, *SHAPE, "--profile", "x"], "--profile 'x'"),
        ([*SOC, *SHAPE, "--precision", "fp17"], "--precision cannot be 'fp17'"),
        ([*SOC, *SHAPE, "--aipp", "grb"], "neither rgb, nor bgr, nor a file"),
        ([*SOC, *SHAPE, "--timeout", "0"], "is no time limit"),
        ([*SOC, *SHAPE, "--timeout", "inf"], "is no time limit"),
        ([*SOC, *SHAPE, "--timeout", "nan"], "is no time limit"),
        ([*SOC, *SHAPE, "--yml", "missing.yml"], "missing.yml is not a file"),
    ],
)
def test_mistakes(words, told, run, model, tmp_path):
    ended = run(model, *words, "-q", "-o", tmp_path / "out")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert ended.stderr.count("hint: ") == 1
    assert "Traceback" not in ended.stderr


def test_external_weights_need_a_directory(run, model, tmp_path):
    flag = ("--atc-flag", "external_weight=1")
    ended = run(model, *SOC, *SHAPE, *flag, "-q", "-o", tmp_path / "x.om")
    assert ended.returncode == 2
    assert "external weights lie beside the OM file" in ended.stderr
    assert not (tmp_path / "calls").exists()


def test_what_is_no_model(run, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    ended = run(tmp_path / "m.onnx", *SOC, "-q", "-o", tmp_path / "out")
    assert ended.returncode == 2
    assert "LFS" in ended.stderr


def test_a_failing_atc(run, model, tmp_path):
    ended = run(model, *SOC, *SHAPE, "-q", "-o", tmp_path / "out", atc="fail:EZ3003")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "EZ3003" in ended.stderr
    assert not (tmp_path / "out" / "inference.om").exists()
