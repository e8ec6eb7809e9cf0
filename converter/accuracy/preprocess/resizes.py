"""Steps that resize. Sizes are those of PaddleX 3.7.2 for the same options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from converter.accuracy.preprocess.picture import Picture, opencv

_Options = Mapping[str, Any]

#: The longest side that PaddleX gives a text detector, in pixels.
MAX_SIDE = 4000

#: Text detectors that PaddleX limits by their longest side where the file does not say.
_LIMITED_BY_LONGEST = tuple(
    f"PP-OCRv{version}_{size}_det"
    for version, sizes in (
        (3, ("server", "mobile")),
        (4, ("server", "mobile")),
        (5, ("server", "mobile")),
        (6, ("medium", "small", "tiny")),
    )
    for size in sizes
)

_BY_NAME = {"NEAREST": 0, "LINEAR": 1, "BICUBIC": 2, "AREA": 3, "LANCZOS4": 4}


def resize(picture: Picture, height: int, width: int, interpolation: int = 1) -> Picture:
    """Resize to (height, width); ``interpolation`` is OpenCV's number, 1 for linear."""
    before = picture.pixels.shape[:2]
    pixels = picture.pixels
    if before != (height, width):
        pixels = opencv().resize(pixels, (width, height), interpolation=interpolation)
    scale = (
        height / before[0] * picture.scale[0],
        width / before[1] * picture.scale[1],
    )
    return Picture(pixels, (height, width), scale)


def text_detection(picture: Picture, options: _Options, model_name: str | None) -> Picture:
    """``DetResizeForTest``: to multiples of 32, by the shortest or longest side, or to a size.

    As PaddleX does it, ``resize_long`` is the limit of the side and not the size itself.
    """
    height, width = picture.pixels.shape[:2]
    if height + width < 64:
        picture = _padded(picture)
    height, width = picture.pixels.shape[:2]
    if "image_shape" in options:
        tall, wide = options["image_shape"]
        if options.get("keep_ratio") is True:
            wide = math.ceil(width * tall / height / 32) * 32
        return resize(picture, int(tall), int(wide))
    by_longest = model_name in _LIMITED_BY_LONGEST
    default = options.get("resize_long", 960 if by_longest else 736)
    limit = options.get("limit_side_len") or default
    kind = options.get("limit_type") or ("max" if by_longest else "min")
    ratio = 1.0
    if kind == "resize_long" or (kind == "max" and max(height, width) > limit):
        ratio = float(limit) / max(height, width)
    elif kind == "min" and min(height, width) < limit:
        ratio = float(limit) / min(height, width)
    tall, wide = int(height * ratio), int(width * ratio)
    if max(tall, wide) > MAX_SIDE:
        ratio = float(MAX_SIDE) / max(tall, wide)
        tall, wide = int(tall * ratio), int(wide * ratio)
    return resize(picture, *(max(int(round(side / 32) * 32), 32) for side in (tall, wide)))


def _padded(picture: Picture) -> Picture:
    """A tiny image with black below and to the right, 32 pixels a side at least."""
    height, width = picture.pixels.shape[:2]
    border = (0, max(0, 32 - height), 0, max(0, 32 - width))
    pixels = opencv().copyMakeBorder(picture.pixels, *border, 0, value=(0, 0, 0))
    return Picture(pixels, picture.size, picture.scale)


def classification(picture: Picture, options: _Options) -> Picture:
    """``ResizeImage``: the shortest side to ``resize_short``, or to ``size`` (width, height)."""
    interpolation = _BY_NAME[str(options.get("interpolation", "LINEAR")).upper()]
    height, width = picture.pixels.shape[:2]
    if short := options.get("resize_short"):
        scale = short / min(height, width)
        return resize(picture, round(height * scale), round(width * scale), interpolation)
    wide, tall = _pair(options["size"])
    return resize(picture, tall, wide, interpolation)


def detection(picture: Picture, options: _Options) -> Picture:
    """``Resize`` of detectors: to ``target_size`` (height, width), or into it as ``keep_ratio``."""
    tall, wide = _pair(options["target_size"])
    height, width = picture.pixels.shape[:2]
    interpolation = options.get("interp", 2)
    if isinstance(interpolation, str):
        interpolation = _BY_NAME[interpolation.upper()]
    if options.get("keep_ratio"):
        longest = max(tall, wide) / max(height, width)
        scale = min(longest, min(tall, wide) / min(height, width))
        tall, wide = round(height * scale), round(width * scale)
    return resize(picture, tall, wide, interpolation)


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return int(first), int(second)
