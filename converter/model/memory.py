"""Memory: of this process per stage, of a worker and what it starts, what is free, and as text."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from converter.errors import InputError

_PROC = Path("/proc/self")

#: An amount as it is written, in ASCII: ``\d`` and ignored case would take other scripts' letters.
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)

#: No machine has so many bytes, and sizes are 64-bit numbers.
_MOST = 1 << 63


def reset_peak_memory() -> None:
    """Start a new measurement: lower the high-water mark to what is in use now.

    Writing 5 to ``/proc/self/clear_refs`` resets ``VmHWM`` (proc(5)). Where the kernel refuses,
    ``peak_memory`` reports the peak since the process began.
    """
    with contextlib.suppress(OSError):
        (_PROC / "clear_refs").write_text("5")


def peak_memory() -> int:
    """Peak resident memory in bytes since the last reset; 0 where the system does not tell."""
    try:
        status = (_PROC / "status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def tree_memory(pid: int) -> int:
    """Resident bytes of a process and of everything below it; 0 when it has ended.

    What they share is counted for each of them. Programs that a worker starts replace their memory
    (exec), so that this is little.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    waiting, total = [pid], 0
    while waiting:
        process = Path("/proc") / str(waiting.pop())
        try:
            total += int((process / "statm").read_text().split()[1]) * page
            threads = [task / "children" for task in (process / "task").iterdir()]
        except OSError:
            continue
        for children in threads:
            with contextlib.suppress(OSError):
                waiting += [int(child) for child in children.read_text().split()]
    return total


class FreeMemory(NamedTuple):
    """Bytes that can be taken now; ``limited`` where a container's limit says so."""

    bytes: int
    limited: bool = False


def free_memory(root: Path = Path("/")) -> FreeMemory | None:
    """What the machine has, or a memory cgroup of this process leaves; None where neither is known.

    Sources, below ``root``: ``MemAvailable`` of /proc/meminfo (proc(5)), and of every cgroup from
    this process's up, what its limit is above its use. The use includes the page cache, which goes
    when memory is wanted: ``inactive_file`` is not counted, as ``MemAvailable`` does not.
    """
    found = [FreeMemory(max(0, free), limited=True) for free in _left_by_cgroups(root)]
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(FreeMemory(int(line.split()[1]) * 1024))
    return min(found, default=None)


def _left_by_cgroups(root: Path) -> Iterator[int]:
    """What each memory cgroup of this process that has a limit leaves of it: bytes."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:  # v2
            names, mount = ("memory.max", "memory.current", "inactive_file"), ""
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            mount = "memory"
        else:
            continue
        top = root / "sys/fs/cgroup" / mount
        # In a container the path may be the host's, and only the top is there.
        here = top / group.lstrip("/")
        for directory in (here, *(each for each in here.parents if each.is_relative_to(top))):
            with contextlib.suppress(OSError, ValueError):
                yield _left(directory, *names)


def _left(directory: Path, limit: str, used: str, cache: str) -> int:
    """Bytes below a cgroup's limit. Raises ``OSError``, and ``ValueError`` for ``max``."""
    most = int((directory / limit).read_text())
    taken = int((directory / used).read_text())
    with contextlib.suppress(OSError):
        for line in (directory / "memory.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == cache:
                taken -= min(taken, int(value))
    return most - taken


def kernel_kills() -> int:
    """How many processes the kernel has killed for want of memory since it started; 0 if unknown.

    ``oom_kill`` of /proc/vmstat counts those of memory cgroups too.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def parse_bytes(text: str, *, of: str = "amount of memory", least: int = 1) -> int:
    """``2G``, ``512M`` or a number of bytes; a K is 1024.

    Raises ``InputError``, which says that it is no ``of``; for less than ``least`` bytes, too.
    """
    match = _AMOUNT.fullmatch(text.strip())
    power = "kmgt".index(match[2].lower()) + 1 if match and match[2] else 0
    count = float(match[1]) * 1024**power if match else -1
    if not least <= count < _MOST:
        raise InputError(f"{text!r} is no {of}", hint="for example 4G or 512M")
    return int(count)


def format_bytes(count: int) -> str:
    """``2.1 GiB``."""
    size, unit = float(count), "bytes"
    for bigger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, bigger
    return f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"


def release_unused_memory() -> None:
    """Give freed memory back to the system, where the C library can (glibc's ``malloc_trim``).

    Otherwise what a runtime has freed stays resident until it is used again.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
