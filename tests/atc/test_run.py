"""Running atc: nothing but an OM file is success, and the script does the same elsewhere."""

from __future__ import annotations

import platform
import subprocess
import time
from pathlib import Path

import pytest

from converter.atc import command, environment
from converter.atc.command import build_argv, render_script
from converter.atc.environment import atc_environment
from converter.atc.run import find_atc, run_atc
from converter.errors import InputError, StageError
from converter.model.om_header import OM_MAGIC
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


_BEGIN = "...\nATC run failed, Please check the detail log, Try 'atc --help' for more information\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        # to 5.0
        (f"{_BEGIN}E19010: No parser is registered for Op [a].\n        more", "E19010: No parser"),
        # 5.1 to 7.0
        (
            f"{_BEGIN}E10001: Value x for parameter y is invalid.\n        Possible Cause: c\n"
            "        Solution: s\n        TraceBack (most recent call last):\n"
            "        Failed to build E19999[FUNC:f][FILE:g.cc][LINE:1]\n",
            "E10001: Value x",
        ),
        # 8
        (
            f"{_BEGIN}E16005: [PID: 35688] 2025-02-15-11:52:44.357.444 The model has two opsets.\n"
            "        Solution: s\n        TraceBack (most recent call last):\n",
            "E16005: The model has two opsets.$",
        ),
        # 9
        (
            f"{_BEGIN}[PID: 7] 2026-02-15-11:52:44.357.444 Invalid_Argument(E10001): Value bad.\n"
            "        Solution: s\n        TraceBack (most recent call last):\n",
            r"Invalid_Argument\(E10001\): Value bad.$",
        ),
        # wrappers
        (
            f"{_BEGIN}E19999: Inner Error!\n        Build failed[FUNC:f]\n"
            "EZ9999: Inner Error!\nE16005: The model has two opsets.\n",
            "E16005: The model",
        ),
        (
            f"{_BEGIN}EZ9999: [PID: 7] 2025-02-15-11:52:44.357.444 Inner Error!\n"
            "        TraceBack (most recent call last):\n        The opp version is another.\n",
            "EZ9999: Inner Error! The opp version is another.$",
        ),
        (f"{_BEGIN}EB0000: Compile failed.", "EB0000: Compile"),
        # none
        ("ERROR: unknown command line flag 'x'\n" + _BEGIN, "ERROR: unknown"),
        (f"terminate called\n{_BEGIN}", "terminate called"),
        (_BEGIN, "ATC run failed"),
        ("", "no output"),
    ],
)
def test_the_complaint_is_the_line_that_says_most(words, complaint, tmp_path, onnx_file):
    (tmp_path / "words").write_text(words)
    atc = ("sh", "-c", f"cat '{tmp_path}/words'; exit 255")

    with pytest.raises(StageError, match=f"code 255: {complaint}"):
        run_atc(atc, onnx_file, tmp_path / "run", timeout=30)


@pytest.fixture
def toolkit(tmp_path, monkeypatch):
    """A toolkit with a devlib directory on a host without an NPU driver."""
    toolkit = tmp_path / "toolkit"
    (toolkit / f"{platform.machine()}-linux" / "devlib").mkdir(parents=True)
    monkeypatch.setattr(environment, "DRIVER_LIBRARIES", tmp_path / "driver")
    monkeypatch.setattr(command, "DRIVER_LIBRARIES", tmp_path / "driver")
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(toolkit))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/set/before")
    return toolkit


def test_without_a_driver_atc_gets_the_toolkits_stand_ins(toolkit, onnx_file, tmp_path, capsys):
    echo = ("sh", "-c", "echo libraries=$LD_LIBRARY_PATH; exit 1")
    with pytest.raises(StageError):
        run_atc(echo, onnx_file, tmp_path / "run", timeout=30)
    devlib = f"{toolkit}/{platform.machine()}-linux/devlib"
    assert f"libraries={devlib}:/set/before\n" in capsys.readouterr().err
    assert atc_environment({"ASCEND_HOME_PATH": str(toolkit)})["LD_LIBRARY_PATH"] == devlib


def test_the_environment_stays_beside_a_driver_and_without_a_toolkit(toolkit, tmp_path):
    for parent in ({}, {"ASCEND_TOOLKIT_HOME": str(tmp_path / "none")}):
        assert atc_environment(parent) == parent
    (tmp_path / "driver").mkdir()
    parent = {"ASCEND_TOOLKIT_HOME": str(toolkit)}
    assert atc_environment(parent) == parent


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


def write_executable(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("driver", [False, True])
def test_the_script_finds_the_toolkit(driver, toolkit, tmp_path, monkeypatch):
    """set_env.sh is sourced with nothing set that it does not expect: commands in it may fail."""
    monkeypatch.delenv("ASCEND_TOOLKIT_HOME")
    write_executable(
        toolkit / "bin" / "atc", "echo $LD_LIBRARY_PATH > libraries; cat libraries >&2; exit 3"
    )
    set_env = toolkit / "set_env.sh"
    set_env.write_text(
        f"false\n: $NOT_SET\nexport ASCEND_TOOLKIT_HOME={toolkit}\nPATH={toolkit}/bin:$PATH\n"
    )
    monkeypatch.setattr(command, "SET_ENV_FILES", (tmp_path / "missing", set_env))
    if driver:
        (tmp_path / "driver").mkdir()
    (tmp_path / "inference.onnx").write_bytes(b"onnx bytes")
    script = tmp_path / "atc.sh"
    script.write_text(render_script("name", ARGV, "inference.onnx", "inference.om"))

    ended = subprocess.run(["bash", str(script)], capture_output=True, text=True)

    assert ended.returncode == 3, ended.stderr
    devlib = f"{toolkit}/{platform.machine()}-linux/devlib:"
    assert ended.stderr == f"{'' if driver else devlib}/set/before\n"


def test_a_full_disk_leaves_the_old_om_file(script, simulated_atc, tmp_path, monkeypatch):
    """The temporary directory may be on another disk, where mv is a copy that can end halfway."""
    simulated_atc("ok")
    full = """
for target; do source=$before; before=$target; done
case $source in */*.part) exec /bin/mv "$@";; *.om) ;; *) exec /bin/cp "$@";; esac
head -c 9 "$source" > "$target"; echo "No space left on device" >&2; exit 1"""
    for tool in ("cp", "mv"):
        write_executable(tmp_path / "full-disk" / tool, full)
    monkeypatch.setenv("PATH", f"{tmp_path}/full-disk:{tmp_path}/simulated-bin:/usr/bin:/bin")
    om = script.parent / "inference.om"
    om.write_bytes(b"old")

    ended = subprocess.run(["bash", str(script)], capture_output=True, text=True)

    assert ended.returncode == 1
    assert "No space left" in ended.stderr
    assert om.read_bytes() == b"old"
    names = {path.name for path in script.parent.iterdir()}
    assert names == {"atc.sh", "inference.onnx", "inference.om"}
