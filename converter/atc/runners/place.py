"""Reads where atc is to run: ``local``, ``ssh:HOST``, ``container:IMAGE``, ``bundle:DIR``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from converter.atc.runners.container import ContainerRunner
from converter.atc.runners.contract import Runner
from converter.atc.runners.local import LocalRunner
from converter.atc.runners.ssh import SshRunner
from converter.errors import InputError

#: The default.
HERE = "local"

_FORMS = "local, ssh:HOST, container:IMAGE or bundle:DIR"


@dataclass(frozen=True)
class BundlePlace:
    """A machine that cannot be reached: what it needs is written to ``directory``."""

    directory: Path


def parse_place(text: str) -> Runner | BundlePlace:
    """The runner, or the bundle, that a text names. Raises ``InputError``."""
    if text == HERE:
        return LocalRunner()
    kind, colon, rest = text.partition(":")
    if kind == "ssh" and text.startswith("ssh://"):
        return SshRunner(text)
    if colon and rest:
        if kind == "ssh":
            return SshRunner(rest)
        if kind == "container":
            return ContainerRunner(rest)
        if kind == "bundle":
            return BundlePlace(Path(rest))
    raise InputError(f"atc cannot run on {text!r}", hint=f"give {_FORMS}")


def absolute_place(text: str) -> str:
    """``text`` with the directory of a bundle made absolute. Raises ``InputError``."""
    place = parse_place(text)
    return f"bundle:{place.directory.absolute()}" if isinstance(place, BundlePlace) else text
