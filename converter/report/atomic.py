"""Writing a report so that a reader never sees half of one, and never in place of a device."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from converter.errors import InputError
from converter.model.artefacts import write_atomically


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whose directory is created; raises ``InputError``.

    For files of an output directory: whatever ``path`` is, a link too, is replaced.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise unwritable(path, error) from error


def write_text_through(path: Path, text: str) -> None:
    """As ``write_text_atomically``, for a path that the user names.

    A device, a FIFO and what a symbolic link points to are written to and stay what they are:
    ``/dev/stdout`` is a link, and may lead to a file that the shell holds open.
    """
    if not path.is_symlink() and (path.is_file() or not path.exists()):
        write_text_atomically(path, text)
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise unwritable(path, error) from error


def check_writable(path: Path) -> None:
    """Look whether ``path`` can be written, as far as one can tell. Raises ``InputError``.

    For what takes long to make: the disk may be full by then, but a directory is one now.
    """
    try:
        through = path.exists() and (path.is_symlink() or not path.is_file())
        # The target of a link is made, and nothing on the way to it.
        dangling = path.is_symlink() and not through
        target = Path(os.path.realpath(path)) if dangling else path
        parents = target.absolute().parents
        there = path if through else next(p for p in parents if dangling or p.exists())
        wrong = 0
        if path.is_dir():
            wrong = errno.EISDIR
        elif dangling and target.is_symlink():
            wrong = errno.ELOOP
        elif not there.exists():
            wrong = errno.ENOENT
        elif not through and not there.is_dir():
            wrong = errno.ENOTDIR
        elif not os.access(there, os.W_OK):
            wrong = errno.EACCES
    except OSError as error:
        raise unwritable(path, error) from error
    if wrong:
        raise unwritable(path, OSError(wrong, os.strerror(wrong)))


def unwritable(path: Path, error: OSError) -> InputError:
    """What to tell of a report that cannot be written."""
    return InputError(
        f"cannot write {path}: {error.strerror or error}",
        hint="name a file in a directory that you can write to and that has space left",
    )
