"""Readers that go before a command has ended change nothing of how it ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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


def test_text_is_as_before():
    """The same encoding, and nothing held back."""
    ended = subprocess.run(
        [sys.executable, "-c", "from converter.cli.streams import let_readers_go as go\n"
         "import sys\nprint('a'); go(); print('ü', sys.stdout.encoding, sys.stdout.errors)"],
        cwd=ROOT, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "latin-1:replace"},
    )  # fmt: skip
    assert ended.stdout == b"a\n\xfc iso8859-1 replace\n"
