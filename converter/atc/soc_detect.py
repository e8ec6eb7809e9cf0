"""``--soc auto``: which chip is in this host, as its driver and its toolkit tell.

``npu-smi info`` prints a table whose layout changed over the years; what all have is a row per NPU
with its number, its name and its health. The name of an Atlas A3 or an Ascend 950 is not whole
there; ``npu-smi info -t board`` has it in two parts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from converter.atc.soc import check_soc_version, chip_of_card
from converter.errors import InputError

#: Seconds for each of the commands asked.
_PATIENCE = 30.0

#: ``| 2       310P3                 | OK              | NA  ...``; the line below each has a bus id
#: where this has the health.
_ROW = re.compile(
    r"^\|\s*(?P<npu>\d+)\s+(?P<name>[A-Za-z0-9][\w-]*)\s*\|\s*"
    r"(?:OK|Warning|Alarm|Critical|UNKNOWN|NA|-)\s*\|",
    re.MULTILINE | re.IGNORECASE,
)

#: ``| 0       0                     | 0000:01:00.0    |``: the chip of the NPU above.
_CHIP = re.compile(
    r"^\|\s*(\d+)\s+(?:\d+\s*)?\|\s*(?:[0-9A-F]{4}:)?[0-9A-F]{2}:", re.MULTILINE | re.I
)

#: Names that are only half of a soc_version.
_HALF = re.compile(r"(?:Ascend)?(?:910|910_93|950\w*)", re.IGNORECASE)

_ASK_ACL = "import acl; print('soc=' + acl.get_soc_name())"


def resolve_soc(asked: str) -> str:
    """The soc_version meant by ``auto``, a card's name, or itself; raises ``InputError``."""
    if asked == "auto":
        return detect_soc()
    return chip_of_card(asked) or check_soc_version(asked)


def detect_soc() -> str:
    """The chip of this host.

    Raises ``InputError`` when there is none, when nothing here can tell, or when there are several
    kinds.
    """
    found = _from_npu_smi() or _from_acl()
    if not found:
        raise InputError(
            "--soc auto: neither npu-smi nor CANN's Python module acl tells of a chip here",
            hint="give the chip itself, for example --soc Ascend310P3",
        )
    names = sorted({check_soc_version(name) for name in found})
    if len(names) > 1:
        raise InputError(
            f"--soc auto: there are several kinds of chips here: {', '.join(names)}",
            hint="give the one to compile for",
        )
    return names[0]


def _from_npu_smi() -> list[str]:
    if shutil.which("npu-smi") is None:
        return []
    table = _said_by(["npu-smi", "info"])
    names = []
    for npu, chip, name in read_table(table):
        if not _HALF.fullmatch(name):
            names.append(name)
            continue
        board = _said_by(["npu-smi", "info", "-t", "board", "-i", npu, "-c", chip])
        whole = read_board(board) or read_board(
            _said_by(["npu-smi", "info", "-t", "board", "-i", npu])
        )
        if not whole:
            return []  # acl may know it
        names.append(whole)
    return names


def read_table(text: str) -> list[tuple[str, str, str]]:
    """(NPU, chip, name with ``Ascend`` in front) of each row of ``npu-smi info``."""
    rows = []
    for row in _ROW.finditer(text):
        below = _CHIP.match(text, text.find("\n", row.end()) + 1)
        name = row["name"]
        name = name if name.lower().startswith("ascend") else f"Ascend{name}"
        rows.append((row["npu"], below[1] if below else "0", name))
    return rows


def read_board(text: str) -> str | None:
    """The soc_version in the lines of ``npu-smi info -t board``; None when they have none.

    ``Chip Name : Ascend910`` and ``NPU Name : 9392`` make ``Ascend910_9392``.
    """
    values = dict(re.findall(r"^\s*([\w ]+?)\s*:\s*(\S.*?)\s*$", text, re.MULTILINE))
    chip, npu = values.get("Chip Name", ""), values.get("NPU Name", "")
    if not chip:
        return None
    chip = chip.replace(" ", "")
    chip = chip if chip.lower().startswith("ascend") else f"Ascend{chip}"
    if npu and npu not in ("NA", "-"):
        return npu if npu.startswith("Ascend") else f"{chip}_{npu}"
    return None if _HALF.fullmatch(chip) else chip


def _from_acl() -> list[str]:
    """CANN's own answer, from a child: its module talks to the driver and may crash."""
    pythons = [sys.executable, shutil.which("python3")]
    for python in filter(None, dict.fromkeys(pythons)):
        found = re.search(r"^soc=(\w[\w-]*)$", _said_by([python, "-c", _ASK_ACL]), re.MULTILINE)
        if found:
            return [found[1]]
    return []


def _said_by(command: list[str]) -> str:
    """What a command prints; nothing when it fails or takes too long."""
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.decode(errors="replace") if ended.returncode == 0 else ""
