"""Which values the inputs of a case get."""

from __future__ import annotations

import math
import zlib
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from converter.accuracy.inputs.axes import channels_axis, describes_image
from converter.accuracy.text_image import draw_pages
from converter.errors import InputError, InternalError
from converter.model.record import Record
from converter.model.tensor import TensorSpec

Array: TypeAlias = npt.NDArray[Any]
Kind: TypeAlias = Literal[
    "uniform", "text", "wide", "signed", "positive", "binary", "zero", "given"
]

#: Integer inputs that index no table that we know of are drawn from [0, 8), or [-8, 8) when
#: ``signed``: small enough for any vocabulary or class list.
INTEGER_LIMIT = 8

#: Kinds that are ``uniform`` but for integers, and the half-open range of those.
LIMITED: dict[Kind, tuple[int, int]] = {"positive": (1, 8), "binary": (0, 2), "zero": (0, 1)}

#: ``scale_factor`` of height and of width, on noise: a model that takes one for the other, or
#: neither, differs.
SCALE_FACTOR = (0.5, 0.75)

#: ``wide`` noise: its standard deviation; one value in so many, but at least two, are outliers.
WIDE = (1.5, 64)

#: The same for images: what networks were trained on is near this, and far from it a faithful
#: conversion differs by tens of times more (docs/explanation/tolerances.md).
WIDE_IMAGE = (0.5, 1024)

#: Absolute value of an outlier, which has either sign.
OUTLIERS = (5.0, 10.0)


class InputCase(Record):
    """One set of inputs to draw: concrete ``shapes`` by input name, a seed and a kind of values.

    ``specs`` is the signature it was planned for; it tells ``alternatives`` what may change.
    """

    label: str
    shapes: dict[str, tuple[int, ...]]
    seed: int
    kind: Kind
    specs: tuple[TensorSpec, ...] = ()


def make_inputs(
    case: InputCase, specs: tuple[TensorSpec, ...], value_range: tuple[float, float] | None
) -> dict[str, Array]:
    """Draw the arrays of a case: the same for the same case, whatever the order of ``specs``.

    ``value_range`` is that of the images, or of all floats when no input is an image. Floats:
    uniform in it, or ``text`` normalised into it; without one [0, 1), or ``wide``. Integers: rows
    of the table that they index, where that is known, else [0, INTEGER_LIMIT); or ``signed``.
    Bools: fair coins. uint8 images: 0 to 255. A detector's ``im_shape`` [batch, 2] is its image's
    height and width; ``scale_factor`` is 1 for drawn text, else ``SCALE_FACTOR``, as of an image
    that was larger before it was resized.
    Raises ``InternalError`` for a case without a shape for some input and ``InputError`` for a
    dtype that cannot be drawn.
    """
    check_range(value_range)
    image_size = _image_size(case, specs)
    arrays: dict[str, Array] = {}
    for spec in specs:
        if spec.name not in case.shapes:
            raise InternalError(f"case {case.label!r} has no {spec.name}", hint="plan it again")
        shape, dtype = case.shapes[spec.name], _dtype(spec)
        generator = np.random.default_rng((case.seed, zlib.crc32(spec.name.encode())))
        channels = channels_axis(spec)
        known = _known_range(spec, specs, value_range)
        low, high = known or (0.0, 1.0)
        if image_size and describes_image(spec):
            pair: tuple[float, float] = image_size
            if spec.name == "scale_factor":
                scaled = case.kind != "text" and dtype.kind == "f"
                pair = SCALE_FACTOR if scaled else (1, 1)
            arrays[spec.name] = np.broadcast_to(np.array(pair), shape).astype(dtype)
        elif case.kind == "text" and channels:
            pages = draw_pages(shape, channels, generator)
            exact = dtype.kind == "u"
            arrays[spec.name] = (pages if exact else low + pages / 255 * (high - low)).astype(dtype)
        elif dtype.kind == "b":
            arrays[spec.name] = generator.integers(0, 2, shape).astype(dtype)
        elif dtype.kind in "iu":
            limit = 256 if channels else _indices(spec, dtype)
            least = -limit if case.kind == "signed" and dtype.kind == "i" else 0
            if case.kind in LIMITED and not channels:
                least, limit = LIMITED[case.kind]
            drawn = generator.integers(least, limit, shape)
            if spec.index_limit and case.kind not in LIMITED and drawn.size > 1:
                drawn.flat[:2] = limit - 1, 0  # a table's last row, and its first
            arrays[spec.name] = drawn.astype(dtype)
        elif case.kind in ("wide", "signed") and not known:
            arrays[spec.name] = _wide(shape, WIDE_IMAGE if channels else WIDE, generator).astype(
                dtype
            )
        else:
            values = low + generator.random(shape) * (high - low)
            arrays[spec.name] = np.asarray(values).astype(dtype)
    return arrays


def _indices(spec: TensorSpec, dtype: np.dtype[Any]) -> int:
    """The end of the range that integers are drawn from."""
    if spec.index_limit is None:
        return INTEGER_LIMIT
    return min(spec.index_limit, int(np.iinfo(dtype).max))


def kinds_of(
    specs: tuple[TensorSpec, ...], value_range: tuple[float, float] | None, shapes: int
) -> tuple[Kind, ...]:
    """Kinds of the cases, in order; to be repeated when there are more cases.

    Every shape is run with tame values first: what Paddle refuses there is the shape.
    """
    tame: Kind = "text" if any(channels_axis(spec) for spec in specs) else "uniform"
    widest: Kind = "uniform"
    for spec in specs:
        if spec.dtype.startswith("int"):
            widest = "signed"
            break
        unknown = "float" in spec.dtype and not _known_range(spec, specs, value_range)
        if unknown and not (tame == "text" and describes_image(spec)):
            widest = "wide"
    if widest == "uniform":
        return (tame, widest)
    return (tame, widest, "uniform") if shapes == 1 else (tame,) * shapes + (widest,) * shapes


def _known_range(
    spec: TensorSpec, specs: tuple[TensorSpec, ...], value_range: tuple[float, float] | None
) -> tuple[float, float] | None:
    """``value_range`` for the inputs it speaks of: images, or all floats when there is no image."""
    has_image = any(channels_axis(other) for other in specs)
    return value_range if channels_axis(spec) or not has_image else None


def _wide(shape: tuple[int, ...], how: tuple[float, int], generator: np.random.Generator) -> Array:
    """Draw normal noise with outliers of both signs."""
    deviation, outlier_every = how
    values = generator.normal(0.0, deviation, math.prod(shape))
    count = min(values.size, max(2, values.size // outlier_every))
    at = generator.choice(values.size, count, replace=False)
    sign = np.where(np.arange(count) % 2, -1.0, 1.0)
    values[at] = sign * generator.uniform(*OUTLIERS, count)
    return values.reshape(shape)


def check_range(value_range: tuple[float, float] | None) -> None:
    """Raise ``InputError`` for a range that is none."""
    low, high = value_range or (0.0, 1.0)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"not a value range: {value_range}", hint="give finite low < high")


def _dtype(spec: TensorSpec) -> np.dtype[Any]:
    if spec.dtype == "bfloat16":
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return dtype
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "biuf":
        raise InputError(f"cannot draw values for {spec}", hint="give a model with numeric inputs")
    return dtype


def _image_size(case: InputCase, specs: tuple[TensorSpec, ...]) -> tuple[int, int] | None:
    """Height and width of the first image input."""
    for spec in specs:
        channels = channels_axis(spec)
        if channels and spec.name in case.shapes:
            shape = case.shapes[spec.name]
            return (shape[2], shape[3]) if channels == 1 else (shape[1], shape[2])
    return None
