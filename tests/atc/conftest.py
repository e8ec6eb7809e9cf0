"""Puts the atc simulator on PATH."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SIMULATOR = Path(__file__).parent.parent / "simulators" / "atc_simulator.py"


@pytest.fixture
def simulated_atc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Returns a function that puts an atc of a given mode on PATH; its calls land in a file."""

    def put(mode: str) -> Path:
        directory = tmp_path / "simulated-bin"
        directory.mkdir()
        atc = directory / "atc"
        atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
        atc.chmod(0o755)
        calls = tmp_path / "calls.jsonl"
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("ATC_SIMULATOR_MODE", mode)
        monkeypatch.setenv("ATC_SIMULATOR_CALLS", str(calls))
        return calls

    return put


def read_calls(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
