"""Steps that change values or cut and pad, and keep the scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from converter.accuracy.preprocess.picture import Picture
from converter.errors import InputError
from converter.model.normalisation import Normalisation


def normalise(picture: Picture, how: Normalisation) -> Picture:
    """``NormalizeImage``: in float32, as one multiplication and one addition per channel."""
    pixels = picture.pixels.astype(np.float32)
    channels = pixels.shape[2]
    means, stds = (
        values * channels if len(values) == 1 else values for values in (how.mean, how.std)
    )
    if len(means) != channels:
        raise InputError(
            f"NormalizeImage has {len(means)} means for {channels} channels",
            hint="correct the model's inference.yml, or give the inputs as .npz",
        )
    for channel in range(channels):
        pixels[:, :, channel] *= how.scale / stds[channel]
        pixels[:, :, channel] += -means[channel] / stds[channel]
    return replace(picture, pixels=pixels)


def channels_first(picture: Picture) -> Picture:
    """``ToCHWImage`` and ``Permute``."""
    return replace(picture, pixels=picture.pixels.transpose((2, 0, 1)))


def crop(picture: Picture, options: Mapping[str, Any]) -> Picture:
    """``CropImage``: the middle, of ``size`` (width, height). Raises ``InputError``."""
    size = options.get("size", 224)
    wide, tall = (size, size) if isinstance(size, int) else size
    height, width = picture.pixels.shape[:2]
    if height < tall or width < wide:
        raise InputError(
            f"an image of {width}x{height} pixels cannot be cropped to {wide}x{tall}",
            hint="give a larger image",
        )
    top, left = (height - tall) // 2, (width - wide) // 2
    pixels = picture.pixels[top : top + tall, left : left + wide]
    return replace(picture, pixels=pixels, size=(tall, wide))


def pad(picture: Picture, options: Mapping[str, Any]) -> Picture:
    """``Pad`` of detectors: below and to the right, to ``size`` (height, width)."""
    size = options.get("size") or 640
    tall, wide = (size, size) if isinstance(size, int) else size[-2:]
    height, width = picture.pixels.shape[:2]
    if height > tall or width > wide:
        raise InputError(
            f"an image of {width}x{height} pixels cannot be padded to {wide}x{tall}",
            hint="check Resize and Pad in the model's inference.yml",
        )
    if (height, width) == (tall, wide):
        return picture
    canvas = np.ones((tall, wide, 3), np.float32)
    canvas *= np.array(options.get("fill_value") or (127.5,) * 3, np.float32)
    canvas[:height, :width] = picture.pixels
    return replace(picture, pixels=canvas)


def pad_to_stride(picture: Picture, options: Mapping[str, Any]) -> Picture:
    """``PadStride``, on channels first: zeros, to multiples of ``stride`` pixels."""
    stride = options.get("stride", 32)
    if stride <= 0:
        return picture
    channels, height, width = picture.pixels.shape
    tall, wide = (math.ceil(side / stride) * stride for side in (height, width))
    canvas = np.zeros((channels, tall, wide), np.float32)
    canvas[:, :height, :width] = picture.pixels
    return replace(picture, pixels=canvas)
