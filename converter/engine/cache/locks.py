"""Locks between processes. A lock goes with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

#: Seconds between two tries for a lock that another process holds, at first and in the end.
_EVERY, _AT_MOST = 0.05, 0.5

#: Seconds of waiting between two words about it.
_TELL_EVERY = 1.0

#: Told while a lock is waited for: the seconds since the last word and in all, and who holds it.
Waiting = Callable[[float, float, str], None]


@contextlib.contextmanager
def locked(
    path: Path, *, patience: float | None = 10.0, waiting: Waiting | None = None
) -> Iterator[bool]:
    """Hold the lock ``path`` while the block runs; whether it was had within ``patience`` seconds.

    None waits as long as the holder lives. The block runs in any case: what is locked here is work
    that would be done twice, never something that two processes could break. Where there are no
    locks (some network file systems) it runs at once.
    """
    descriptor = None
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _wait(path, patience, waiting)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def remove_unheld(path: Path) -> bool:
    """Remove the lock file if nobody holds it; whether it was removed. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        # Who opened the file before it went gets its lock, and sees that it is not there any more.
        if not _try(descriptor) or not _is_at(descriptor, path):
            return False
        path.unlink()
        return True
    finally:
        os.close(descriptor)


def _wait(path: Path, patience: float | None, waiting: Waiting | None) -> int | None:
    """Try until the lock is had, and return its descriptor; None when the time is up.

    Raises ``OSError`` where there are no locks.
    """
    began = told = time.monotonic()
    pause = _EVERY
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        had = False
        try:
            while not _try(descriptor):
                now = time.monotonic()
                if patience is not None and now - began >= patience:
                    return None
                if waiting is not None and now - told >= _TELL_EVERY:
                    waiting(now - told, now - began, _holder(descriptor))
                    told = now
                time.sleep(pause)
                pause = min(pause * 1.1, _AT_MOST)
            had = _is_at(descriptor, path)  # else it was removed, and another may be there
            if had:
                _sign(descriptor)
                return descriptor
        finally:
            if not had:
                os.close(descriptor)


def _try(descriptor: int) -> bool:
    """Whether the lock is had now. Raises ``OSError`` where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that ``path`` names."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    """Write who holds the lock into its file, for those who wait."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {platform.node()}".encode(), 0)


def _holder(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return os.pread(descriptor, 200, 0).decode(errors="replace")
    return ""
