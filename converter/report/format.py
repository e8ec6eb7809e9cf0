"""How numbers, durations, sizes, shapes and foreign text are written for people."""

from __future__ import annotations

import math
import shlex
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Context, Decimal

from converter.model.counting import count as count  # to be found with the others
from converter.model.counting import listed as listed

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")

#: Characters that reorder the text around them, so that a name can pass for another one.
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

#: What the views' own signs become where the encoding cannot show them.
_ASCII = str.maketrans(
    {"→": "->", "–": "-", "−": "-", "×": "x", "≤": "<=", "≥": ">=", "…": "...", "·": "-"}
)


def number(value: float, digits: int = 2) -> str:
    """Write a metric with ``digits`` significant digits: ``9.5e-06``, ``0.12``, ``NaN``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    scientific = f"{value:.{digits - 1}e}"
    if -3 <= int(scientific.partition("e")[2]) <= 3:
        return format(Decimal(scientific), "f")
    return scientific


def at_least(value: float, digits: int = 2) -> str:
    """Write a tolerance rounded up, so that the number printed is one that passes."""
    if value <= 0 or not math.isfinite(value):
        return number(value, digits)
    return number(float(Decimal(value).normalize(Context(digits, ROUND_CEILING))), digits)


def setting(value: float) -> str:
    """Write a number that the user chose the way it was chosen: ``0.0001``, ``1e-05``."""
    return f"{value:g}" if math.isfinite(value) else number(value)


def cosine(value: float) -> str:
    """Write a cosine similarity; two digits would make ``0.9999`` and ``1`` the same."""
    if not math.isfinite(value):
        return number(value)
    return f"{value:.8f}".rstrip("0").rstrip(".")


def percent(value: float) -> str:
    """Write a share; only the whole is written ``100%``."""
    if not math.isfinite(value):
        return number(value)
    text = f"{100 * value:.2f}".rstrip("0").rstrip(".")
    return "99.99%" if text == "100" and value < 1 else f"{text}%"


def seconds(value: float) -> str:
    """Write a duration: ``4 ms``, ``0.42 s``, ``4.2 s``, ``42 s``, ``2m 05s``, ``1h 02m``."""
    if not math.isfinite(value):
        return number(value)
    if value <= 0:
        return "0 s"
    if value < 0.0995:
        return f"{max(1, round(1000 * value))} ms"
    if value < 59.5:
        return f"{value:.{2 if value < 0.995 else 1 if value < 9.95 else 0}f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def size(count: int) -> str:
    """Write a number of bytes in decimal units: ``812 B``, ``4.7 MB``, ``1.2 GB``."""
    value = float(count)
    for unit in _SIZE_UNITS:
        digits = 0 if unit == "B" or value >= 99.95 else 1
        text = f"{value:.{digits}f}"
        if float(text) < 1000:
            return f"{text} {unit}"
        value /= 1000
    return f"{value * 1000:.0f} {_SIZE_UNITS[-1]}"


def integer(value: int) -> str:
    """Write a count with thousands separators."""
    return f"{value:,}"


def shape(dims: Sequence[int | str]) -> str:
    """Write a shape: ``[batch, 3, 48, width]``; ``scalar`` has no axes."""
    return f"[{', '.join(map(str, dims))}]" if dims else "scalar"


def timestamp(text: str) -> str:
    """Write an ISO 8601 time without the ``T`` and the fraction; anything else as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    offset = moment.strftime("%z")
    zone = {"": "", "+0000": " UTC"}.get(offset, f" {offset}")
    return moment.strftime("%Y-%m-%d %H:%M:%S") + zone


def command_block(argv: Sequence[str]) -> str:
    """Write a command as one option per line, ready to be pasted into a shell."""
    return " \\\n    ".join(shlex.quote(argument) for argument in argv)


def printable(text: str) -> str:
    """Escape what a terminal or a browser would obey instead of show, keeping line breaks."""

    def shown(char: str) -> str:
        if char in "\n\t":
            return char
        if char in _BIDI_CONTROLS or unicodedata.category(char) in ("Cc", "Cs"):
            return char.encode("unicode_escape").decode("ascii")
        return char

    return "".join(map(shown, text.replace("\r\n", "\n")))


def one_line(text: str, limit: int = 400) -> str:
    """Put a message on one line; a tool's log that was used as a message is cut."""
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def encodable(text: str, encoding: str) -> str:
    """Replace what ``encoding`` cannot write: signs by ASCII, letters by their code."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text
