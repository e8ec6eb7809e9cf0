"""Running atc: nothing but an OM file is success, and the script does the same elsewhere."""

from __future__ import annotations

import subprocess
import time

import pytest

from converter.atc.command import build_argv, render_script
from converter.atc.run import OM_MAGIC, find_atc, run_atc
from converter.errors import InputError, StageError
from tests.atc.conftest import read_calls

ARGV = build_argv("inference.onnx", "inference", "Ascend310P3", "x:1,3,48,320")


@pytest.fixture
def onnx_file(tmp_path):
    path = tmp_path / "some model.onnx"
    path.write_bytes(b"onnx bytes")
    return path


def test_the_argument_list():
    assert ARGV == (
        "atc",
        "--model=inference.onnx",
        "--framework=5",
        "--output=inference",
        "--soc_version=Ascend310P3",
        "--input_shape=x:1,3,48,320",
    )


def test_no_atc_on_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_atc() is None


@pytest.mark.parametrize("mode", ["ok", "dynamic"])
def test_an_om_file_is_success(mode, simulated_atc, onnx_file, tmp_path):
    calls = simulated_atc(mode)

    om = run_atc(ARGV, onnx_file, tmp_path / "run", timeout=30)

    assert om.read_bytes().startswith(OM_MAGIC)
    (call,) = read_calls(calls)
    assert call["input_shape"] == "x:1,3,48,320"
    assert call["cwd"] == str(tmp_path / "run")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("no-file", "code 0 and without an OM file"),
        ("not-om", "is not an OM file"),
        ("fail", "code 255: E16002: No parser is registered"),
    ],
)
def test_anything_else_is_a_failure(mode, words, simulated_atc, onnx_file, tmp_path):
    simulated_atc(mode)

    with pytest.raises(StageError, match=words) as failed:
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=30)
    assert failed.value.hint


def test_a_hung_atc_is_stopped(simulated_atc, onnx_file, tmp_path):
    simulated_atc("hang")

    started = time.monotonic()
    with pytest.raises(StageError, match="did not end within 1 s"):
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=1)
    assert time.monotonic() - started < 30  # not the simulator's hour


def test_an_atc_that_cannot_start(onnx_file, tmp_path):
    with pytest.raises(InputError, match="cannot be started"):
        run_atc((str(tmp_path / "missing"),), onnx_file, tmp_path / "run", timeout=1)


@pytest.fixture
def script(tmp_path):
    """A script beside its model, in a directory whose name atc itself would refuse."""
    directory = tmp_path / "模型 $(touch pwned) 'dir'"
    directory.mkdir()
    (directory / "inference.onnx").write_bytes(b"onnx bytes")
    path = directory / "atc.sh"
    path.write_text(render_script(directory.name, ARGV, "inference.onnx", "inference.om"))
    return path


@pytest.mark.parametrize("mode", ["ok", "dynamic"])
def test_the_script_compiles_beside_itself(mode, script, simulated_atc, tmp_path):
    calls = simulated_atc(mode)

    ended = subprocess.run(["bash", str(script)], cwd=tmp_path, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    om = script.parent / "inference.om"
    assert om.read_bytes().startswith(OM_MAGIC)
    assert ended.stdout.splitlines()[-1] == str(om)
    (call,) = read_calls(calls)
    assert call["soc_version"] == "Ascend310P3"
    assert call["input_shape"] == "x:1,3,48,320"
    assert not list(tmp_path.glob("**/pwned"))


@pytest.mark.parametrize(("mode", "code"), [("no-file", 1), ("not-om", 1), ("fail", 255)])
def test_the_script_fails_when_atc_does(mode, code, script, simulated_atc):
    simulated_atc(mode)

    ended = subprocess.run(["bash", str(script)], capture_output=True, text=True)

    assert ended.returncode == code
    assert not (script.parent / "inference.om").exists()


def test_the_script_says_when_there_is_no_atc(script, tmp_path, monkeypatch):
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    for tool in ("bash", "dirname"):
        (bin_directory / tool).symlink_to(f"/usr/bin/{tool}")
    monkeypatch.setenv("PATH", str(bin_directory))

    ended = subprocess.run(["bash", str(script)], capture_output=True, text=True)

    assert ended.returncode == 2
    assert "atc not found" in ended.stderr
    assert "hint:" in ended.stderr
