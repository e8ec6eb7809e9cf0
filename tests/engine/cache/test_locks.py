"""Locks: one holder at a time, also while lock files are removed; waiting ends with the holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from converter.engine.cache import locks
from converter.engine.cache.locks import locked, remove_unheld
from converter.engine.cache.store import Cache
from converter.engine.cache.upkeep import collect

HOLDER = """
import sys, time
from pathlib import Path
from converter.engine.cache.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock ``lock``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_it_is_waited_as_long_as_the_holder_lives_and_told(holder, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_TELL_EVERY", 0.1)
    told = []

    def waiting(since: float, seconds: float, who: str) -> None:
        told.append((since, seconds, who))
        if len(told) == 3:
            os.kill(holder.pid, signal.SIGKILL)

    with locked(tmp_path / "lock", patience=None, waiting=waiting) as held:
        assert held

    assert len(told) >= 3
    assert all(who.startswith(f"process {holder.pid} on ") for _, _, who in told)
    assert sum(since for since, _, _ in told) == pytest.approx(told[-1][1], abs=1e-6)


def test_patience_ends(holder, tmp_path):
    with locked(tmp_path / "lock", patience=0.1) as held:
        assert not held


def test_a_lock_that_is_held_is_not_removed(holder, tmp_path):
    assert not remove_unheld(tmp_path / "lock")
    assert (tmp_path / "lock").exists()

    holder.kill()
    holder.wait()

    assert remove_unheld(tmp_path / "lock")
    assert not (tmp_path / "lock").exists()


def test_removing_lock_files_lets_no_two_in(tmp_path):
    lock = tmp_path / "lock"
    inside, most = 0, 0
    until = time.monotonic() + 1.5
    rounds = []

    def work() -> None:
        nonlocal inside, most
        while time.monotonic() < until:
            with locked(lock, patience=None) as held:
                assert held
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1
            rounds.append(1)

    def sweep() -> None:
        while time.monotonic() < until:
            try:
                remove_unheld(lock)
            except FileNotFoundError:
                continue

    threads = [threading.Thread(target=each) for each in (work, work, work, sweep)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1
    assert len(rounds) > 20


def test_who_holds_a_stages_lock_gets_the_reference_lock_of_any_key(tmp_path):
    cache = Cache.open(tmp_path / "cache")
    key = "abc" + "0" * 61
    alike = "abc" + "1" * 61

    def refuse(*_: object) -> None:
        raise AssertionError("it waits for itself")

    with (
        cache.once("stage", key),
        cache.once("stage", alike, refuse),
        cache.once("reference", key, refuse) as held,
    ):
        assert held


def test_gc_removes_the_lock_files_that_nobody_holds(tmp_path):
    cache = Cache.open(tmp_path / "cache")
    with cache.once("stage", "1" * 64):
        pass
    with cache.once("stage", "2" * 64):
        collect(cache, dry_run=True)
        assert len(list(cache.lock_directory.iterdir())) == 3
        collect(cache, dry_run=False)
        assert [path.name for path in cache.lock_directory.iterdir()] == ["stage-" + "2" * 64]
