"""Every atc flag that means something for an ONNX model, and which CANN versions know it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from converter.errors import InputError

#: What ships with the package beside this file.
DATA = Path(__file__).parent / "data"

Kind: TypeAlias = Literal["switch", "integer", "text", "path"]

#: Taken for the user's CANN when nobody says which it is: the oldest that is still common.
ASSUMED_CANN = "8.1"


@dataclass(frozen=True)
class Flag:
    """One row of ``data/flags.json``.

    ``values`` is empty when the value is free. ``codes`` are those that mistakes with this flag
    earn, the one of a value outside ``values`` first. ``since`` is the first CANN version that
    knows the flag, as far as the sources tell; ``chips`` are the families it has an effect on, all
    when empty.
    """

    name: str
    kind: Kind
    meaning: str
    values: tuple[str, ...] = ()
    default: str | None = None
    codes: tuple[str, ...] = ()
    since: str | None = None
    chips: tuple[str, ...] = ()
    status: Literal["current", "deprecated", "removed"] = "current"


@cache
def all_flags() -> Mapping[str, Flag]:
    """Name (without dashes) -> flag, in the order of the reference page."""
    rows: list[dict[str, Any]] = json.loads((DATA / "flags.json").read_text(encoding="utf-8"))
    for row in rows:
        row.update({name: tuple(row.get(name, ())) for name in ("values", "codes", "chips")})
    flags = [Flag(**row) for row in rows]
    return {flag.name: flag for flag in flags}


#: Characters of the two numbers of a version.
_LONGEST_VERSION = 10


def version_key(cann: str) -> tuple[int, int]:
    """``8.1.RC1`` -> ``(8, 1)``; ``InputError`` when it is not a version."""
    found = re.match(r"([0-9]+)(?:\.([0-9]+))?", cann)
    if found is None or found.end() > _LONGEST_VERSION:
        raise InputError(
            f"{cann!r} is not a CANN version", hint="write it like 8.1 or 8.1.RC1, as in its name"
        )
    return int(found[1]), int(found[2] or 0)


def is_known(since: str | None, cann: str | None) -> bool:
    """Whether CANN ``cann`` (``ASSUMED_CANN`` when not known) has what came with ``since``."""
    return since is None or version_key(cann or ASSUMED_CANN) >= version_key(since)


def refusal(message: str, *, hint: str, code: str | None = None) -> InputError:
    """The error for a command line that atc would end with ``code``; None where it has no code."""
    return InputError(f"{message} (atc: {code})" if code else message, hint=hint)
