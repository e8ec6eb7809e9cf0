"""Files made by paddle2om: written atomically, recognised by digest, never over someone else's."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from converter.errors import InputError
from converter.model.result import Artefact

#: Lists what paddle2om made in a directory, so that a later run may replace it.
MANIFEST = "paddle2om.manifest.json"


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` is either as it was or complete.

    Raises ``OSError`` (disk full, permissions) and then leaves no temporary file behind.
    """
    # Not tempfile: its files are private, and ours should get the mode that umask gives.
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def read_manifest(directory: Path) -> dict[str, str]:
    """File name -> sha256 of what paddle2om last put into ``directory`` (empty when nothing)."""
    try:
        content = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_manifest(directory: Path, files: dict[str, str]) -> None:
    """Record that ``files`` (name -> sha256) in ``directory`` are paddle2om's."""
    content = {"tool": "paddle2om", "files": dict(sorted(files.items()))}
    write_atomically(directory / MANIFEST, (json.dumps(content, indent=2) + "\n").encode())


def remove_ours(directory: Path, *, keep: Collection[str] = ()) -> None:
    """Remove the files an earlier run put into ``directory``, except ``keep`` and edited ones."""
    for name, digest in read_manifest(directory).items():
        path = directory / name
        if name not in keep and path.is_file() and sha256_of(path) == digest:
            path.unlink()


def check_replaceable(directory: Path, names: Iterable[str]) -> None:
    """Refuse to go on when a file we would write exists and is not one that we made.

    Raises ``InputError`` naming the file.
    """
    ours = read_manifest(directory)
    for name in names:
        path = directory / name
        if path.exists() and ours.get(name) != sha256_of(path):
            raise InputError(
                f"{path} exists and was not made by paddle2om (or was changed since)",
                hint="choose another output directory with -o, or replace the file with --force",
            )


def describe_artefact(path: Path, root: Path) -> Artefact:
    """Name (relative to ``root``), size and digest of a file."""
    return Artefact(
        path=os.path.relpath(path, root), bytes=path.stat().st_size, sha256=sha256_of(path)
    )
