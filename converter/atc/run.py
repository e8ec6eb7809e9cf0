"""Runs a local atc in a directory of its own and accepts nothing but an OM file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from converter.errors import InputError, StageError

#: The first bytes of every OM file (0x444F4D49, little endian).
OM_MAGIC = b"IMOD"


def find_atc() -> Path | None:
    """The atc on PATH, if there is one."""
    found = shutil.which("atc")
    return Path(found) if found else None


def run_atc(argv: tuple[str, ...], onnx: Path, directory: Path, *, timeout: float) -> Path:
    """Compile ``onnx`` in ``directory`` (created, used by this run alone); return the OM file.

    ``argv`` refers to the model as ``inference.onnx`` and to the output as ``inference``. atc's
    words go to the log. Raises ``StageError`` when atc fails, exceeds ``timeout`` seconds, or ends
    well without an OM file, and ``InputError`` when it cannot be started.
    """
    directory.mkdir()
    shutil.copyfile(onnx, directory / "inference.onnx")
    try:
        ended = subprocess.run(
            argv,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StageError(
            f"atc did not end within {timeout:.0f} s", hint="raise --timeout, or see its log"
        ) from error
    except OSError as error:
        raise InputError(f"atc cannot be started: {error.strerror}", hint="check PATH") from error
    words = ended.stdout.decode(errors="replace")
    sys.stderr.write(words)
    if ended.returncode != 0:
        raise StageError(
            f"atc ended with code {ended.returncode}: {_complaint(words)}",
            hint="the model's log has atc's full words",
        )
    for om in (directory / "inference.om", *sorted(directory.glob("inference_*.om"))):
        if om.is_file():
            with om.open("rb") as file:
                if file.read(len(OM_MAGIC)) == OM_MAGIC:
                    return om
            raise StageError(f"{om.name} is not an OM file", hint="see the model's log")
    raise StageError(
        "atc ended with code 0 and without an OM file", hint="see the model's log for its words"
    )


def _complaint(words: str) -> str:
    """The line of atc's output with its first error code, else the last line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    coded = [line for line in lines if line[:1] == "E" and line[1:2].isalnum() and ":" in line]
    chosen = (coded or lines[-1:] or ["no output"])[0]
    return chosen if len(chosen) <= 300 else chosen[:299] + "…"
