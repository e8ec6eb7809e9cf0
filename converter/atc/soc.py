"""The ``--soc_version`` values atc takes, and what people mean by others.

atc has no fixed list: it accepts the stem of every ``.ini`` file in the toolkit's
``data/platform_config`` directory. The names here are those of CANN 8.1.RC1 and 9.2; an installed
toolkit's own files are asked first.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from converter.atc.environment import TOOLKIT_VARIABLES
from converter.errors import InputError

_CANN_8_1_TO_9_2 = """
    AS31XM1X Ascend031 Ascend035 Ascend035A Ascend035B Ascend310 Ascend310B1 Ascend310B2
    Ascend310B3 Ascend310B4 Ascend310P1 Ascend310P3 Ascend310P5 Ascend310P7 Ascend350_354f
    Ascend350_355e Ascend610 Ascend610Lite Ascend910A Ascend910B Ascend910B1 Ascend910B2
    Ascend910B2C Ascend910B3 Ascend910B4 Ascend910B4-1 Ascend910PremiumA Ascend910ProA
    Ascend910ProB Ascend910_5591 Ascend910_9362 Ascend910_9363 Ascend910_9372 Ascend910_9381
    Ascend910_9382 Ascend910_9391 Ascend910_9392 Ascend910_95 Ascend950DT_950x Ascend950DT_950y
    Ascend950DT_9571 Ascend950DT_9572 Ascend950DT_9573 Ascend950DT_9574 Ascend950DT_9575
    Ascend950DT_9576 Ascend950DT_9577 Ascend950DT_9578 Ascend950DT_9581 Ascend950DT_9581x
    Ascend950DT_9582 Ascend950DT_9582x Ascend950DT_9583 Ascend950DT_9584 Ascend950DT_9585
    Ascend950DT_9586 Ascend950DT_9587 Ascend950DT_9588 Ascend950DT_9591 Ascend950DT_9592
    Ascend950DT_9595 Ascend950DT_9596 Ascend950DT_95A1 Ascend950DT_95A2 Ascend950PR_950z
    Ascend950PR_9579 Ascend950PR_957b Ascend950PR_957bx Ascend950PR_957c Ascend950PR_957d
    Ascend950PR_9589 Ascend950PR_958b Ascend950PR_9599 BS9SX1AA BS9SX1AB BS9SX1AC BS9SX2AA
    BS9SX2AB Hi3796CV300CS Hi3796CV300ES Kirin9030 KirinDev0000 KirinDev0001 KirinDev0002
    KirinDev0003 KirinX90 MC61AM21AA MC61AM21AB SD3403
"""

KNOWN = frozenset(_CANN_8_1_TO_9_2.split())

#: Names that atc takes for another chip than people mean.
_MISTAKABLE = {
    "Ascend910B": "Ascend910B is a first-generation Ascend 910. An Atlas A2, which npu-smi and "
    "people call 910B as well, is Ascend910B1, B2, B2C, B3, B4 or B4-1",
}

#: Family names that atc has no file for, and one that it has: what to write instead.
_FAMILIES = {
    "Ascend310P": "Ascend310P3 (Atlas 300I Pro, 300V, 300I Duo) or Ascend310P1",
    "Ascend310B": "Ascend310B4 (Atlas 200I DK A2) or Ascend310B1",
    "Ascend910": "Ascend910A, or Ascend910B1 to B4 for Atlas A2",
    "Ascend910_93": "Ascend910_9392, _9391, _9382, _9381, _9372, _9363 or _9362",
}


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


def check_soc_version(name: str) -> str:
    """Return ``name`` if atc can know it; ``InputError`` with the nearest names otherwise."""
    known = installed() | KNOWN
    if name in known:
        return name
    if name in _FAMILIES:
        raise InputError(
            f"{name} is a family of chips, not a soc_version", hint=f"use {_FAMILIES[name]}"
        )
    by_lower = {soc.lower(): soc for soc in known}
    meant = by_lower.get(name.strip().lower())
    if meant or not name.strip():
        raise InputError(
            f"unknown soc_version {name!r}",
            hint=f"did you mean {meant}?" if meant else "see `npu-smi info`: Ascend + Name",
        )
    candidates = [name.lower(), f"ascend{name.lower()}"]
    near = [match for c in candidates for match in difflib.get_close_matches(c, by_lower, 3, 0.8)]
    suggestion = ", ".join(dict.fromkeys(by_lower[match] for match in near))
    raise InputError(
        f"unknown soc_version {name!r}",
        hint=f"did you mean {suggestion}?" if suggestion else "see `npu-smi info`: Ascend + Name",
    )


def soc_warning(name: str) -> str | None:
    """What the user should know about a ``name`` that ``check_soc_version`` accepts."""
    return _MISTAKABLE.get(name)
