"""What a model's preprocessing does to pixels, read from the steps of ``inference.yml``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

_Steps: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_FRACTION = re.compile(rf"\s*({_NUMBER})\s*(?:/\s*({_NUMBER})\s*)?")

#: ImageNet's statistics, PaddleX's own where a file gives none.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Normalisation:
    """``(pixel * scale - mean) / std`` per channel, for pixels of 0 to 255.

    ``mean`` and ``std`` have one value per channel, or one for all.
    """

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def value_range(self) -> tuple[float, float]:
        """The lowest and highest value of any channel."""
        ends = [
            (pixel * self.scale - mean) / std
            for mean, std in zip(self.mean, self.std, strict=True)
            for pixel in (0, 255)
        ]
        return min(ends), max(ends)


def read_normalisation(steps: _Steps) -> Normalisation | None:
    """The normalisation among ``steps`` (name, options); None when nobody says."""
    for name, options in steps:
        if name in ("RecResizeImg", "ClsResizeImg"):
            return Normalisation(1 / 255, (0.5,), (0.5,))  # they normalise as well: x / 127.5 - 1
        if name == "NormalizeImage":
            scale = parse_fraction(options.get("scale", "1/255"))
            return _normalised(scale, options.get("mean"), options.get("std"))
        if name == "DetectionNormalizeImage":
            scale = 1 / 255 if options.get("is_scale", True) else 1.0
            # PaddleX takes "none" for mean_std, and any other type for no mean and std at all.
            if options.get("norm_type") not in (None, "", "none", "mean_std"):
                return _normalised(scale, 0.0, 1.0)
            return _normalised(scale, options.get("mean"), options.get("std"))
        if name == "DeployNormalize":
            return _normalised(1 / 255, options.get("mean", 0.5), options.get("std", 0.5))
    return None


def read_channel_order(steps: _Steps) -> Literal["RGB", "BGR"]:
    """The order that the model's channels have: what ``DecodeImage`` says, else PaddleX's RGB."""
    for name, options in steps:
        if name == "DecodeImage":
            return "BGR" if options.get("img_mode") == "BGR" else "RGB"
    return "RGB"


def _normalised(scale: float | None, mean: object, std: object) -> Normalisation | None:
    means = _numbers(list(_MEAN) if mean is None else mean)
    stds = _numbers(list(_STD) if std is None else std)
    if scale is None or not means or not stds or not all(value > 0 for value in stds):
        return None
    if len(means) != len(stds):
        return None
    return Normalisation(scale, tuple(means), tuple(stds))


def _numbers(value: object) -> list[float]:
    values = value if isinstance(value, list) else [value]
    numbers = [parse_fraction(item) for item in values]
    return [number for number in numbers if number is not None] if None not in numbers else []


def parse_fraction(value: object) -> float | None:
    """Return a number written as such or as a fraction, like ``1./255.``; None for all else."""
    if isinstance(value, str):
        match = _FRACTION.fullmatch(value)
        if not match:
            return None
        divisor = float(match[2]) if match[2] else 1.0
        number = float(match[1]) / divisor if divisor else math.nan
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.nan
    else:
        return None
    return number if math.isfinite(number) else None
