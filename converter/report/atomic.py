"""Writing a report so that a reader never sees half of one."""

from __future__ import annotations

from pathlib import Path

from converter.errors import InputError
from converter.model.artefacts import write_atomically


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whose directory is created; raises ``InputError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}",
            hint="name a file in a directory that you can write to and that has space left",
        ) from error
