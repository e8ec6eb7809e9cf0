"""Readers that go before a command has ended change nothing of how it ends."""

from __future__ import annotations

import errno
import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from converter.cli.streams import _Stream
from converter.report.json_file import read_json
from tests.command import COMMAND, ROOT, environment


def unread(*words: str, which: str = "stdout", cwd=ROOT) -> tuple[int, str]:
    """Exit code of a command whose output's reader has gone, and its other stream."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, which: writer}
    try:
        ended = subprocess.run(
            [*COMMAND, *words],
            cwd=cwd,
            env=environment(PADDLE2OM_CACHE=str(cwd / "user")),
            text=True,
            timeout=240,
            **streams,
        )
    finally:
        os.close(writer)
    return ended.returncode, ended.stderr if which == "stdout" else ended.stdout


@pytest.mark.parametrize("which", ["stdout", "stderr"])
def test_a_build_has_its_own_exit_code(tmp_path, tiny_pir, which):
    """1 would say that a stage failed."""
    recipe = tmp_path / "zoo.yaml"
    recipe.write_text(f"schema: 1\nmodels:\n  - path: {tiny_pir}\n")
    words = ("build", "zoo.yaml", "-o", "out", "--json")
    code, other = unread(*words, which=which, cwd=tmp_path)
    assert (code, "1 model passed" in other or '"models"' in other) == (0, True), other


def test_the_exit_code_of_a_mistake_is_its_own(tmp_path):
    code, said = unread("build", "nowhere.yaml", "--json", cwd=tmp_path)
    assert code == 2
    assert said.startswith("error: ")


@pytest.mark.parametrize("words", [("recipe", "schema"), ("--version",), ("--help",)])
def test_short_answers_that_nobody_reads(words, tmp_path):
    assert unread(*words, cwd=tmp_path) == (0, "")


#: Has its terminal taken away when a stage begins, by whoever waits for a line on descriptor 3.
CLOSED = """
import os, signal, sys
from converter.report.progress import Progress
real = Progress.stage_started
def planted(self, name, stage):
    if stage == "export":
        os.write(3, b"now")
        os.read(4, 1)
    real(self, name, stage)
Progress.stage_started = planted
# Who runs the tests may have it ignored.
signal.signal(signal.SIGHUP, signal.SIG_IGN if {ignored} else signal.SIG_DFL)
sys.argv = ["paddle2om", "convert", "tiny", "-o", "out"]
from converter.cli.main import entry
entry()
"""


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_is_closed_does_not_cost_the_report(tmp_path, tiny_pir, ignored):
    """130 for SIGHUP; where nohup has it ignored, the run goes on to its end."""
    shutil.copytree(tiny_pir, tmp_path / "tiny")
    told, tell = os.pipe()
    wait, go = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.dup2(tell, 203)
        os.dup2(wait, 204)
        os.dup2(203, 3)
        os.dup2(204, 4)
        settings = environment(PADDLE2OM_CACHE=str(tmp_path / "user"), TERM="xterm")
        settings.pop("CI", None)
        script = CLOSED.replace("{ignored}", str(ignored))
        os.execve(sys.executable, [sys.executable, "-c", script], settings)
    for each in (tell, wait):
        os.close(each)
    try:
        while told not in select.select([told, terminal], [], [])[0]:
            os.read(terminal, 65536)
        os.close(terminal)  # the terminal is gone before this returns
        os.write(go, b"x")
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        for each in (told, go):
            os.close(each)
    report = read_json(tmp_path / "out" / "report.json")
    assert (tmp_path / "out" / "report.html").is_file()
    assert (ended, report.interrupted) == ((0, False) if ignored else (130, True))


def test_standard_error_on_a_full_disk_has_the_exit_code_as_ever():
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, "build", "nowhere.yaml"], cwd=ROOT, env=environment(), stderr=full
        )
    assert ended.returncode == 2


def test_a_file_on_a_broken_disk_is_no_reader_that_has_gone(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        stream = _Stream(file, "utf-8")
        with pytest.raises(OSError, match="broken"):
            stream._forgive(OSError(errno.EIO, "broken"))


def test_text_is_as_before():
    """The same encoding, and nothing held back."""
    ended = subprocess.run(
        [sys.executable, "-c", "from converter.cli.streams import let_readers_go as go\n"
         "import sys\nprint('a'); go(); print('ü', sys.stdout.encoding, sys.stdout.errors)"],
        cwd=ROOT, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "latin-1:replace"},
    )  # fmt: skip
    assert ended.stdout == b"a\n\xfc iso8859-1 replace\n"
