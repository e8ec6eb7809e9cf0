"""Images with drawn words: what OCR models are made for, unlike noise."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Array: TypeAlias = npt.NDArray[Any]

#: What is written on a page, in a random order.
WORDS = ("Total", "2024", "Invoice", "No.", "0173", "receipt", "street", "19:45", "USD", "river")


def draw_pages(shape: tuple[int, ...], channels_axis: int, generator: np.random.Generator) -> Array:
    """Draw one light page with dark words per batch element: float64 whole numbers, 0 to 255."""
    batch, channels = shape[0], shape[channels_axis]
    height, width = (shape[2], shape[3]) if channels_axis == 1 else (shape[1], shape[2])
    pages = np.empty((batch, height, width, channels))
    for page in pages:
        mode, picks = ("L", 1) if channels == 1 else ("RGB", 3)
        paper, ink = (
            tuple(int(v) for v in generator.integers(low, high, picks))
            for low, high in ((215, 256), (0, 90))
        )
        image = Image.new(mode, (width, height), paper)
        draw = ImageDraw.Draw(image)
        top = 0
        while top < height:
            # A strip as low as a text line holds one line; a page holds several sizes of text.
            size = int(height * 0.7) if height <= 64 else int(generator.integers(16, 40))
            font = ImageFont.load_default(max(6, size))
            words = " ".join(generator.permutation(WORDS)[: 1 + width // max(6, 3 * size)])
            draw.text((size // 4, top + size // 8), words, fill=ink, font=font)
            top += int(max(6, size) * 1.4)
        drawn = np.asarray(image, np.float64).reshape(height, width, -1)
        # A model whose number of channels is dynamic may be told any.
        drawn = drawn[..., np.arange(channels) % drawn.shape[-1]]
        # Sensor noise, so that no page is constant, however small.
        page[:] = np.clip(drawn + generator.integers(-3, 4, drawn.shape), 0, 255)
    return pages.transpose(0, 3, 1, 2) if channels_axis == 1 else pages
