"""Puts the atc simulator on PATH."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
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


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def gone(things: Sequence[int | Path], seconds: float = 30.0) -> bool:
    """Whether processes have ended and files are no more, which may take a moment."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(t) if isinstance(t, int) else t.exists() for t in things):
            return True
        time.sleep(0.05)
    return False


def read_calls(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
