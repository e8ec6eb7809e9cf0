"""The ``--soc_version`` values atc takes, and what people mean by others.

atc has no fixed list: it accepts the stem of every ``.ini`` file in the toolkit's
``data/platform_config`` directory. The names in ``data/soc.json`` are those of CANN 8.1.RC1 and
9.2; an installed toolkit's own files are asked first.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from converter.atc.environment import TOOLKIT_VARIABLES
from converter.atc.flags import DATA
from converter.errors import InputError

#: What to do when nothing is known.
_FIND_OUT = "see `npu-smi info`: Ascend + Name; or give --soc auto where the chip is"

#: How alike two names have to be to be suggested.
_ALIKE = 0.8


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads((DATA / "soc.json").read_text(encoding="utf-8"))
    return table


def _known() -> frozenset[str]:
    return frozenset(name for names in _table()["families"].values() for name in names)


#: Every soc_version of CANN 8.1.RC1 and 9.2.
KNOWN = _known()


def installed() -> frozenset[str]:
    """soc_version names of the CANN toolkit in this environment; empty without one."""
    homes = (os.environ.get(name) for name in TOOLKIT_VARIABLES)
    files = (
        ini
        for home in homes
        if home
        for ini in Path(home).glob("*-linux/data/platform_config/*.ini")
    )
    return frozenset(ini.stem for ini in files)


def family_of(name: str) -> str:
    """The family of chips that a soc_version belongs to; itself when not known."""
    families: Mapping[str, list[str]] = _table()["families"]
    return next((family for family, names in families.items() if name in names), name)


def same_chip(made: str, asked: str) -> bool:
    """Whether a file made for ``made`` is one for ``asked``: atc may write the family's name."""
    aliases: Mapping[str, str] = _table()["aliases"]
    asked = aliases.get(asked, asked)
    return aliases.get(made, made) == asked or made == family_of(asked)


def check_soc_version(name: str) -> str:
    """Return ``name`` if atc can know it; ``InputError`` with the nearest names otherwise."""
    known = installed() | KNOWN
    if name in known:
        return name
    families: Mapping[str, str] = _table()["bare_families"]
    if name in families:
        raise InputError(
            f"{name} is a family of chips, not a soc_version", hint=f"use {families[name]}"
        )
    raise InputError(f"unknown soc_version {name!r}", hint=_suggestion(name, known))


def _suggestion(name: str, known: Iterable[str]) -> str:
    by_lower = {soc.lower(): soc for soc in known}
    bare = name.strip().lower()
    for spelt in (bare, f"ascend{bare}"):
        if bare and spelt in by_lower:
            return f"did you mean {by_lower[spelt]}?"
    spellings = (bare, f"ascend{bare}") if bare else ()
    found = [
        match
        for spelt in spellings
        for match in difflib.get_close_matches(spelt, by_lower, 3, _ALIKE)
    ]
    names = ", ".join(dict.fromkeys(by_lower[match] for match in found))
    if names:
        return f"did you mean {names}?"
    here = ", ".join(sorted(installed()))
    return f"the CANN toolkit here has {here}" if here else _FIND_OUT


def chip_of_card(name: str) -> str | None:
    """The soc_version of a card by its product name, ``Atlas 300I Duo``; None for no card's name.

    Raises ``InputError`` when the card comes with several chips.
    """
    cards: Mapping[str, list[str]] = _table()["cards"]
    by_name = {_plain(card): chips for card, chips in cards.items()}
    chips = by_name.get(_plain(name)) or by_name.get("atlas" + _plain(name))
    if chips is None:
        return None
    if len(chips) > 1:
        raise InputError(
            f"{name} comes with several chips",
            hint=f"give the one that npu-smi info names: {', '.join(chips)}",
        )
    return chips[0]


def _plain(card: str) -> str:
    return re.sub(r"[^a-z0-9]", "", card.lower().replace("huawei", ""))


def soc_warning(name: str) -> str | None:
    """What the user should know about a ``name`` that ``check_soc_version`` accepts."""
    warnings: Mapping[str, str] = _table()["warnings"]
    if name in warnings:
        return warnings[name]
    here = installed()
    if here and name not in here:
        return (
            f"the CANN toolkit here has no {name}: atc will end with E20101. It has: "
            f"{', '.join(sorted(here))}"
        )
    return None
