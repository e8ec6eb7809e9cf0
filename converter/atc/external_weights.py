"""Weights that atc leaves beside an OM file (``--external_weight``), where the file needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from converter.errors import InputError
from converter.model.om_cmdline import flag_in

#: Directories beside ``inference.om``: of ``--external_weight=1``, and of ``=2``.
DIRECTORIES = ("weight", "inference_weight_combined")

_FLAG = "external_weight"


def are_asked_for(argv: Iterable[str]) -> bool:
    """Whether a command line makes atc write them."""
    return any(
        name.lstrip("-") == _FLAG and value not in ("", "0")
        for name, _, value in (word.partition("=") for word in argv)
    )


def is_one(name: str) -> bool:
    """Whether a file's name, relative to the OM file's directory, is that of such weights."""
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts and path.parts[:1] in _FIRST_PARTS


_FIRST_PARTS = tuple((name,) for name in DIRECTORIES)


def files_beside(om: Path) -> dict[str, Path]:
    """The weights beside ``om``: name relative to its directory -> file, in order."""
    return {str(path.relative_to(om.parent)): path for path in _walk(om.parent)}


def needed_by(om: Path, cmdline: str | None) -> dict[str, Path]:
    """The weights that an OM file cannot be loaded without; none for most.

    ``cmdline`` is the command line in the file. Raises ``InputError`` when they are not beside it.
    """
    if flag_in(cmdline or "", _FLAG) in (None, "", "0"):
        return {}
    found = files_beside(om)
    if not found:
        raise InputError(
            f"{om} was compiled with external weights, and they are not beside it",
            hint=f"copy the directory {DIRECTORIES[0]} or {DIRECTORIES[1]} from where it was made",
        )
    return found


def _walk(directory: Path) -> Iterator[Path]:
    for name in DIRECTORIES:
        for path in sorted((directory / name).rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path
