"""Writes docs/reference/atc-errors.md and the table of docs/reference/atc-command.md.

Run it after a change of converter/atc/data: ``python tests/docs/atc_reference.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

from converter.atc.flags import DATA, all_flags

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
MARK = "<!-- The table below is written by tests/docs/atc_reference.py. -->\n"

_ERRORS = """# atc's errors

What the compile stage says when atc fails: the cause, and what helps. The words are paddle2om's;
the codes are those of CANN 8.1 and 9.2, of other versions where the last column is empty. A code
that is not here is shown with all that atc said. `E19999` and `EZ9999` only wrap other errors, so
they are reported when there is no other. Codes that begin with W are warnings and fail nothing.

<!-- Written by tests/docs/atc_reference.py. -->

## Recognised by their words

| Code | Cause | What helps |
|---|---|---|
"""

_FLAGS = """
| Flag | Meaning | Values | Without it | Since CANN | Codes |
|---|---|---|---|---|---|
"""


def errors_page() -> str:
    """The whole page about errors."""
    data = json.loads((DATA / "errors.json").read_text(encoding="utf-8"))
    cases = [_row(row.get("code", "any"), row["cause"], row["todo"]) for row in data["cases"]]
    codes = [
        _row(row["code"], row["cause"], row["todo"], ", ".join(row["seen_in"]))
        for row in sorted(data["codes"], key=lambda row: (row["code"][0] == "W", row["code"]))
    ]
    head = "\n## By code\n\n| Code | Cause | What helps | Seen in CANN |\n|---|---|---|---|\n"
    return _ERRORS + "".join(cases) + head + "".join(codes)


def flags_table() -> str:
    """The table of flags."""
    lines = [_FLAGS]
    for flag in all_flags().values():
        values = ", ".join(f"`{value}`" for value in flag.values) or flag.kind
        meaning = flag.meaning if flag.status == "current" else f"({flag.status}) {flag.meaning}"
        default = f"`{flag.default}`" if flag.default else ""
        since = flag.since or ""
        lines.append(_row(f"`{flag.name}`", meaning, values, default, since, " ".join(flag.codes)))
    return "".join(lines)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def command_page() -> str:
    """The page about the command, with its table replaced."""
    text = (REFERENCE / "atc-command.md").read_text(encoding="utf-8")
    return text.partition(MARK)[0] + MARK + flags_table()


if __name__ == "__main__":
    (REFERENCE / "atc-errors.md").write_text(errors_page(), encoding="utf-8")
    (REFERENCE / "atc-command.md").write_text(command_page(), encoding="utf-8")
