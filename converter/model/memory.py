"""Memory: of this process per stage, of a worker and what it starts, and as text."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from pathlib import Path

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


def kernel_kills() -> int:
    """How many processes the kernel has killed for want of memory since it started; 0 if unknown.

    ``oom_kill`` of /proc/vmstat counts those of memory cgroups too.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def parse_bytes(text: str) -> int:
    """``2G``, ``512M`` or a number of bytes; raises ``InputError``. A K is 1024."""
    match = _AMOUNT.fullmatch(text.strip())
    power = "kmgt".index(match[2].lower()) + 1 if match and match[2] else 0
    count = float(match[1]) * 1024**power if match else 0
    if not 1 <= count < _MOST:
        raise InputError(f"{text!r} is no amount of memory", hint="for example 4G or 512M")
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
