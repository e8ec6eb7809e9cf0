"""Running atc in a container: the engine's command, and what is made of its failures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from converter.atc.command import build_argv
from converter.atc.run import om_of, run_atc
from converter.atc.runners.container import ContainerRunner
from converter.atc.runners.contract import AtcJob
from converter.errors import InputError, StageError

ARGV = build_argv("inference.onnx", "inference", "Ascend310P3", "x:1,3,48,320")
SIMULATOR = Path(__file__).parents[1] / "simulators" / "docker_simulator.py"


@pytest.fixture
def onnx_file(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"onnx bytes")
    return path


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Puts a simulated engine of a name on a PATH that has no other."""
    calls = tmp_path / "docker.jsonl"
    monkeypatch.setenv("DOCKER_SIMULATOR_CALLS", str(calls))
    for name in ("ENGINE", "FLAGS"):
        monkeypatch.delenv(f"PADDLE2OM_CONTAINER_{name}", raising=False)
    for name in ("ASCEND_RT_VISIBLE_DEVICES", "ASCEND_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def put(*names, mode="ok"):
        directory = tmp_path / "engines"
        directory.mkdir()
        for name in names:
            path = directory / name
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
            path.chmod(0o755)
        for name in ("python3", "sh"):
            (directory / name).symlink_to(Path("/usr/bin", name))
        monkeypatch.setenv("PATH", str(directory))
        monkeypatch.setenv("DOCKER_SIMULATOR_MODE", mode)
        return lambda: [json.loads(line) for line in calls.read_text().splitlines()]

    return put


def test_all_of_it(engine, simulated_atc, onnx_file, tmp_path):
    calls = engine("docker")
    simulated_atc("ok")
    job = AtcJob(ARGV, {"inference.onnx": onnx_file}, tmp_path / "run", 60)

    run = ContainerRunner("cann:8.1").run(job, print)

    assert om_of(run, onnx_file, timeout=60) == tmp_path / "run" / "inference.om"
    assert {path.name for path in run.files} == {"inference.om", "fusion_result.json"}
    (words,) = calls()
    name = words[3]
    assert name.startswith("--name=paddle2om-")
    assert words[:-1] == [
        "run", "--rm", "--interactive", name, "--workdir=/tmp", "--entrypoint=python3",
        "cann:8.1", "-I", "-u", "-c",
    ]  # fmt: skip
    assert words[-1].startswith("import sys;exec(")


def test_beside_a_driver_the_container_gets_the_npu(engine, tmp_path, monkeypatch):
    """As the images are documented to be run: the devices, the driver, and the NPUs chosen."""
    engine("docker")
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "0,1")
    for name in ("davinci0", "davinci10", "davinci2", "davinci_manager", "devmm_svm", "hisi_hdc"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    for path in ("usr/local/Ascend/driver", "usr/local/bin/npu-smi"):
        (tmp_path / path).mkdir(parents=True)

    argv = ContainerRunner("cann:8.1", root=tmp_path).argv("code", "name")

    assert argv == (
        "docker", "run", "--rm", "--interactive", "--name=name", "--workdir=/tmp",
        "--device=/dev/davinci0", "--device=/dev/davinci2", "--device=/dev/davinci10",
        "--device=/dev/davinci_manager", "--device=/dev/devmm_svm", "--device=/dev/hisi_hdc",
        "--volume=/usr/local/Ascend/driver:/usr/local/Ascend/driver:ro",
        "--volume=/usr/local/bin/npu-smi:/usr/local/bin/npu-smi:ro",
        "--env=ASCEND_RT_VISIBLE_DEVICES", "--entrypoint=python3", "cann:8.1",
        "-I", "-u", "-c", "code",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("here", "variable", "begins"),
    [
        (("podman",), None, ("podman", "run")),
        (("docker", "podman"), None, ("docker", "run")),
        (("docker", "podman"), "podman --remote", ("podman", "--remote", "run")),
    ],
)
def test_the_engine(here, variable, begins, engine, monkeypatch):
    engine(*here)
    if variable:
        monkeypatch.setenv("PADDLE2OM_CONTAINER_ENGINE", variable)
    monkeypatch.setenv("PADDLE2OM_CONTAINER_FLAGS", "--user=1000 --memory '8 g'")
    argv = ContainerRunner("cann").argv("code", "name")
    assert argv[: len(begins)] == begins
    assert argv[argv.index("--user=1000") :][:3] == ("--user=1000", "--memory", "8 g")
    assert argv.index("8 g") < argv.index("cann")


def test_there_is_no_engine(engine, onnx_file, tmp_path):
    engine()
    with pytest.raises(InputError, match="there is no docker and no podman"):
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=60, runner=ContainerRunner("cann"))


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("no-daemon", "a container of cann cannot be started: docker: Cannot connect"),
        ("no-python", "a container of cann has no python3"),
    ],
)
def test_a_container_that_does_not_start(mode, words, engine, onnx_file, tmp_path):
    engine("docker", mode=mode)
    with pytest.raises(InputError, match=words) as failed:
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=60, runner=ContainerRunner("cann"))
    assert failed.value.hint


def test_an_engine_that_does_not_answer_is_told_to_remove(engine, onnx_file, tmp_path, monkeypatch):
    calls = engine("docker", mode="hang")
    monkeypatch.setattr("converter.atc.runners.session._GRACE", 1.0)
    with pytest.raises(StageError, match="did not answer within 1 s"):
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=1, runner=ContainerRunner("cann"))
    run, remove = calls()
    assert remove == ["rm", "--force", run[3].partition("=")[2]]


@pytest.mark.parametrize("image", ["", "-v/:/host", "two words"])
def test_what_is_no_image(image):
    with pytest.raises(InputError, match="is not an image"):
        ContainerRunner(image)
