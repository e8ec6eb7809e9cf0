"""Where atc runs, as a user says it: over SSH, in a container, from a bundle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from converter.model.artefacts import MANIFEST
from tests.atc.conftest import gone, interruptible
from tests.atc.sshd import NoSshd, running_sshd, ssh_command
from tests.command import COMMAND, paddle2om

SIMULATORS = Path(__file__).parent.parent / "simulators"
SOC = ("--soc", "Ascend310P3")


@pytest.fixture
def model(tmp_path):
    """A directory with an ONNX model and its inference.yml."""
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in "xy"
    ]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "relu")], "g", *zip(tensors))
    directory = tmp_path / "a model"
    directory.mkdir()
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(made, directory / "inference.onnx")
    (directory / "inference.yml").write_text("Global:\n  model_name: made-up\n")
    return directory


@pytest.fixture
def compile_model(tmp_path):
    """Runs the command; there is no atc on its PATH."""
    return partial(paddle2om, "compile", limit=120)


def test_over_ssh(compile_model, model, tmp_path):
    out = tmp_path / "out"
    try:
        with running_sshd(tmp_path / "sshd") as sshd:
            reach = {"PADDLE2OM_SSH": ssh_command(sshd), "ATC_SIMULATOR_MODE": "faithful"}
            ended = compile_model(model, *SOC, "-o", out, "--on", "ssh:npu-host", **reach)
            assert not list(sshd.temporary.iterdir())
    except NoSshd as reason:
        pytest.skip(str(reason))

    assert (ended.returncode, ended.stdout) == (0, f"{out / 'inference.om'}\n"), ended.stderr
    assert "ATC run success" in (out / "inference.log").read_text()
    names = set(json.loads((out / MANIFEST).read_text())["files"])
    assert {"inference.om", "atc-files/fusion_result.json"} <= names


@pytest.mark.slow
def test_in_a_container(compile_model, model, tmp_path):
    """The engine is a simulator, which runs the command here."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, simulator in (("docker", "docker_simulator.py"), ("atc", "atc_simulator.py")):
        script = directory / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATORS / simulator}" "$@"\n')
        script.chmod(0o755)
    out = tmp_path / "out"
    ended = compile_model(
        *(model, *SOC, "-o", out, "--on", "container:cann:8.1", "--json"),
        PATH=f"{directory}:{os.environ['PATH']}",
        DOCKER_SIMULATOR_CALLS=str(tmp_path / "calls"),
        ATC_SIMULATOR_MODE="faithful",
    )
    assert ended.returncode == 0, ended.stderr
    compiled = json.loads(ended.stdout)["models"][0]["stages"][-1]
    assert compiled["facts"]["on"] == "container:cann:8.1"
    assert (out / "inference.om").is_file()
    assert "cann:8.1" in (tmp_path / "calls").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_whatever_ends_the_command_ends_atc(end, model, tmp_path):
    """Through the engine: command, fork server, worker, watcher, atc, its workers."""
    directory = tmp_path / "bin"
    directory.mkdir()
    atc = directory / "atc"
    atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATORS}/atc_simulator.py" "$@"\n')
    atc.chmod(0o755)
    out, pids = tmp_path / "out", tmp_path / "pids"
    command = [*COMMAND, "compile", str(model), *SOC, "-q"]
    running = subprocess.Popen(
        [*command, "-o", str(out)],
        env=os.environ
        | {
            "PATH": f"{directory}:{os.environ['PATH']}",
            "ATC_SIMULATOR_MODE": "workers",
            "ATC_SIMULATOR_PIDS": str(pids),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=interruptible,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not pids.exists() or len(pids.read_text().split()) < 3):
        time.sleep(0.1)
    numbers = [int(line) for line in pids.read_text().split()]
    assert len(numbers) == 3

    running.send_signal(end)
    running.communicate(timeout=60)

    assert gone(numbers)
    assert not list(out.rglob("*.om"))
    assert not list(out.rglob(".paddle2om-atc*"))
    if end is signal.SIGINT:
        assert running.returncode == 130
        assert not list(out.glob(".paddle2om-work-*"))


def test_a_host_that_is_not_there(compile_model, model, tmp_path):
    ended = compile_model(model, *SOC, "-o", tmp_path / "out", "--on", "ssh:host.invalid", "-q")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "error: a model: compile: ssh host host.invalid cannot be reached" in ended.stderr
    assert "hint: check the name" in ended.stderr


@pytest.mark.parametrize("place", ["npu1", "ssh:-oProxyCommand=x", "bundle:"])
def test_what_is_no_place(place, compile_model, model, tmp_path):
    ended = compile_model(model, *SOC, "-o", tmp_path / "out", "--on", place)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("error: ") == 1
    assert "hint: " in ended.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def returned(compile_model, model, tmp_path):
    """Packs the model into a bundle and runs that where the simulator is atc, in a given mode."""

    def there_and_back(mode):
        bundle = tmp_path / "a bundle"
        packed = compile_model(
            *(model, *SOC, "-o", tmp_path / "script", "--on", f"bundle:{bundle}")
        )
        assert (packed.returncode, packed.stdout) == (0, f"{bundle}\n"), packed.stderr
        directory = tmp_path / "cann"
        directory.mkdir()
        atc = directory / "atc"
        atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATORS}/atc_simulator.py" "$@"\n')
        atc.chmod(0o755)
        away = os.environ | {"PATH": f"{directory}:/usr/bin:/bin", "ATC_SIMULATOR_MODE": mode}
        subprocess.run([bundle / "run.sh"], cwd="/", env=away, capture_output=True, check=False)
        return bundle

    return there_and_back


@pytest.mark.slow
def test_a_bundle_comes_back(returned, compile_model, model, tmp_path):
    bundle = returned("faithful")
    out = tmp_path / "out"
    (out / model.name).mkdir(parents=True)
    onnx_file = out / model.name / "inference.onnx"
    onnx_file.write_bytes((model / "inference.onnx").read_bytes())

    ended = compile_model("--import", bundle, "-o", out)

    om = out / model.name / "inference.om"
    assert (ended.returncode, ended.stdout) == (0, f"{om}\n"), ended.stderr
    manifest = json.loads((om.parent / MANIFEST).read_text())
    assert {"inference.om", "inference.yml", "atc-files/atc.log"} <= set(manifest["files"])
    assert manifest["om_input_shape"] == "x:1,3,32,32"
    assert manifest["placement"]["backend"] == "om"

    (om.parent / "before").write_bytes(om.read_bytes())
    onnx_file.write_bytes(b"another model")
    refused = compile_model("--import", bundle, "-o", out, "-q")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is not the model that a model of the bundle was made from" in refused.stderr
    assert om.read_bytes() == (om.parent / "before").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--import", "missing"), "missing is not a bundle"),
        (("--import", "b", "m.onnx"), "--import takes a bundle alone"),
        (("--import", "b", *SOC), "--import takes a bundle alone"),
        (("m.onnx",), "no --soc: compile needs both"),
        (SOC, "no model: compile needs both"),
    ],
)
def test_mistakes(words, told, compile_model, tmp_path):
    ended = compile_model(*words, "-o", tmp_path / "out")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()
