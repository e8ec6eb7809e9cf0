"""Reading a user's files: the operating system's refusals become ``InputError`` with a hint."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from converter.errors import InputError

#: Size, times of modification and of change (ns), and inode of a file: ``signature``.
Signature = tuple[int, int, int, int]

#: First bytes of the stand-in that Git LFS leaves when a clone has not fetched its large files.
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def signature(path: Path) -> Signature:
    """What changes when a file does. Raises ``OSError``.

    The time of change is the one that nobody can set: ``cp -p`` over a file keeps all the others.
    It is the same on all machines that share the file.
    """
    return signature_of(path.stat())


def signature_of(status: os.stat_result) -> Signature:
    """The signature in what the system says of a file."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def unreadable(path: Path, error: OSError) -> InputError:
    """Say why ``path`` could not be read, and what to do about it."""
    if isinstance(error, PermissionError):
        return InputError(
            f"permission denied: {path}",
            hint="give the user that runs paddle2om read access to the file and its directory",
        )
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path} does not exist", hint="check the path for a typing mistake")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} is a directory, not a file", hint="name the file inside it")
    reason = error.strerror or errno.errorcode.get(error.errno or 0, "unknown error")
    return InputError(
        f"cannot read {path}: {reason}", hint="check the path and the disk that it is on"
    )


def read_head(path: Path, count: int) -> bytes:
    """Return the first ``count`` bytes of a file (fewer when it is shorter).

    Raises ``InputError`` when the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise unreadable(path, error) from error


def read_all(path: Path) -> bytes:
    """Return a file's bytes. Raises ``InputError`` when it cannot be read or is empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if not data:
        raise InputError(f"{path} is empty", hint="copy or download the file again")
    return data


def read_json_text(path: Path, *, hint: str) -> tuple[str, Any]:
    """A file's text, and what it is as JSON; a byte order mark may be in front.

    Raises ``InputError`` with ``hint`` when it cannot be read, or is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if not text.strip():
            raise InputError(f"{path} is empty", hint=hint)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", hint=hint) from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", hint=hint) from error
    return text, parse_json(text, path, hint=hint)


def parse_json(text: str | bytes, path: Path, *, hint: str) -> Any:
    """What the text of the file ``path`` is as JSON. Raises ``InputError`` with ``hint``."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of 5000 digits, 1000 brackets
        raise InputError(f"{path} is not valid JSON: {error}", hint=hint) from error


def reject_lfs_pointer(path: Path, head: bytes) -> None:
    """Raise ``InputError`` when ``head``, a file's first bytes, are those of a Git LFS pointer."""
    if head.startswith(LFS_POINTER):
        raise InputError(
            f"{path} is a Git LFS pointer, not the file itself",
            hint="run `git lfs install && git lfs pull` in the repository that it was cloned from",
        )
