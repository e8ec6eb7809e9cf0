"""Runs a local atc in a directory of its own and accepts nothing but an OM file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from converter.atc.environment import atc_environment
from converter.errors import InputError, StageError
from converter.model.wording import last_line, shorten

#: The first bytes of every OM file (0x444F4D49, little endian).
OM_MAGIC = b"IMOD"

_ERROR_CODE = re.compile(r"\bE[A-Z0-9]\d{4}\b")

#: They wrap another error, or stand for one that atc has no code for: the next line says more.
_WRAPPER_CODES = ("E19999", "EZ9999")

#: What atc prints when it begins, while it works, and when it fails for whatever reason.
_NO_NEWS = ("ATC start working", "...", "ATC run failed")

#: CANN 8 has it behind the code, CANN 9 in front of it.
_PROCESS_AND_TIME = re.compile(r"\[PID: ?\d+\]( \d{4}-\d\d-\d\d-[\d:.]+)? *")


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
            env=atc_environment(os.environ),
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
    """The line of atc's output with the error code that says most, else the last line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    coded = [
        (code[0] in _WRAPPER_CODES, index)
        for index, line in enumerate(lines)
        if (code := _ERROR_CODE.search(line))
    ]
    if not coded:
        # A mistake in the command line has no code, and atc ends every failure with one sentence.
        said = (line for line in reversed(lines) if not line.startswith(_NO_NEWS))
        return shorten(next(said, "")) or last_line(words) or "no output"
    wraps, index = min(coded)
    chosen = lines[index]
    if wraps:
        said = (line for line in lines[index + 1 :] if not line.startswith("TraceBack"))
        chosen = f"{chosen} {next(said, '')}".strip()
    return shorten(_PROCESS_AND_TIME.sub("", chosen))
