"""Files made by paddle2om: written atomically, recognised by digest, never over someone else's."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from converter.errors import InputError
from converter.model.files import read_json_text
from converter.model.result import Artefact, Placement

#: What tells one temporary file from another.
_TOKEN = re.compile("[0-9a-f]{8}")

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
    temporary = _temporary_beside(path)
    # Not tempfile: its files are private, and ours should get the mode that umask gives.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_quickly(path: Path, data: bytes) -> None:
    """As ``write_atomically``, for what may be lost in a power cut; makes the directory.

    Raises ``OSError``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_beside(path)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def move_into_place(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``; copy it first where the file systems are different."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = _temporary_beside(target)
        try:
            shutil.copy2(source, temporary)
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def flush(path: Path) -> None:
    """Wait until the disk has a file's bytes, or a directory's names.

    Raises ``OSError``: some file systems say only now that they are full.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # it cannot be asked for there
            raise
    finally:
        os.close(descriptor)


def remove_temporaries(directory: Path, names: Iterable[str]) -> None:
    """Remove what a process that was killed while it wrote ``names`` left behind.

    Nobody else may be writing them now. Raises ``OSError``.
    """
    for name in names:
        path = directory / name
        if not path.parent.is_dir():
            continue
        begins = f".{path.name[:200]}."
        for found in path.parent.iterdir():
            middle = found.name.removeprefix(begins).removesuffix(".tmp")
            if found.name == f"{begins}{middle}.tmp" and _TOKEN.fullmatch(middle):
                found.unlink(missing_ok=True)


def _temporary_beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.tmp")


def _read(directory: Path) -> dict[str, object]:
    try:
        _, content = read_json_text(directory / MANIFEST, hint="")
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def read_manifest(directory: Path) -> dict[str, list[str]]:
    """File name -> digests that a file of ours by that name may have; empty when there are none.

    There are two while a file is being replaced. Names that lead out of ``directory`` are ignored.
    """
    files = _read(directory).get("files")
    found = {}
    for name, digests in files.items() if isinstance(files, dict) else ():
        inside = not Path(name).is_absolute() and ".." not in Path(name).parts
        if inside and isinstance(digests, list):
            found[name] = [str(digest) for digest in digests]
    return found


def read_om_input_shape(directory: Path) -> str | None:
    """The static input shapes that ``inference.om`` was (or is to be) compiled for.

    In the form of atc's ``--input_shape``, for example ``x:1,3,48,320``; None when not known.
    """
    shape = _read(directory).get("om_input_shape")
    return shape if isinstance(shape, str) else None


def read_placement(directory: Path) -> Placement | None:
    """What PaddleX should run of the model in ``directory``; None when nobody has decided."""
    try:
        return Placement.model_validate(_read(directory).get("placement"))
    except ValidationError:
        return None


def read_run_content(directory: Path) -> dict[str, Any] | None:
    """What the manifest of ``directory`` says of the run that filled it, unchecked; None if not."""
    run = _read(directory).get("run")
    return run if isinstance(run, dict) else None


def write_manifest(
    directory: Path,
    files: dict[str, list[str]],
    *,
    om_input_shape: str | None = None,
    placement: Placement | None = None,
    run: dict[str, Any] | None = None,
    flushed: bool = True,
) -> None:
    """Record that ``files`` (name -> sha256 digests) in ``directory`` are paddle2om's.

    ``run`` is what a run was made from and what it made (``converter.model.run_manifest``).
    ``flushed`` is False where a power cut may lose it, since there is nothing yet to be lost.
    """
    data = manifest_bytes(files, om_input_shape=om_input_shape, placement=placement, run=run)
    (write_atomically if flushed else write_quickly)(directory / MANIFEST, data)


def manifest_bytes(
    files: dict[str, list[str]],
    *,
    om_input_shape: str | None = None,
    placement: Placement | None = None,
    run: dict[str, Any] | None = None,
) -> bytes:
    """The manifest's content."""
    content: dict[str, object] = {"tool": "paddle2om", "files": dict(sorted(files.items()))}
    if om_input_shape is not None:
        content["om_input_shape"] = om_input_shape
    if placement is not None:
        content["placement"] = placement.model_dump(mode="json")
    if run is not None:
        content["run"] = run
    return (json.dumps(content, indent=2) + "\n").encode()


def remove_ours(directory: Path, *, keep: Collection[str] = ()) -> None:
    """Remove the files an earlier run put into ``directory``, except ``keep`` and edited ones."""
    for name, digests in read_manifest(directory).items():
        path = directory / name
        if name not in keep and path.is_file() and sha256_of(path) in digests:
            path.unlink()
            with contextlib.suppress(OSError):  # a directory of ours, unless something is in it
                if path.parent != directory:
                    path.parent.rmdir()


def check_replaceable(directory: Path, names: Iterable[str]) -> None:
    """Refuse to go on when a file we would write exists and is not one that we made.

    Raises ``InputError`` naming the file.
    """
    ours = read_manifest(directory)
    for name in names:
        path = directory / name
        if path.exists() and (not path.is_file() or sha256_of(path) not in ours.get(name, ())):
            raise InputError(
                f"the output is occupied: {path} exists and was not made by paddle2om (or was "
                "changed since)",
                hint="choose another output directory with -o, or replace the file with --force",
            )


def describe_artefact(path: Path, root: Path, digest: str) -> Artefact:
    """Name (relative to ``root``), size and digest of a file."""
    return Artefact(path=os.path.relpath(path, root), bytes=path.stat().st_size, sha256=digest)
