"""Runs atc in a directory of its own and accepts nothing but an OM file."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from converter.atc.environment import atc_environment
from converter.atc.errors import AtcError, explain, main_error, parse_errors
from converter.atc.model_facts import read_model_facts
from converter.atc.runners.beside_atc import find_program
from converter.atc.runners.contract import AtcJob, AtcRun, LogSink, Runner
from converter.atc.runners.local import LocalRunner
from converter.errors import StageError
from converter.model.om_header import OM_MAGIC
from converter.model.wording import last_line, shorten

#: What a shell returns for a child that signal 9 or 11 ended.
_SHELL_KILLED, _SHELL_SEGFAULT = 137, 139

#: What atc prints when it begins, while it works, and when it fails for whatever reason.
_NO_NEWS = ("ATC start working", "...", "ATC run failed")

#: How every program says that a disk is full, and how little is left of one that is (bytes).
_NO_SPACE, _NEARLY_FULL = "No space left on device", 1 << 20

#: Hint for failures that nothing explains.
_READ_THE_LOG = "the model's log has atc's full words"


def find_atc() -> Path | None:
    """The atc of this host: on PATH, or where CANN's set_env.sh leads to."""
    found = find_program("atc", atc_environment(os.environ))
    return Path(found) if found else None


def run_atc(
    argv: tuple[str, ...],
    onnx: Path,
    directory: Path,
    *,
    timeout: float,
    runner: Runner | None = None,
    files: Mapping[str, Path] | None = None,
    log: LogSink | None = None,
) -> Path:
    """Compile ``onnx`` in ``directory`` (created, used by this run alone); return the OM file.

    ``argv`` refers to the model as ``inference.onnx``, to the output as ``inference``, and to other
    files by the names that ``files`` has for them. Without ``runner`` atc is the one of this host;
    without ``log`` its words go to standard error, the worker's log. Raises what ``Runner.run``
    and ``om_of`` raise.
    """
    job = AtcJob(argv, {"inference.onnx": onnx, **(files or {})}, directory, timeout)
    run = (runner or LocalRunner()).run(job, log or _to_stderr)
    return om_of(run, onnx, timeout=timeout)


def om_of(run: AtcRun, onnx: Path, *, timeout: float) -> Path:
    """The OM file that a run made: neither its return code nor its words are enough.

    Raises ``StageError`` when atc failed, was killed, was not done after ``timeout`` seconds, or
    ended well without an OM file.
    """
    if run.returncode is None:
        raise StageError(
            f"atc did not end within {timeout:.0f} s", hint="raise --timeout, or see its log"
        )
    if run.returncode != 0 or _says_failed(run.words):
        raise _failure(run, onnx)
    for om in sorted(run.om_files, key=lambda path: path.name != "inference.om"):
        if om.parent != run.directory or not om.name.startswith("inference"):
            continue
        with om.open("rb") as file:
            if file.read(len(OM_MAGIC)) == OM_MAGIC:
                return om
        raise StageError(f"{om.name} is not an OM file", hint="see the model's log")
    raise StageError(
        "atc ended with code 0 and without an OM file", hint="see the model's log for its words"
    )


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _says_failed(words: str) -> bool:
    """A wrapper around atc may lose the return code; its last word is still there."""
    return any(line.startswith("ATC run failed") for line in words.splitlines())


def _failure(run: AtcRun, onnx: Path) -> StageError:
    """What atc complained of, in its words and in ours."""
    returncode, words = run.returncode or 0, run.words
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
            else "atc itself crashed; the model's log has its last words"
        )
        return StageError(f"{cause}: {_complaint(words, error)}", hint=hint)
    ended = f"atc ended with code {returncode}: {_complaint(words, error)}"
    if _NO_SPACE in words or (run.free_bytes is not None and run.free_bytes < _NEARLY_FULL):
        hint = f"the disk of {run.where} is full: free some space in its temporary directory"
        return StageError(ended, hint=hint)
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
