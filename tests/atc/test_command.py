"""The atc command line and the paths it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.atc.command import is_atc_path


@pytest.mark.parametrize(
    ("path", "taken"),
    [("/a-b/c_d.e/9", True), ("/模型/x", True), ("/a b", False), ("/a(1)", False), ("/à", False)],
)
def test_paths_that_atc_takes(path, taken):
    assert is_atc_path(Path(path)) is taken
