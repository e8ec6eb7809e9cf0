"""Which static shapes are worth trying for the pages at hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from converter.paddlex.rehearsal_lines import PageLines

Shape = tuple[int, int, int]

#: Widths and sizes are multiples of this: detectors shrink their input by 32.
_STEP = 32
#: What PaddleX itself pads or cuts lines to at most, in pixels.
_WIDEST = 3200
#: Longest sides of a detection input that are tried, besides that of the pages themselves.
_SIDES = (640, 960, 1280)
_LONGEST = 1920
#: Shares of the lines that fit, for the widths tried.
_QUANTILES = (0.5, 0.75, 0.9, 1.0)


def recognition_widths(
    pages: Iterable[PageLines], height: int, configured: Shape | None
) -> list[Shape]:
    """Widths at which half of the lines, most, and all keep their proportions.

    A line narrower than the input is stretched, a wider one is squeezed: neither is padded.
    """
    natural = sorted(line.aspect * height for page in pages for line in page.lines)
    if not natural:
        return []
    widths = {_up(_quantile(natural, share)) for share in _QUANTILES} | {320}
    shapes = {(3, height, min(max(width, 96), _WIDEST)) for width in widths}
    return sorted(shapes | ({configured} if configured else set()), key=lambda shape: shape[2])


def widths_between(best: Shape, tried: Sequence[Shape]) -> list[Shape]:
    """The widths halfway from the best one to its neighbours among those tried."""
    widths = sorted(shape[2] for shape in tried)
    at = widths.index(best[2])
    halfway = {_near((best[2] + width) / 2) for width in widths[max(0, at - 1) : at + 2]}
    return [(best[0], best[1], width) for width in sorted(halfway - set(widths))]


def detection_sizes(
    pages: Sequence[PageLines], module: Mapping[str, Any], configured: Shape | None
) -> list[Shape]:
    """Sizes of the proportions of the middle page, from 640 pixels to its own size."""
    if not pages:
        return []
    sizes = sorted((natural_size(page.size, module) for page in pages), key=lambda s: s[0] / s[1])
    height, width = sizes[len(sizes) // 2]
    own = max(height, width)
    sides = {side for side in _SIDES if side < own} | {min(own, _LONGEST)}
    shapes = {(3, _near(height * side / own), _near(width * side / own)) for side in sides}
    return sorted(shapes | ({configured} if configured else set()), key=area)


def natural_size(page: tuple[int, int], module: Mapping[str, Any]) -> tuple[float, float]:
    """(height, width) that PaddleX feeds without ``input_shape``, before it rounds to 32.

    Its ``limit_type`` min enlarges pages whose shorter side is below ``limit_side_len``, max
    shrinks those whose longer one is above; ``max_side_limit`` bounds both.
    """
    height, width = float(page[0]), float(page[1])
    limit, kind = module.get("limit_side_len", 960), module.get("limit_type", "max")
    ratio = 1.0
    if kind == "max" and max(height, width) > limit:
        ratio = limit / max(height, width)
    elif kind == "min" and min(height, width) < limit:
        ratio = limit / min(height, width)
    ratio = min(ratio, module.get("max_side_limit", 4000) / max(height, width))
    return height * ratio, width * ratio


def area(shape: Shape) -> int:
    """Pixels: what a fixed shape costs grows with them."""
    return shape[1] * shape[2]


def _quantile(values: Sequence[float], share: float) -> float:
    return values[max(0, math.ceil(share * len(values)) - 1)]


def _up(value: float) -> int:
    return math.ceil(value / _STEP) * _STEP


def _near(value: float) -> int:
    return max(_STEP, round(value / _STEP) * _STEP)
