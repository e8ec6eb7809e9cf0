"""Running atc here: whatever ends, nothing of it runs on and no half of a file stays."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converter.atc import environment
from converter.atc.command import build_argv
from converter.atc.run import find_atc, om_of, run_atc
from converter.atc.runners import beside_atc
from converter.atc.runners.contract import AtcJob
from converter.atc.runners.local import LocalRunner
from converter.errors import StageError
from tests.atc.conftest import SIMULATOR, alive, gone

ARGV = build_argv("inference.onnx", "inference", "Ascend310P3", "x:1,3,48,320")
ROOT = Path(__file__).parents[2]

#: What a program that compiles does; its argument is the directory.
COMPILE = f"""
import sys
from pathlib import Path
from converter.atc.run import run_atc
directory = Path(sys.argv[1])
try:
    run_atc({ARGV!r}, directory / "m.onnx", directory / "run", timeout=600)
except Exception as error:
    sys.exit(f"{{type(error).__name__}}: {{error}} hint: {{getattr(error, 'hint', '')}}")
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


@pytest.fixture
def onnx_file(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"onnx bytes")
    return path


def job(onnx_file, tmp_path, argv=ARGV, timeout=60.0, **files):
    named = {"inference.onnx": onnx_file, **files}
    return AtcJob(argv, named, tmp_path / "run", timeout)


def test_what_a_run_gives_back(simulated_atc, onnx_file, tmp_path):
    simulated_atc("ok")
    lines = []

    run = LocalRunner().run(job(onnx_file, tmp_path), lines.append)

    assert run.returncode == 0
    assert [path.name for path in run.om_files] == ["inference.om"]
    assert [path.name for path in run.side_files] == ["fusion_result.json"]
    assert run.program == str(tmp_path / "simulated-bin" / "atc")
    assert lines[-1] == "ATC run success, welcome to the next use."
    assert run.words.splitlines() == lines
    assert om_of(run, onnx_file, timeout=60) == tmp_path / "run" / "inference.om"


def test_lines_come_while_atc_works(onnx_file, tmp_path):
    """The script goes on only when its first line has been seen."""
    seen = tmp_path / "seen"
    script = f"echo one; while [ ! -e {seen} ]; do sleep 0.05; done; printf 'two\\303'; exit 3"

    lines = []

    def log(line):
        lines.append(line)
        seen.touch()

    run = LocalRunner().run(job(onnx_file, tmp_path, ("sh", "-c", script)), log)

    assert run.returncode == 3
    assert lines == ["one", "two\N{REPLACEMENT CHARACTER}"]


def test_words_without_end_are_kept_from_their_end(onnx_file, tmp_path, monkeypatch):
    monkeypatch.setattr("converter.atc.runners.session._WORDS_KEPT", 100)
    script = "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; exit 1"
    lines = []
    run = LocalRunner().run(job(onnx_file, tmp_path, ("sh", "-c", script)), lines.append)
    assert len(lines) == 1000
    assert run.words.endswith("line 998\nline 999\n")
    assert len(run.words) < 150


@pytest.fixture
def pids(tmp_path, monkeypatch):
    path = tmp_path / "pids"
    monkeypatch.setenv("ATC_SIMULATOR_PIDS", str(path))
    return path


def test_the_time_limit_ends_the_whole_tree(simulated_atc, pids, onnx_file, tmp_path):
    simulated_atc("workers")
    with pytest.raises(StageError, match="did not end within 2 s"):
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=2)
    numbers = [int(line) for line in pids.read_text().split()]
    assert len(numbers) == 3
    assert not [pid for pid in numbers if alive(pid)]


def test_a_worker_does_not_outlive_a_success(simulated_atc, pids, onnx_file, tmp_path):
    simulated_atc("stray")
    assert run_atc(ARGV, onnx_file, tmp_path / "run", timeout=60).name == "inference.om"
    numbers = [int(line) for line in pids.read_text().split()]
    assert len(numbers) == 3
    assert not [pid for pid in numbers if alive(pid)]


@pytest.mark.parametrize("victim", ["parent", "group", "interrupt"])
def test_nothing_outlives_who_asked_for_it(victim, simulated_atc, pids, onnx_file, tmp_path):
    """The parent alone is killed, its process group is (as the engine does), or it is Ctrl-C."""
    simulated_atc("workers")
    parent = subprocess.Popen(
        [sys.executable, "-c", COMPILE, str(tmp_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not pids.exists() or len(pids.read_text().split()) < 3):
        time.sleep(0.05)
    numbers = [int(line) for line in pids.read_text().split()]
    assert len(numbers) == 3
    assert all(map(alive, numbers))

    if victim == "group":
        os.killpg(parent.pid, signal.SIGKILL)
    else:
        parent.send_signal(signal.SIGKILL if victim == "parent" else signal.SIGINT)
    words = parent.communicate(timeout=60)[1]

    assert gone(numbers)
    assert gone([tmp_path / "run"])
    if victim == "interrupt":
        assert words.rstrip().endswith("interrupted")


def test_a_killed_atc(simulated_atc, onnx_file, tmp_path):
    simulated_atc("killed")
    with pytest.raises(StageError, match="killed by signal 9") as failed:
        run_atc(ARGV, onnx_file, tmp_path / "run", timeout=60)
    assert "memory ran out" in failed.value.hint
    assert not list((tmp_path / "run").glob("*.om"))


def in_namespace() -> list[str] | None:
    """A command that runs another with mounts of its own; None where that is not allowed."""
    for flags in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *flags, "--mount", "--propagation", "private"]
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            return None
    return None


def test_a_full_disk(simulated_atc, onnx_file, tmp_path):
    """A disk of 256 KiB, mounted for one process alone, and an OM file of a megabyte."""
    namespace = in_namespace()
    if namespace is None:
        pytest.skip("mounting a small disk is not allowed here")
    simulated_atc(f"large:{1 << 20}")
    disk = tmp_path / "disk"
    disk.mkdir()
    kept = tmp_path / "kept"
    script = f"""
mount -t tmpfs -o size=256k tmpfs {disk} && cp {onnx_file} {disk}/m.onnx &&
"{sys.executable}" -c "$1" {disk}; echo "code $?" >&2; cp -r {disk} {kept}"""
    ended = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", COMPILE], cwd=ROOT, capture_output=True, text=True
    )
    assert "code 1" in ended.stderr, ended.stderr
    assert "StageError: " in ended.stderr
    assert "No space left on device" in ended.stderr
    assert "hint: the disk of this host is full" in ended.stderr
    assert not list(kept.glob("*.om"))  # what atc left is in its own directory, which goes


def test_a_file_that_cannot_be_written_whole(simulated_atc, onnx_file, tmp_path, monkeypatch):
    """As a full disk, by a limit and so without a mount: half a file is no success."""
    simulated_atc(f"large:{1 << 20}")
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (65536, 65536))\n"
    ended = subprocess.run(
        [sys.executable, "-c", limit + COMPILE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "StageError: " in ended.stderr
    assert "File too large" in ended.stderr


def toolkit_with_atc(tmp_path, extra=""):
    """A toolkit that only its set_env.sh makes known."""
    toolkit = tmp_path / "toolkit it's"
    (toolkit / "bin").mkdir(parents=True)
    atc = toolkit / "bin" / "atc"
    atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
    atc.chmod(0o755)
    set_env = toolkit / "set_env.sh"
    set_env.write_text(
        f"""echo noise; false; : $NOT_SET {extra}
here=$(cd -- "$(dirname -- "${{BASH_SOURCE[0]}}")" && pwd)
export ASCEND_TOOLKIT_HOME="$here" PATH="$here/bin:$PATH" MARK='two
lines=here'
"""
    )
    return toolkit, set_env


def test_a_toolkit_that_nobody_sourced(onnx_file, tmp_path, monkeypatch):
    toolkit, set_env = toolkit_with_atc(tmp_path)
    monkeypatch.setenv("ATC_SIMULATOR_MODE", "ok")
    assert find_atc() is None
    monkeypatch.setattr(environment, "SET_ENV_FILES", (tmp_path / "missing", set_env))

    assert find_atc() == toolkit / "bin" / "atc"
    assert environment.atc_environment(os.environ)["MARK"] == "two\nlines=here"
    run = LocalRunner().run(job(onnx_file, tmp_path), lambda _: None)

    assert run.program == str(toolkit / "bin" / "atc")
    assert run.toolkit == str(toolkit)
    assert om_of(run, onnx_file, timeout=60)


def test_a_set_env_that_exits_is_passed_over(tmp_path, monkeypatch):
    _, set_env = toolkit_with_atc(tmp_path, extra="; exit 1")
    monkeypatch.setattr(environment, "SET_ENV_FILES", (set_env,))
    assert find_atc() is None


def test_a_file_named_by_a_flag_is_there(onnx_file, tmp_path):
    config = tmp_path / "some aipp.cfg"
    config.write_text("aipp")
    argv = ("sh", "-c", "cat aipp.cfg; pwd; exit 1")
    run = LocalRunner().run(job(onnx_file, tmp_path, argv, **{"aipp.cfg": config}), print)
    assert run.words == f"aipp{tmp_path}/run\n"


def test_what_travels_is_python_of_any_host():
    """CANN's hosts may have Python 3.7, and have no package of ours."""
    source = Path(beside_atc.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 7))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)} | imported
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names
