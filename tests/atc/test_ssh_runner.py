"""Running atc over SSH, against a real sshd: all of it comes back, nothing of it stays there."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converter.atc.command import build_argv
from converter.atc.run import om_of, run_atc
from converter.atc.runners.contract import AtcJob
from converter.atc.runners.ssh import SshRunner
from converter.errors import InputError, StageError
from converter.model.artefacts import sha256_of
from converter.model.om_header import OM_MAGIC
from tests.atc.conftest import alive, gone, interruptible
from tests.atc.sshd import NoSshd, running_sshd, ssh_command

ARGV = build_argv("inference.onnx", "inference", "Ascend310P3", "x:1,3,48,320")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    try:
        with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
            yield sshd
    except NoSshd as reason:
        pytest.skip(str(reason))


@pytest.fixture
def sshd(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLE2OM_SSH", ssh_command(server))
    monkeypatch.setenv("ATC_SIMULATOR_MODE", "ok")
    monkeypatch.setenv("ATC_SIMULATOR_CALLS", str(tmp_path / "calls.jsonl"))
    monkeypatch.setenv("ATC_SIMULATOR_PIDS", str(tmp_path / "pids"))
    yield server
    assert gone(list(server.temporary.iterdir()))


@pytest.fixture
def onnx_file(tmp_path):
    path = tmp_path / "it's a $(touch pwned) model.onnx"
    path.write_bytes(b"onnx bytes" * 50_000)
    return path


def test_all_of_it(sshd, onnx_file, tmp_path):
    config = tmp_path / "some aipp.cfg"
    config.write_text("aipp")
    job = AtcJob(ARGV, {"inference.onnx": onnx_file, "aipp.cfg": config}, tmp_path / "run", 60)
    lines = []

    run = SshRunner("npu-host").run(job, lines.append)

    assert run.returncode == 0
    om = om_of(run, onnx_file, timeout=60)
    assert om == tmp_path / "run" / "inference.om"
    assert om.read_bytes().startswith(OM_MAGIC)
    assert {path.name for path in run.files} == {"inference.om", "fusion_result.json"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "inference.om",
        "fusion_result.json",
    }
    assert "ATC run success, welcome to the next use." in lines
    assert run.where == "ssh host npu-host"
    assert not list(tmp_path.rglob("pwned"))


def test_files_arrive_as_they_are(sshd, onnx_file, tmp_path):
    argv = ("sha256sum", "inference.onnx")
    lines = []
    SshRunner("npu-host").run(
        AtcJob(argv, {"inference.onnx": onnx_file}, tmp_path / "run", 60), lines.append
    )
    assert lines == [f"{sha256_of(onnx_file)}  inference.onnx"]


def test_the_words_of_a_login_are_no_answers(sshd, onnx_file, tmp_path):
    lines = []
    run_atc(
        ARGV,
        onnx_file,
        tmp_path / "run",
        timeout=60,
        runner=SshRunner("chatty-host"),
        log=lines.append,
    )
    assert lines[0] == "Welcome to the NPU host"


def test_a_failure_over_there_is_explained(sshd, onnx_file, tmp_path, monkeypatch):
    monkeypatch.setenv("ATC_SIMULATOR_MODE", "fail")
    with pytest.raises(StageError, match="code 255: E16002: No parser is registered"):
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=60, runner=SshRunner("npu-host"))


def test_there_is_no_atc(sshd, onnx_file, tmp_path):
    with pytest.raises(InputError, match="on ssh host npu-host: no-such-atc not found"):
        run_atc(
            ("no-such-atc",), onnx_file, tmp_path / "run", timeout=60, runner=SshRunner("npu-host")
        )


def pids_of(tmp_path: Path) -> list[int]:
    """The simulator's processes, once all of them are there."""
    path = tmp_path / "pids"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not path.exists() or len(path.read_text().split()) < 3):
        time.sleep(0.05)
    numbers = [int(line) for line in path.read_text().split()]
    assert len(numbers) == 3
    return numbers


def test_the_time_limit(sshd, onnx_file, tmp_path, monkeypatch):
    monkeypatch.setenv("ATC_SIMULATOR_MODE", "workers")
    with pytest.raises(StageError, match="did not end within 4 s"):
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=4, runner=SshRunner("npu-host"))
    assert gone(pids_of(tmp_path))


COMPILE = f"""
import sys
from pathlib import Path
from converter.atc.run import run_atc
from converter.atc.runners.ssh import SshRunner
from converter.errors import Paddle2omError
here = Path(sys.argv[1])
try:
    run_atc({ARGV!r}, Path(sys.argv[2]), here / "run", timeout=600, runner=SshRunner("npu-host"))
except Paddle2omError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


@pytest.mark.parametrize("end", ["interrupt", "killed", "connection"])
def test_whatever_ends_nothing_stays_over_there(end, sshd, onnx_file, tmp_path, monkeypatch):
    monkeypatch.setenv("ATC_SIMULATOR_MODE", "workers")
    ours = subprocess.Popen(
        [sys.executable, "-c", COMPILE, str(tmp_path), str(onnx_file)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    theirs = pids_of(tmp_path)
    assert all(map(alive, theirs))
    assert list(sshd.temporary.iterdir())

    if end == "connection":
        for pid in _children(sshd.pid):
            with contextlib.suppress(OSError):  # it ended by itself meanwhile
                if Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
                    os.kill(pid, signal.SIGKILL)
    else:
        ours.send_signal(signal.SIGKILL if end == "killed" else signal.SIGINT)
    words = ours.communicate(timeout=60)[1]

    assert gone([*theirs, *sshd.temporary.iterdir()])
    if end == "interrupt":
        assert words.rstrip().endswith("interrupted")
    if end == "connection":
        assert "StageError: the connection to ssh host npu-host was lost: " in words


def _children(pid: int) -> list[int]:
    """All below a process."""
    direct = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in direct] + [c for d in direct for c in _children(int(d))]


@pytest.mark.parametrize(
    ("host", "words", "hint"),
    [
        ("locked-out", "Permission denied", "ssh -o BatchMode=yes locked-out true"),
        ("stranger", "Host key verification failed", "connect once by hand, `ssh stranger`"),
        ("nobody", "Connection refused", "Port"),
        ("no-such-host.invalid", "Could not resolve hostname", "check the name"),
    ],
)
def test_a_host_that_cannot_be_reached(host, words, hint, sshd, onnx_file, tmp_path):
    with pytest.raises(InputError, match=f"{host} cannot be reached: .*{words}") as failed:
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=60, runner=SshRunner(host))
    assert hint in failed.value.hint


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch pwned", "two words", "a\nb"])
def test_what_is_no_host(host):
    with pytest.raises(InputError, match="is not a host"):
        SshRunner(host)


#: A stand-in for ssh that runs the command here and changes bytes on the way.
MEDDLER = """
import subprocess, sys
options, command = sys.argv[1:-1], sys.argv[-1]
there = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line in sys.stdin.buffer:
    there.stdin.write(line.replace(b"onnx bytes", b"onnx bits!") if UP else line)
    there.stdin.flush()
    if b"onnx bytes" in line: break
for line in there.stdout:
    sys.stdout.buffer.write(line if UP else line.replace(b"IMOD", b"IMOE"))
    sys.stdout.buffer.flush()
"""


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("up", "inference.onnx did not arrive as it was sent"),
        ("down", "inference.om did not arrive from ssh host somewhere as it was sent"),
    ],
)
def test_damage_on_the_way_is_noticed(way, words, simulated_atc, tmp_path, monkeypatch):
    simulated_atc("ok")
    model = tmp_path / "m.onnx"
    model.write_bytes(b"onnx bytes\n")
    code = f"UP = {way == 'up'}{MEDDLER}"
    monkeypatch.setenv("PADDLE2OM_SSH", shlex.join([sys.executable, "-c", code]))
    with pytest.raises(StageError, match=words):
        run_atc(ARGV, model, tmp_path / "run", timeout=60, runner=SshRunner("somewhere"))
    assert not list((tmp_path / "run").glob("*.om"))
    assert not list((tmp_path / "run").glob(".*"))
