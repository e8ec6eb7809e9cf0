"""What an output directory holds, and what a model in it may be called."""

from __future__ import annotations

import unicodedata

from converter.errors import InputError
from converter.model.artefacts import MANIFEST

LOG_DIRECTORY = "logs"

REPORT_FILES = ("report.json", "report.html")

#: What paddle2om writes into an output directory besides the models.
RESERVED = (LOG_DIRECTORY, *REPORT_FILES, MANIFEST)

#: A name becomes one of a directory and, with ``.log``, of a file; file systems take 255 bytes.
MAX_NAME_BYTES = 200

#: Unicode's categories of what is no part of a name on one line.
_NO_NAME = ("Cc", "Cs", "Zl", "Zp")


def check_model_name(name: str) -> None:
    """Raise ``InputError`` for what cannot be the name of a model in an output directory."""
    if name in RESERVED:
        why = "paddle2om writes a file of that name"
    elif name in ("", ".", "..") or "/" in name:
        why = "it becomes the name of a directory"
    elif any(unicodedata.category(char) in _NO_NAME for char in name):
        why = "it has a newline, or another character that is none to be read"
    elif len(name.encode()) > MAX_NAME_BYTES:
        why = f"it has {len(name.encode())} bytes, and {MAX_NAME_BYTES} are the most"
        name = f"{name[:40]}..."
    else:
        return
    raise InputError(
        f"{name!r} cannot be the name of a model: {why}",
        hint="rename it, or give another name in a recipe (name: ...)",
    )
