"""Lines of text on a page, and how far one reading of a page is from another."""

from __future__ import annotations

from collections.abc import Sequence

from converter.model.record import Record

#: Two boxes are the same line from this overlap on; the usual bound for detections (PASCAL VOC).
SAME_LINE_IOU = 0.5

Point = tuple[float, float]


class Line(Record):
    """A line: its polygon in pixels of the page (x, y), and the text read off it."""

    polygon: tuple[Point, ...]
    text: str

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        xs, ys = [x for x, _ in self.polygon], [y for _, y in self.polygon]
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def aspect(self) -> float:
        """Width by height as recognised: PaddleX turns a line that is 1.5 times as high as wide."""
        left, top, right, bottom = self.box
        width, height = max(right - left, 1.0), max(bottom - top, 1.0)
        return height / width if height >= 1.5 * width else width / height


class PageLines(Record):
    """What was read off one image of ``size`` (height, width)."""

    size: tuple[int, int]
    seconds: float
    lines: tuple[Line, ...]


class LineChange(Record):
    """A line that reads otherwise. ``text`` is None where it was not found, ``reference`` where
    only the fixed shapes found one. ``edits`` is the number of characters to change.
    """

    image: str
    reference: str | None
    text: str | None
    edits: int


def compare(image: str, reference: PageLines, page: PageLines) -> list[LineChange]:
    """Each line of ``reference`` with the line of ``page`` in its place, and what is left over."""
    left = list(page.lines)
    changes = []
    for line in reference.lines:
        best = max(left, key=lambda other: overlap(line, other), default=None)
        if best is None or overlap(line, best) < SAME_LINE_IOU:
            changes.append(_change(image, line.text, None))
            continue
        left.remove(best)
        if best.text != line.text:
            changes.append(_change(image, line.text, best.text))
    return changes + [_change(image, None, line.text) for line in left]


def overlap(one: Line, other: Line) -> float:
    """Intersection over union of the boxes around both lines."""
    left, top, right, bottom = one.box
    left2, top2, right2, bottom2 = other.box
    width = min(right, right2) - max(left, left2)
    height = min(bottom, bottom2) - max(top, top2)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = (right - left) * (bottom - top) + (right2 - left2) * (bottom2 - top2)
    return both / (areas - both)


def edits(one: str, other: str) -> int:
    """The Levenshtein distance: characters to insert, delete or replace."""
    before: Sequence[int] = range(len(other) + 1)
    for row, character in enumerate(one, 1):
        now = [row]
        for column, candidate in enumerate(other, 1):
            replaced = before[column - 1] + (character != candidate)
            now.append(min(before[column] + 1, now[-1] + 1, replaced))
        before = now
    return before[-1]


def _change(image: str, reference: str | None, text: str | None) -> LineChange:
    count = edits(reference or "", text or "")
    return LineChange(image=image, reference=reference, text=text, edits=count)
