"""The interpreter, memory, disk, and the directories that paddle2om writes to."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from converter.engine.doctor.findings import Check
from converter.engine.plan import available_cpus
from converter.model.cache_home import CACHE_VARIABLE, cache_home
from converter.model.memory import format_bytes, free_memory

_GIB = 1 << 30

#: A PP-OCR mobile model takes up to 0.6 GB, and the fork server 0.2 (docs/reference/platforms.md).
_LEAST_MEMORY = _GIB

#: What a model of a few hundred MB needs for its intermediate files.
_LEAST_DISK = 2 * _GIB


def check_python() -> list[Check]:
    """Version, operating system and processor."""
    version = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] <= (3, 12)
    python = Check(
        area="python",
        name="Python",
        state="ok" if good else "problem",
        found=f"{version} ({sys.executable})",
        reason="" if good else "onnx 1.17 and paddle2onnx 2.1.0 have wheels for 3.11 and 3.12 only",
        fix="" if good else "python3.11 -m venv .venv && .venv/bin/pip install paddle2om",
    )
    system = f"{platform.system()} {platform.machine()}"
    linux = platform.system() == "Linux"
    return [
        python,
        Check(
            area="python",
            name="platform",
            state="ok" if linux else "problem",
            found=system,
            reason="" if linux else "worker processes use system calls of Linux",
            fix="" if linux else "use Linux, or a Linux container",
        ),
    ]


def check_machine() -> list[Check]:
    """Processors, memory, and the temporary, cache and current directories."""
    cpus = available_cpus()
    return [
        Check(area="machine", name="CPUs", found=str(cpus)),
        _memory(),
        _directory("temporary directory", Path(tempfile.gettempdir()), "export TMPDIR=DIR"),
        _directory("cache directory", cache_home(), f"export {CACHE_VARIABLE}=DIR"),
        _directory("current directory", Path.cwd(), "choose another one with -o", fatal=False),
    ]


def _memory() -> Check:
    free = free_memory()
    if free is None:
        return Check(area="machine", name="memory", found="not known")
    found = f"{format_bytes(free.bytes)} available"
    if free.limited:
        found += " (limit of this container)"
    short = free.bytes < _LEAST_MEMORY
    return Check(
        area="machine",
        name="memory",
        state="warning" if short else "ok",
        found=found,
        reason="a small model takes 0.6 GB beside 0.2 GB for the libraries" if short else "",
        fix="end other programs, and convert with --jobs 1" if short else "",
    )


def _directory(name: str, path: Path, fix: str, *, fatal: bool = True) -> Check:
    """Whether files can be made there, and how much room is left."""
    try:
        existing = next(each for each in (path, *path.parents) if each.exists())
        if not existing.is_dir():
            raise NotADirectoryError(20, os.strerror(20))
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return Check(
            area="machine",
            name=name,
            state="problem" if fatal else "warning",
            found=str(path),
            reason=f"no file can be written there: {error.strerror or error}",
            fix=fix,
        )
    short = free < _LEAST_DISK
    return Check(
        area="machine",
        name=name,
        state="warning" if short else "ok",
        found=f"{path}, {format_bytes(free)} free",
        reason="conversions keep intermediate files of several times a model's size"
        if short
        else "",
        fix=f"free some space, or: {fix}" if short else "",
    )
