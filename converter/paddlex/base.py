"""Finds the config that is edited: a file, or one of an installed (or merely unpacked) PaddleX.

PaddleX is looked at, never imported: importing it takes seconds and asks model hosts.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import re
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from converter.errors import InputError
from converter.model.files import read_all, unreadable
from converter.paddlex.matching import suggest
from converter.resources import template_dir

_CONFIGS = "paddlex/configs/pipelines"
_WHEEL = re.compile(r"paddlex-(\d+\.\d+[^-]*)-.*\.whl", re.IGNORECASE)

#: Where the configs lie below a directory that a user would name.
_BELOW = ("", "pipelines", "configs/pipelines", _CONFIGS)


@dataclass(frozen=True)
class Base:
    """A config's bytes, what to call it, and the PaddleX version it came with, if that is known."""

    name: str
    data: bytes
    version: str | None = None


def find_base(name: str, directory: Path | None = None) -> Base:
    """The config that ``name`` means: a file, or a pipeline's name.

    ``directory`` holds PaddleX's configs, or is a PaddleX wheel. Without it, the PaddleX installed
    beside paddle2om is used; without that, our own OCR config for OCR. Raises ``InputError``.
    """
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml") or path.is_file():
        return Base(str(path), read_all(path))
    if "/" in name or name in ("", ".", ".."):
        raise InputError(
            f"{name} does not exist", hint="give a pipeline's name, like OCR, or a config file"
        )
    if directory is not None:
        return _from(directory, name)
    installed = installed_paddlex()
    if installed is not None:
        root, version = installed
        return _named(sorted(root.glob("*.yaml")), name, f"PaddleX {version}", version)
    if name == "OCR":
        return own_base()
    raise InputError(
        f"there is no PaddleX here to take the config of {name} from",
        hint="pip install 'paddle2om[paddlex]'; or pip download --no-deps paddlex==3.7.2 and give "
        "the wheel with --base-dir; or give the config file itself. OCR needs none of them",
    )


def check_base(name: str, directory: Path | None = None) -> None:
    """Raise ``InputError`` where ``find_base`` would, unless only a PaddleX is missing here.

    The config may be written by another machine, which has one.
    """
    if directory is not None or installed_paddlex() is not None:
        try:
            find_base(name, directory)
        except OSError as error:  # a name that is too long for a file
            raise unreadable(Path(name), error) from error


def own_base() -> Base:
    """Our own OCR config, which needs no PaddleX."""
    path = template_dir() / "paddlex" / "base" / "OCR.yaml"
    return Base("paddle2om's OCR.yaml", path.read_bytes())


def installed_paddlex() -> tuple[Path, str] | None:
    """The directory of the installed PaddleX's configs, and its version; None without PaddleX."""
    try:
        found = importlib.metadata.distribution("paddlex")
    except importlib.metadata.PackageNotFoundError:
        return None
    root = Path(str(found.locate_file(_CONFIGS)))
    if not root.is_dir():  # installed in place, from a checkout
        spec = importlib.machinery.PathFinder.find_spec("paddlex", sys.path)
        places = spec.submodule_search_locations if spec else None
        root = Path(next(iter(places or ["."]))) / "configs" / "pipelines"
    return (root, found.version) if root.is_dir() else None


def _from(directory: Path, name: str) -> Base:
    if directory.suffix == ".whl":
        return _from_wheel(directory, name)
    for below in _BELOW:
        configs = sorted((directory / below).glob("*.yaml"))
        if any(config.stem == name for config in configs):
            return _named(configs, name, str(directory), None)
    found = [config for below in _BELOW for config in sorted((directory / below).glob("*.yaml"))]
    if not found:
        raise InputError(
            f"there are no pipeline configs in {directory}",
            hint=f"give the directory {_CONFIGS} of a PaddleX, or its wheel",
        )
    return _named(found, name, str(directory), None)


def _from_wheel(wheel: Path, name: str) -> Base:
    match = _WHEEL.fullmatch(wheel.name)
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if re.fullmatch(f"{_CONFIGS}/[^/]+\\.yaml", n)]
            stems = {Path(n).stem: n for n in names}
            if name in stems:
                version = match[1] if match else None
                return Base(f"{wheel.name}/{name}.yaml", archive.read(stems[name]), version)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{wheel} cannot be read as a wheel: {error}",
            hint="pip download --no-deps paddlex==3.7.2 fetches one",
        ) from error
    raise _unknown(name, stems, str(wheel))


def _named(configs: Iterable[Path], name: str, where: str, version: str | None) -> Base:
    by_stem = {config.stem: config for config in configs}
    if name not in by_stem:
        raise _unknown(name, by_stem, where)
    return Base(str(by_stem[name]), read_all(by_stem[name]), version)


def _unknown(name: str, known: Iterable[str], where: str) -> InputError:
    return InputError(
        f"there is no pipeline {name} in {where}",
        hint=suggest(name, sorted(known), "its pipelines are"),
    )
