"""An image on its way through the steps, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from converter.errors import InputError
from converter.model.files import read_all

Pixels: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Picture:
    """``pixels`` are [height, width, channels] until a step turns them to channels first.

    ``size`` is (height, width) in pixels after the last resize and ``scale`` that size relative to
    the image's own: what detectors call ``im_shape`` and ``scale_factor``.
    """

    pixels: Pixels
    size: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)


def opencv() -> Any:
    """OpenCV, whose resize PaddleX's results depend on. Raises ``InputError`` without it.

    No other library's interpolation is equal to the bit, so there is no substitute.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "images need OpenCV, and it is not installed",
            hint="pip install 'paddle2om[paddlex]', or give the inputs as .npz",
        ) from error
    return cv2


def read_picture(path: Path, order: str) -> Picture:
    """Decode an image as three channels of 8 bits, "RGB" or "BGR". Raises ``InputError``."""
    cv2 = opencv()
    data = np.frombuffer(read_all(path), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if pixels is None:
        raise InputError(
            f"{path} is not an image that can be read", hint="give a PNG or JPEG; copy it again"
        )
    if order == "RGB":
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return Picture(pixels, (pixels.shape[0], pixels.shape[1]))
