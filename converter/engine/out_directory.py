"""An output directory, which one run at a time may write to, from its first check to its report."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from converter.engine.interruption import guarded
from converter.errors import InputError
from converter.model.artefacts import MANIFEST, remove_temporaries
from converter.model.names import REPORT_FILES
from converter.stages.stage import describe_os_error


@dataclass
class _Whole:
    """The directory of a run and its reports, if they have one, and what ends with them."""

    out_dir: Path | None
    stack: contextlib.ExitStack
    begun: bool = False
    held: bool = False


#: The run around, of this thread.
_whole: ContextVar[_Whole | None] = ContextVar("whole", default=None)


@contextlib.contextmanager
def whole_run(out_dir: Path | None) -> Iterator[None]:
    """A run in ``out_dir`` and the writing of its reports; None where it leaves nothing.

    Once ``held`` within, it stays so to the end: no other run comes between a run and its reports.
    From then on Ctrl-C ends the work and not the writing (``converter.engine.interruption``).
    Whatever may wait for somebody else comes after it: other files, standard output and error.
    """
    with contextlib.ExitStack() as stack:
        token = _whole.set(_Whole(out_dir, stack))
        try:
            yield
        finally:
            _whole.reset(token)


@contextlib.contextmanager
def held(out_dir: Path) -> Iterator[None]:
    """Make ``out_dir``, and keep other runs out of it meanwhile, or to the end of ``whole_run``.

    Half-written files of reports that a killed run left are removed. Raises ``InputError`` when
    ``out_dir`` cannot be written, and when another run holds it.
    """
    whole = _whole.get()
    if whole is not None and not whole.begun:
        whole.stack.enter_context(guarded())
        whole.begun = True
    if whole is None or whole.out_dir != out_dir:
        with _locked(out_dir):
            yield
        return
    if not whole.held:
        whole.stack.enter_context(_locked(out_dir))
        whole.held = True
    yield


@contextlib.contextmanager
def _locked(out_dir: Path) -> Iterator[None]:
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(out_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(error) from error
    try:
        try:
            # The lock is on the directory itself: it leaves nothing, and goes with the process.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another paddle2om is writing to {out_dir}",
                hint="wait for it, or choose another output directory with -o",
            ) from None
        except OSError:
            pass  # a file system without locks
        try:
            remove_temporaries(out_dir, (MANIFEST, *REPORT_FILES))
        except OSError as error:
            raise cannot_write(error) from error
        yield
    finally:
        os.close(lock)


def cannot_write(error: OSError) -> InputError:
    """What the system says of an output directory."""
    refused = describe_os_error(error)
    return InputError(f"cannot write to the output directory: {refused.message}", hint=refused.hint)
