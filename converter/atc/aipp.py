"""Writes the AIPP file that makes a model's own normalisation part of the OM file.

AIPP computes, after it has swapped the channels, ``(pixel - mean_chn - min_chn) * var_reci_chn``
per channel (CANN's ATC manual, "Normalization Configuration" and "Configuration File Template").
PaddleX computes ``(pixel * scale - mean) / std``. So the two are the same with

    mean_chn + min_chn = mean / scale        var_reci_chn = scale / std

``mean_chn`` is a whole number of 0 to 255 and exact; ``min_chn`` and ``var_reci_chn`` are float16
on the chip. Therefore the whole part goes to ``mean_chn`` and only the rest to ``min_chn``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from converter.errors import InputError
from converter.model.normalisation import Normalisation
from converter.model.tensor import TensorSpec

#: What ``min_chn`` and ``mean_chn`` may be, and the largest float16.
_LARGEST_MEAN, _LARGEST_FACTOR = 255.0, 65504.0

ChannelOrder = Literal["RGB", "BGR"]

#: What every user of such an OM file has to know.
IMPLIES = (
    "the OM file takes an image as uint8 in NHWC ({order}, 0 to 255) and normalises it itself; "
    "PaddleX feeds float32 in NCHW, normalised, and cannot run it"
)


def image_input(inputs: Sequence[TensorSpec]) -> tuple[int, TensorSpec]:
    """The input that is an image, with its place. Raises ``InputError`` when there is not one."""
    found = [
        (place, spec) for place, spec in enumerate(inputs) if spec.rank == 4 and spec.shape[1] == 3
    ]
    if len(found) != 1:
        told = ", ".join(map(str, inputs))
        raise InputError(
            f"--aipp: one input must be an image of 3 channels, and the inputs are {told}",
            hint="write the AIPP file yourself and name it with --aipp FILE",
        )
    return found[0]


def write_aipp(
    normalisation: Normalisation | None,
    *,
    fed: ChannelOrder,
    wanted: ChannelOrder,
    place: int,
    size: tuple[int, int] | None,
) -> str:
    """The text of an AIPP file.

    ``fed`` is the order of the channels in the images fed, ``wanted`` the model's. ``place`` is the
    input's. ``size`` is (height, width) of a static input, None where profiles leave it open.
    Raises ``InputError`` when nothing is known of the normalisation, or AIPP cannot compute it.
    """
    if normalisation is None:
        raise InputError(
            "--aipp: inference.yml does not say how the image is normalised",
            hint="write the AIPP file yourself and name it with --aipp FILE",
        )
    height, width = size or (0, 0)
    lines = [
        "# Written by paddle2om: AIPP computes (pixel - mean_chn - min_chn) * var_reci_chn.",
        f"# It is fed uint8 images in NHWC, channels {fed}; the model's are {wanted}.",
        "aipp_op {",
        "    aipp_mode: static",
        f"    related_input_rank: {place}",
        "    input_format: RGB888_U8",
        f"    src_image_size_w: {width}",
        f"    src_image_size_h: {height}",
        "    crop: false",
        "    csc_switch: false",
        f"    rbuv_swap_switch: {'false' if fed == wanted else 'true'}",
    ]
    channels = [_channel(normalisation, channel) for channel in range(3)]
    for channel, (mean, _, _) in enumerate(channels):
        lines.append(f"    mean_chn_{channel}: {mean}")
    for channel, (_, least, _) in enumerate(channels):
        lines.append(f"    min_chn_{channel}: {least:.9g}")
    for channel, (_, _, factor) in enumerate(channels):
        lines.append(f"    var_reci_chn_{channel}: {factor:.9g}")
    return "\n".join([*lines, "}", ""])


def _channel(how: Normalisation, channel: int) -> tuple[int, float, float]:
    """(mean_chn, min_chn, var_reci_chn) of one channel."""
    if len(how.mean) not in (1, 3):
        raise InputError(
            f"--aipp: inference.yml normalises {len(how.mean)} channels, and AIPP has 3",
            hint="write the AIPP file yourself and name it with --aipp FILE",
        )
    mean, std = how.mean[channel % len(how.mean)], how.std[channel % len(how.std)]
    offset = mean / how.scale if how.scale else math.inf
    factor = how.scale / std
    # Rounding may leave -1e-14 of a mean of 0.
    offset = 0.0 if abs(offset) < 1e-9 else offset
    if not 0 <= offset <= _LARGEST_MEAN or not abs(factor) <= _LARGEST_FACTOR:
        raise InputError(
            f"--aipp: AIPP cannot subtract {offset:g} and multiply by {factor:g}",
            hint="it subtracts 0 to 255; leave --aipp out and normalise before",
        )
    whole = math.floor(offset + 1e-9)
    return whole, max(0.0, offset - whole), factor
