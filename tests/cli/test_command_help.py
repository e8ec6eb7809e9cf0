"""Each command's help names what it takes, and shows no type of Python's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from converter.cli.app import app


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield *path, name


COMMANDS = list(_commands(typer.main.get_command(app)))


def _help(*command: str) -> str:
    return CliRunner().invoke(app, [*command, "--help"]).stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_names_and_no_types(command: tuple[str, ...]) -> None:
    told = _help(*command)
    assert "Options:" in told
    usage = told.partition("\n\n")[0]
    assert not set(usage) & set("<>{}")
    for sign in ("<int", "<float", "<path", "<str", "<list", "<range"):
        assert sign not in told


@pytest.mark.parametrize(
    ("command", "usage", "lines"),
    [
        (
            "convert",
            "[OPTIONS] MODEL...",
            ["  MODEL...  Model", "  --opset N ", "--target paddlex|"],
        ),
        ("validate", "[OPTIONS] A [B]", ["  A  The reference", "  --atol N "]),
        ("compile", "[OPTIONS] [MODEL]", ["  MODEL  An ONNX file"]),
        ("rehearse", "[OPTIONS] CONFIG IMAGE...", ["  IMAGE...  Typical"]),
        ("doctor", "[OPTIONS]", []),
        ("report write", "[OPTIONS] REPORT FORM", ["  FORM    html, junit"]),
    ],
)
def test_usage(command: str, usage: str, lines: list[str]) -> None:
    told = _help(*command.split())
    assert told.splitlines()[0].endswith(f" {command} {usage}")
    for line in lines:
        assert line in told
