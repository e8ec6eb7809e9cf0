"""What docstrings and comments name is there."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"``(converter(?:\.\w+)+)``")


def named() -> dict[str, str]:
    """Dotted name of ours -> the first file whose text has it."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "converter").rglob("*.py")):
        for name in NAME.findall(file.read_text("utf-8")):
            found.setdefault(name, str(file.relative_to(ROOT)))
    return found


@pytest.mark.parametrize(("name", "file"), named().items())
def test_modules_that_texts_name(name: str, file: str) -> None:
    module = name
    while not _is_module(module):
        module = module.rpartition(".")[0]
    rest = name.removeprefix(module).lstrip(".")
    assert not rest or hasattr(import_module(module), rest.split(".")[0]), f"{name} in {file}"


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
