"""An output directory, which one run at a time may write to."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from converter.errors import InputError
from converter.model.artefacts import MANIFEST, remove_temporaries
from converter.model.names import REPORT_FILES
from converter.stages.stage import describe_os_error


@contextlib.contextmanager
def held(out_dir: Path) -> Iterator[None]:
    """Make ``out_dir``, and keep other runs out of it meanwhile.

    Half-written files of reports that a killed run left are removed. Raises ``InputError`` when
    ``out_dir`` cannot be written, and when another run holds it.
    """
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
