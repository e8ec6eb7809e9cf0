"""Every case there is: the families in ``tests/matrix/families``, one file each."""

from __future__ import annotations

from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

from tests.matrix.case import Case, Family

FAMILIES = Path(__file__).parent / "families"


def families() -> list[Family]:
    """Every family, by name. Importing them imports Paddle."""
    names = sorted(path.stem for path in FAMILIES.glob("*.py"))
    return [import_module(f"tests.matrix.families.{name}").family for name in names]


def cases(patterns: list[str] | None = None, only: list[str] | None = None) -> list[Case]:
    """The cases whose id matches one of the globs (``activations.*``, ``*conv*``), by family.

    ``only`` names families.
    """
    found = [case for family in families() for case in family]
    if only:
        found = [case for case in found if case.family in only]
    if patterns:
        found = [case for case in found if any(fnmatch(case.id, p) for p in patterns)]
    return found
