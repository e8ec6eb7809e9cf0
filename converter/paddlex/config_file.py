"""Configs and scripts we made: marked at the top, so that nobody's own file is overwritten."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from converter.errors import InputError
from converter.model.artefacts import write_atomically

_MARKER = "# Made by paddle2om; sha256 of the lines below: "
_BOM = b"\xef\xbb\xbf"


def write_config(path: Path, text: str, *, force: bool = False, through: bool = False) -> None:
    """Write ``text`` below our marker, which is a comment with the line end of the text.

    A script's ``#!`` line stays above it, and the script can be run.

    An existing file is replaced if paddle2om made it and nobody edited it since, or with
    ``force``; otherwise ``InputError``. ``through`` is for a path that the user names: a symbolic
    link stays one, and what it points to is written.
    """
    check_replaceable_config(path, force=force)
    data = text.encode("utf-8", "surrogateescape")
    interpreter, _ = _split(data.removeprefix(_BOM))
    written = Path(os.path.realpath(path)) if through else path
    try:
        written.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(written, _marked(data))
        if interpreter:
            mode = written.stat().st_mode
            # Whoever may read it may run it.
            written.chmod(mode | (mode & 0o444) >> 2)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}", hint="choose another file with -o"
        ) from error


def _marked(data: bytes) -> bytes:
    """``data`` with our marker on top, below a script's first line."""
    interpreter, body = _split(data.removeprefix(_BOM))
    first, _, _ = body.partition(b"\n")
    line_end = "\r\n" if first.endswith(b"\r") else "\n"
    marker = f"{_MARKER}{hashlib.sha256(interpreter + body).hexdigest()}{line_end}".encode()
    if data.startswith(_BOM):
        marker = _BOM + marker  # YAML allows it at the very beginning only
    return interpreter + marker + body


def relocated(data: bytes, here: str, there: str) -> bytes:
    """What ``write_config`` would have written, had the path ``here`` in it been ``there``.

    What ``write_config`` did not write is returned as it is.
    """
    bom = _BOM if data.startswith(_BOM) else b""
    interpreter, rest = _split(data.removeprefix(_BOM))
    first, _, body = rest.partition(b"\n")
    if not first.startswith(_MARKER.encode()):
        return data
    return _marked(bom + interpreter + body.replace(here.encode(), there.encode()))


def check_replaceable_config(path: Path, *, force: bool = False) -> None:
    """Raise ``InputError`` unless ``write_config`` may write there."""
    if path.is_dir():
        raise InputError(f"{path} is a directory", hint="give the name of the file to write")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file", hint="choose another file with -o")
    if path.exists() and not force:
        check_ours(path)


def check_ours(path: Path) -> None:
    """Raise ``InputError`` unless ``path`` is exactly as paddle2om wrote it."""
    try:
        interpreter, rest = _split(path.read_bytes().removeprefix(_BOM))
    except OSError as error:
        raise InputError(
            f"{path} exists and cannot be read: {error.strerror}",
            hint="choose another file with -o",
        ) from error
    first, _, body = rest.partition(b"\n")
    match = re.fullmatch(re.escape(_MARKER.encode()) + rb"([0-9a-f]{64})\r?", first)
    if match is None:
        raise InputError(
            f"{path} exists and was not made by paddle2om",
            hint="choose another file with -o, or replace it with --force",
        )
    if match[1].decode() != hashlib.sha256(interpreter + body).hexdigest():
        raise InputError(
            f"{path} has been edited since paddle2om made it",
            hint="choose another file with -o, or replace it with --force",
        )


def _split(data: bytes) -> tuple[bytes, bytes]:
    """The line that names a script's interpreter, if there is one, and what follows it."""
    if not data.startswith(b"#!"):
        return b"", data
    first, newline, rest = data.partition(b"\n")
    return first + newline, rest


def without_marker(data: bytes) -> bytes:
    """A config without the first line that ``write_config`` gave it, if it did."""
    bom = _BOM if data.startswith(_BOM) else b""
    first, _, body = data.removeprefix(_BOM).partition(b"\n")
    return bom + body if first.startswith(_MARKER.encode()) else data
