"""Locks between processes. A lock goes with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: Seconds between two tries for a lock that another process holds.
_EVERY = 0.05


@contextlib.contextmanager
def locked(path: Path, *, patience: float = 10.0) -> Iterator[bool]:
    """Hold the lock ``path`` while the block runs; whether it was had within ``patience`` seconds.

    The block runs in any case: what is locked here is work that would be done twice, never
    something that two processes could break. Where there are no locks (some network file systems)
    it runs at once.
    """
    descriptor = None
    held = False
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        held = _lock(descriptor, time.monotonic() + patience)
    try:
        yield held
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int, until: float) -> bool:
    """Try until the lock is had or the time is up. Raises ``OSError`` where there are no locks."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_EVERY)
        else:
            return True
