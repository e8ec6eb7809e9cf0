"""Steps for single lines of text: resize to a height, normalise to -1..1, pad to a width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from converter.accuracy.preprocess.picture import Picture, opencv

#: The widest line that PaddleX feeds a recogniser, in pixels; longer ones are squeezed.
MAX_WIDTH = 3200


def recognition(picture: Picture, options: Mapping[str, Any]) -> Picture:
    """``RecResizeImg``: the width grows with the line, up to ``MAX_WIDTH``."""
    channels, height, width = options.get("image_shape", (3, 48, 320))
    tall, wide = picture.pixels.shape[:2]
    padded = int(height * max(width / height, wide * 1.0 / tall))
    return _line(picture, channels, height, min(padded, MAX_WIDTH), squeeze=padded > MAX_WIDTH)


def orientation(picture: Picture, options: Mapping[str, Any]) -> Picture:
    """``ClsResizeImg`` of PaddleOCR's angle classifiers: the width is fixed."""
    channels, height, width = options.get("image_shape", (3, 48, 192))
    return _line(picture, channels, height, width, squeeze=False)


def _line(picture: Picture, channels: int, height: int, width: int, *, squeeze: bool) -> Picture:
    tall, wide = picture.pixels.shape[:2]
    # The ratio first, then the product: PaddleX's order, which decides how it rounds.
    drawn = width if squeeze else min(math.ceil(height * (wide / float(tall))), width)
    resized = opencv().resize(picture.pixels, (drawn, height)).astype(np.float32)
    resized = resized.transpose((2, 0, 1)) / 255
    resized -= 0.5
    resized /= 0.5
    line = np.zeros((channels, height, width), np.float32)
    line[:, :, :drawn] = resized
    return Picture(line, (height, width), picture.scale)
