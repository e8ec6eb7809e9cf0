"""A page of text drawn here, the same on every machine, with the lines a reader should find."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from converter.model.artefacts import write_atomically

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_SIZE = (760, 736)
_MARGIN = 48
_INK = (28, 32, 40)

_HEADING = ("Delivery note 2024-0815", 40)
_PARAGRAPH = (
    ("Northwind Harbour Supplies Ltd.", 26),
    ("The quick brown fox jumps over the lazy dog.", 24),
    ("Please check the goods on arrival and report any", 22),
    ("missing items within 14 days of delivery.", 22),
)
_TABLE = (
    ("Article", "Quantity", "Price"),
    ("Anchor chain", "12", "348.50"),
    ("Signal lamp", "4", "79.90"),
    ("Rope, 30 m", "7", "1,204.25"),
)
_COLUMNS = (60, 380, 570)
_FOOTER = (("Total due: 1,632.65 EUR", 30), ("Order 7741, ship to dock B", 20))


def draw_sample_page(path: Path) -> tuple[str, ...]:
    """Draw the page as a PNG file and return its lines in reading order."""
    data, lines = _draw()
    write_atomically(path, data)
    return lines


def _draw() -> tuple[bytes, tuple[str, ...]]:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", _SIZE, (252, 252, 250))
    draw = ImageDraw.Draw(image)
    lines: list[str] = []

    def write(left: int, top: int, text: str, size: int) -> None:
        # Pillow's own font: the page does not depend on what the machine has installed.
        draw.text((left, top), text, fill=_INK, font=ImageFont.load_default(size))
        lines.append(text)

    top = _MARGIN
    for text, size in (_HEADING, *_PARAGRAPH):
        write(_MARGIN, top, text, size)
        top += round(size * 1.3) + 24
    top = _draw_table(draw, write, top + 8) + 32
    for text, size in _FOOTER:
        write(_MARGIN, top, text, size)
        top += round(size * 1.3) + 24
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue(), tuple(lines)


def _draw_table(draw: ImageDraw, write: Callable[[int, int, str, int], None], top: int) -> int:
    row_height, right = 52, _SIZE[0] - _MARGIN
    bottom = top + row_height * len(_TABLE)
    draw.rectangle((_MARGIN, top, right, top + row_height), fill=(232, 238, 246))
    for row, cells in enumerate(_TABLE):
        for left, text in zip(_COLUMNS, cells, strict=True):
            write(left, top + row * row_height + 14, text, 22)
    for row in range(len(_TABLE) + 1):
        y = top + row * row_height
        draw.line((_MARGIN, y, right, y), fill=(150, 158, 170), width=2)
    for x in (_MARGIN, _COLUMNS[1] - 16, _COLUMNS[2] - 16, right):
        draw.line((x, top, x, bottom), fill=(150, 158, 170), width=2)
    return bottom
