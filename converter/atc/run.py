"""Runs a local atc in a directory of its own and accepts nothing but an OM file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from converter.atc.environment import atc_environment, compile_processes
from converter.atc.errors import AtcError, explain, main_error, parse_errors
from converter.atc.model_facts import read_model_facts
from converter.errors import InputError, StageError
from converter.model.om_header import OM_MAGIC
from converter.model.wording import last_line, shorten

#: What a shell returns for a child that signal 9 or 11 ended.
_SHELL_KILLED, _SHELL_SEGFAULT = 137, 139

#: What atc prints when it begins, while it works, and when it fails for whatever reason.
_NO_NEWS = ("ATC start working", "...", "ATC run failed")

#: Hint for failures that nothing explains.
_READ_THE_LOG = "the model's log has atc's full words"


def find_atc() -> Path | None:
    """The atc on PATH, if there is one."""
    found = shutil.which("atc")
    return Path(found) if found else None


def run_atc(
    argv: tuple[str, ...],
    onnx: Path,
    directory: Path,
    *,
    timeout: float,
    files: Mapping[str, Path] = MappingProxyType({}),
) -> Path:
    """Compile ``onnx`` in ``directory`` (created, used by this run alone); return the OM file.

    ``argv`` refers to the model as ``inference.onnx``, to the output as ``inference``, and to
    ``files`` (name -> file), which are copied too. atc's words go to the log. Raises ``StageError``
    when atc fails, exceeds ``timeout`` seconds, or ends well without an OM file, and ``InputError``
    when it cannot be started.
    """
    directory.mkdir()
    shutil.copyfile(onnx, directory / "inference.onnx")
    for name, needed in files.items():
        shutil.copyfile(needed, directory / name)
    try:
        ended = subprocess.run(
            argv,
            cwd=directory,
            env=compile_processes() | atc_environment(os.environ),
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
    if ended.returncode != 0 or _says_failed(words):
        raise _failure(ended.returncode, words, onnx)
    for om in (directory / "inference.om", *sorted(directory.glob("inference_*.om"))):
        if om.is_file():
            with om.open("rb") as file:
                if file.read(len(OM_MAGIC)) == OM_MAGIC:
                    return om
            raise StageError(f"{om.name} is not an OM file", hint="see the model's log")
    raise StageError(
        "atc ended with code 0 and without an OM file", hint="see the model's log for its words"
    )


def _says_failed(words: str) -> bool:
    """A wrapper around atc may lose the return code; its last word is still there."""
    return any(line.startswith("ATC run failed") for line in words.splitlines())


def _failure(returncode: int, words: str, onnx: Path) -> StageError:
    """What atc complained of, in its words and in ours."""
    errors = parse_errors(words)
    error = main_error(errors)
    model = read_model_facts(onnx)
    explained = explain(errors, model, output=words)
    if returncode < 0 or returncode in (_SHELL_KILLED, _SHELL_SEGFAULT):
        number = -returncode if returncode < 0 else returncode - 128
        cause = f"atc was killed by signal {number}"
        hint = (
            "memory ran out, most likely: compile fewer models at once, or set "
            "TE_PARALLEL_COMPILER=1"
            if number == signal.SIGKILL
            else "atc itself crashed; see its log below ~/ascend/log"
        )
        return StageError(f"{cause}: {_complaint(words, error)}", hint=hint)
    ended = f"atc ended with code {returncode}: {_complaint(words, error)}"
    if explained is None:
        return StageError(ended, hint=_READ_THE_LOG)
    message, hint = explained
    known = error is None or message != error.whole
    return StageError(f"{message}; {ended}" if known else ended, hint=f"{hint}. {_READ_THE_LOG}")


def _complaint(words: str, error: AtcError | None) -> str:
    """The error that says most, else the last line that is news."""
    if error is not None:
        return shorten(str(error), 2000)
    # A mistake in the command line has no code, and atc ends every failure with one sentence.
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    said = (line for line in reversed(lines) if not line.startswith(_NO_NEWS))
    return shorten(next(said, "")) or last_line(words) or "no output"
