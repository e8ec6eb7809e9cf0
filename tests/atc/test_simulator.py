"""The simulator behaves as atc is documented to: syntax, screen, return codes, files."""

from __future__ import annotations

import json
import subprocess
import sys

import onnx
import pytest
from onnx import TensorProto, helper

from converter.atc.errors import main_error, parse_errors
from converter.atc.run import run_atc
from converter.errors import StageError
from tests.atc.conftest import SIMULATOR

GOOD = ["--model=m.onnx", "--framework=5", "--output=out/m", "--soc_version=Ascend310P3"]
START = "ATC start working now, please wait for a moment.\n"


def save(path, kind="Relu", shape=(1, 3, 4, 4), domains=("",), opset=11):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"], "node")], "g", [x], [y])
    opsets = [helper.make_opsetid(domain, opset) for domain in domains]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)


@pytest.fixture
def atc(tmp_path, monkeypatch):
    """Calls the simulator in a directory with a model."""
    save(tmp_path / "m.onnx")
    for name in ("ATC_SIMULATOR_MODE", "ATC_SIMULATOR_CALLS", "ATC_SIMULATOR_CANN"):
        monkeypatch.delenv(name, raising=False)

    def call(*words):
        command = [sys.executable, str(SIMULATOR), *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return call


def test_success(atc, tmp_path):
    ended = atc(*GOOD)
    assert ended.returncode == 0
    assert ended.stdout == f"{START}...\nATC run success, welcome to the next use.\n"
    assert ended.stderr == "atc SIMULATOR for tests: nothing is compiled\n"
    om = tmp_path / "out" / "m.om"
    assert om.read_bytes()[:4] == b"IMOD"
    assert om.stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "fusion_result.json").read_text())


@pytest.mark.parametrize(
    "words",
    [
        ["-model=m.onnx", "--frame=5", "--output", "out/m", "-soc-version", "Ascend310P3"],
        [*GOOD, "--input-shape", "x:1,3,4,4", "--log", "error"],
    ],
)
def test_spellings(words, atc, tmp_path):
    assert atc(*words).returncode == 0
    assert (tmp_path / "out" / "m.om").is_file()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--model=", "x"], "Non-option parameter: x"),
        (["--frob=1"], "unknown command line flag 'frob'"),
        (["--dynamic=1"], "unknown command line flag 'dynamic'"),  # not one flag's beginning
        (["--log"], "flag '--log' is missing its argument"),
    ],
)
def test_mistakes_in_syntax(words, complaint, atc):
    ended = atc(*GOOD, *words)
    assert ended.returncode == 255
    assert complaint in ended.stderr
    assert "...\n" not in ended.stdout
    assert "E19999: Internal Error!" in ended.stdout


def test_help(atc):
    ended = atc("--help")
    assert (ended.returncode, ended.stdout.startswith(START)) == (0, True)


@pytest.mark.parametrize("cann", ["8.1", "9.2"])
@pytest.mark.parametrize(
    ("words", "model", "code"),
    [
        ([], {"kind": "QuantizeLinear"}, "E16002"),
        ([], {"opset": 19}, "E16002"),
        ([], {"domains": ("", "ai.onnx.ml")}, "E16005"),
        ([], {"shape": ("n", 3, 4, 4)}, "E10001"),
        (["--input_shape=y:1"], {}, "E10016"),
        (["--soc_version=Ascend310P"], {}, "E20101"),
    ],
)
def test_failures(cann, words, model, code, atc, tmp_path, monkeypatch):
    monkeypatch.setenv("ATC_SIMULATOR_CANN", cann)
    save(tmp_path / "m.onnx", **model)
    ended = atc(*GOOD, *words)
    assert ended.returncode == 255
    assert ended.stdout.startswith(f"{START}...\nATC run failed, Please check the detail log")
    error = main_error(parse_errors(ended.stdout))
    assert error.code == code
    assert bool(error.title) is (cann == "9.2")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_model(atc, tmp_path):
    (tmp_path / "m.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "E10041" in atc(*GOOD).stdout


@pytest.mark.parametrize(
    ("words", "model", "name"),
    [
        (["--input_shape=x:-1,3,4,4"], {"shape": ("n", 3, 4, 4)}, "m_linux_x86_64.om"),
        (["--input_shape=x:1~8,3,4,4"], {"shape": ("n", 3, 4, 4)}, "m_linux_x86_64.om"),
        (
            ["--input_shape=x:-1,3,4,4", "--dynamic_batch_size=1,2"],
            {"shape": ("n", 3, 4, 4)},
            "m.om",
        ),
        (["--input_shape=x:4"], {"kind": "NonZero", "shape": (4,)}, "m_linux_x86_64.om"),
        (["--save_original_model=true"], {}, "m_original.om"),
    ],
)
def test_the_output_has_the_name_that_atc_gives_it(words, model, name, atc, tmp_path):
    save(tmp_path / "m.onnx", **model)
    ended = atc(*GOOD, *words, "--host_env_cpu=x86_64")
    assert ended.returncode == 0, ended.stdout
    assert (tmp_path / "out" / name).is_file()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("segfault", "killed by signal 11"),
        ("killed", "killed by signal 9"),
        ("inner", "code 255: E19999: Internal Error! An unknown error"),
        ("quiet-fail", "atc ended with code 0"),
        ("fail:EZ3003", "no kernel of an operator.*code 255: EZ3003"),
        ("no-file", "without an OM file"),
    ],
)
def test_no_failure_is_taken_for_success(mode, words, simulated_atc, tmp_path, monkeypatch):
    simulated_atc(mode)
    save(tmp_path / "m.onnx")
    argv = ("atc", "--model=inference.onnx", "--output=inference", *GOOD[1:2], GOOD[3])
    with pytest.raises(StageError, match=words) as failed:
        run_atc(argv, tmp_path / "m.onnx", tmp_path / "run", timeout=60)
    assert failed.value.hint


def test_warnings_are_no_failure(simulated_atc, tmp_path):
    simulated_atc("warn")
    save(tmp_path / "m.onnx")
    argv = ("atc", "--model=inference.onnx", "--output=inference", *GOOD[1:2], GOOD[3])
    assert run_atc(argv, tmp_path / "m.onnx", tmp_path / "run", timeout=60).name == "inference.om"
