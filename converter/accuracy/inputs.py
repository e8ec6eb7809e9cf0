"""What models are compared on: which input shapes, and which values.

Shapes: a static model is run three times at its one shape. A dynamic one gets two shapes that
differ in every dynamic dim (batch 1 and 2, landscape and portrait, sequences of 16 and 7), each
twice. Values, each shape with both of two kinds:

* ``uniform`` noise, in the range that the model's own normalisation gives, else in [0, 1);
* ``text`` for image inputs, a page or line of drawn words: on noise an OCR detector's sigmoid stays
  near 1e-6, where almost any wrong model would agree;
* ``wide`` where the range is not known: normal noise with outliers up to 10 on both sides, so that
  a clip, a threshold or a branch that [0, 1) never reaches is reached;
* ``signed`` for models that also take signed integers: ``wide``, and integers below 0 too. Paddle
  itself refuses them where they are indices; ``narrower`` then gives the kinds to fall back to:
  ``uniform``, and where that is refused too ``positive`` (no integer is 0: it may divide),
  ``binary`` (0 and 1: indices of short axes) and ``zero`` (0 only).

A known range is not exceeded: it is where pixels of 0 and 255 land, so no image can.

Everything is deterministic in ``seed``; plans are light and arrays are drawn when needed.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from converter.accuracy.text_image import draw_pages
from converter.errors import InputError, InternalError
from converter.model.record import Record
from converter.model.tensor import ShapeHint, TensorSpec

Array: TypeAlias = npt.NDArray[Any]
Kind: TypeAlias = Literal[
    "uniform", "text", "wide", "signed", "positive", "binary", "zero", "given"
]
Shapes: TypeAlias = dict[str, tuple[int, ...]]

#: Pixels (batch x height x width) a case aims to stay below: 256 x 256. A whole conversion takes
#: about a second; four detector runs at full size would be most of it.
PIXEL_BUDGET = 1 << 16

#: Elements of the largest input an alternative may have: 32 MiB of float32.
LARGEST_ALTERNATIVE = 1 << 23

#: Spatial extents are multiples of this where the range allows: DB detectors refuse others.
STRIDE = 32

#: Landscape (height, width) where no hint says better.
DEFAULT_IMAGE = (320, 480)

#: Lengths of dynamic sequence axes in the first and second shape.
SEQUENCE_LENGTHS = (16, 7)

#: Integer inputs are drawn from [0, 8), or [-8, 8) when ``signed``: small enough to index any
#: vocabulary, table or class list.
INTEGER_LIMIT = 8

#: Kinds that are ``uniform`` but for integers, and the half-open range of those.
LIMITED: dict[Kind, tuple[int, int]] = {"positive": (1, 8), "binary": (0, 2), "zero": (0, 1)}

#: ``wide`` noise: its standard deviation; one value in so many, but at least two, are outliers.
WIDE = (1.5, 64)

#: The same for images: what networks were trained on is near this, and far from it a faithful
#: conversion differs by tens of times more (docs/explanation/tolerances.md).
WIDE_IMAGE = (0.5, 1024)

#: Absolute value of an outlier, which has either sign.
OUTLIERS = (5.0, 10.0)

_UNBOUNDED = 1 << 31


class InputCase(Record):
    """One set of inputs to draw: concrete ``shapes`` by input name, a seed and a kind of values.

    ``specs`` is the signature it was planned for; it tells ``alternatives`` what may change.
    """

    label: str
    shapes: dict[str, tuple[int, ...]]
    seed: int
    kind: Kind
    specs: tuple[TensorSpec, ...] = ()


class _Range(NamedTuple):
    """Extents a dim may take, and the preferred one (None without a hint)."""

    low: int
    high: int
    best: int | None


def plan_cases(
    specs: tuple[TensorSpec, ...],
    hints: dict[str, ShapeHint],
    value_range: tuple[float, float] | None,
    *,
    seed: int = 0,
    shapes: list[Shapes] | None = None,
) -> list[InputCase]:
    """Plan the cases for a model: three when it is static, four when it has dynamic dims.

    ``shapes`` asks for these shapes instead; each may leave out inputs whose dims follow from the
    others. A model without inputs gets one case. Hints of another rank than their input's are
    ignored. Raises ``InputError`` for a bad ``value_range`` and for ``shapes`` that contradict the
    signature or ask for nothing.
    """
    _check_range(value_range)
    ranges = _ranges(specs, hints)
    if shapes is None:
        first = _resolve(specs, ranges)
        planned = [first, _resolve(specs, ranges, unlike=first)]
    elif not shapes:
        raise InputError("an empty list of shapes", hint="give at least one, or leave it out")
    else:
        planned = [_resolve(specs, {**ranges, **_bind(given, specs)}) for given in shapes]
    planned = [shape for i, shape in enumerate(planned) if shape not in planned[:i]]
    # Forwards then backwards: every shape is run with both kinds.
    order = planned + planned[::-1] if len(planned) > 1 else planned * (3 if specs else 1)
    kinds = _kinds(specs, value_range, len(planned))
    # Shapes that the user asked for have no alternatives: without ``specs`` nothing may change.
    kept = specs if shapes is None else ()
    return [
        _case(kept, shape, seed + index, kinds[index % len(kinds)])
        for index, shape in enumerate(order)
    ]


def alternatives(case: InputCase) -> Iterator[InputCase]:
    """Propose other shapes for a case that Paddle itself rejected, nearest first.

    Only dynamic dims change; hints are not consulted, because they may be what was wrong. Multiples
    of 32 and 64 near the case, then common sizes, then sequence lengths; all at the case's batch,
    then at batch 1. The kind of values and the seed stay. Proposals that would make an input larger
    than ``LARGEST_ALTERNATIVE`` are left out, and a case with explicitly given shapes has none.
    """
    extents = {
        dim: extent
        for spec in case.specs
        for dim, extent in zip(spec.shape, case.shapes[spec.name], strict=True)
        if isinstance(dim, str)
    }
    roles = _roles(case.specs)

    def changed(**by_role: int) -> dict[str, int]:
        return {dim: by_role.get(roles[dim], extent) for dim, extent in extents.items()}

    def rounded(step: int) -> dict[str, int]:
        spatial = ("height", "width")
        return {
            dim: max(step, round(extent / step) * step) if roles[dim] in spatial else extent
            for dim, extent in extents.items()
        }

    proposals = [rounded(32), rounded(64)]
    sizes = ((224, 224), (48, 320), (32, 320), (320, 320), (640, 640), (96, 96))
    proposals += [changed(height=height, width=width) for height, width in sizes]
    proposals += [changed(sequence=length) for length in (32, 64, 25, 128, 1)]
    proposals += [
        {dim: 1 if roles[dim] == "batch" else extent for dim, extent in proposal.items()}
        for proposal in [extents, *proposals]
    ]
    seen = [extents]
    for proposal in proposals:
        if proposal in seen:
            continue
        seen.append(proposal)
        shapes = {
            spec.name: tuple(proposal[d] if isinstance(d, str) else d for d in spec.shape)
            for spec in case.specs
        }
        if max(map(math.prod, shapes.values())) <= LARGEST_ALTERNATIVE:
            yield _case(case.specs, shapes, case.seed, case.kind)


def narrower(case: InputCase, specs: tuple[TensorSpec, ...] = ()) -> Iterator[InputCase]:
    """Propose tamer values for a case whose own Paddle refused, or answered with NaN.

    ``specs`` are the inputs; fewer kinds of integers are proposed where there are any.
    """
    tamer: dict[Kind, tuple[Kind, ...]] = {"signed": ("wide", "uniform"), "wide": ("uniform",)}
    kinds = tamer.get(case.kind, ())
    if "uniform" in (case.kind, *kinds) and any(map(_is_counted, specs)):
        kinds += tuple(LIMITED)
    for kind in kinds:
        yield _case(case.specs, case.shapes, case.seed, kind)


def reshaped(case: InputCase, shapes: Shapes) -> InputCase:
    """Return the same case on other shapes."""
    return _case(case.specs, shapes, case.seed, case.kind)


def make_inputs(
    case: InputCase, specs: tuple[TensorSpec, ...], value_range: tuple[float, float] | None
) -> dict[str, Array]:
    """Draw the arrays of a case: the same for the same case, whatever the order of ``specs``.

    ``value_range`` is that of the images, or of all floats when no input is an image. Floats:
    uniform in it, or ``text`` normalised into it; without one [0, 1), or ``wide``. Integers:
    [0, INTEGER_LIMIT), or ``signed``. Bools: fair coins. uint8 images: 0 to 255. A detector's
    ``im_shape`` [batch, 2] is its image's height and width, ``scale_factor`` is 1.
    Raises ``InternalError`` for a case without a shape for some input and ``InputError`` for a
    dtype that cannot be drawn.
    """
    _check_range(value_range)
    image_size = _image_size(case, specs)
    arrays: dict[str, Array] = {}
    for spec in specs:
        if spec.name not in case.shapes:
            raise InternalError(f"case {case.label!r} has no {spec.name}", hint="plan it again")
        shape, dtype = case.shapes[spec.name], _dtype(spec)
        generator = np.random.default_rng((case.seed, zlib.crc32(spec.name.encode())))
        channels = _channels_axis(spec)
        known = _known_range(spec, specs, value_range)
        low, high = known or (0.0, 1.0)
        if image_size and _describes_image(spec):
            pair = image_size if spec.name == "im_shape" else (1, 1)
            arrays[spec.name] = np.broadcast_to(np.array(pair), shape).astype(dtype)
        elif case.kind == "text" and channels:
            pages = draw_pages(shape, channels, generator)
            exact = dtype.kind == "u"
            arrays[spec.name] = (pages if exact else low + pages / 255 * (high - low)).astype(dtype)
        elif dtype.kind == "b":
            arrays[spec.name] = generator.integers(0, 2, shape).astype(dtype)
        elif dtype.kind in "iu":
            limit = 256 if channels else INTEGER_LIMIT
            least = -limit if case.kind == "signed" and dtype.kind == "i" else 0
            if case.kind in LIMITED and not channels:
                least, limit = LIMITED[case.kind]
            arrays[spec.name] = generator.integers(least, limit, shape).astype(dtype)
        elif case.kind in ("wide", "signed") and not known:
            arrays[spec.name] = _wide(shape, WIDE_IMAGE if channels else WIDE, generator).astype(
                dtype
            )
        else:
            values = low + generator.random(shape) * (high - low)
            arrays[spec.name] = np.asarray(values).astype(dtype)
    return arrays


def _kinds(
    specs: tuple[TensorSpec, ...], value_range: tuple[float, float] | None, shapes: int
) -> tuple[Kind, ...]:
    """Kinds of the cases, in order; to be repeated when there are more cases.

    Every shape is run with tame values first: what Paddle refuses there is the shape.
    """
    tame: Kind = "text" if any(_channels_axis(spec) for spec in specs) else "uniform"
    widest: Kind = "uniform"
    for spec in specs:
        if spec.dtype.startswith("int"):
            widest = "signed"
            break
        unknown = "float" in spec.dtype and not _known_range(spec, specs, value_range)
        if unknown and not (tame == "text" and _describes_image(spec)):
            widest = "wide"
    if widest == "uniform":
        return (tame, widest)
    return (tame, widest, "uniform") if shapes == 1 else (tame,) * shapes + (widest,) * shapes


def _known_range(
    spec: TensorSpec, specs: tuple[TensorSpec, ...], value_range: tuple[float, float] | None
) -> tuple[float, float] | None:
    """``value_range`` for the inputs it speaks of: images, or all floats when there is no image."""
    has_image = any(_channels_axis(other) for other in specs)
    return value_range if _channels_axis(spec) or not has_image else None


def _is_counted(spec: TensorSpec) -> bool:
    """Whether this input holds integers that are not pixels."""
    return spec.dtype.startswith(("int", "uint")) and not _channels_axis(spec)


def _describes_image(spec: TensorSpec) -> bool:
    """Whether, in a model with an image, this input tells the image's size or scale."""
    return spec.name in ("im_shape", "scale_factor") and spec.shape[-1:] == (2,)


def _wide(shape: tuple[int, ...], how: tuple[float, int], generator: np.random.Generator) -> Array:
    """Draw normal noise with outliers of both signs."""
    deviation, outlier_every = how
    values = generator.normal(0.0, deviation, math.prod(shape))
    count = min(values.size, max(2, values.size // outlier_every))
    at = generator.choice(values.size, count, replace=False)
    sign = np.where(np.arange(count) % 2, -1.0, 1.0)
    values[at] = sign * generator.uniform(*OUTLIERS, count)
    return values.reshape(shape)


def _check_range(value_range: tuple[float, float] | None) -> None:
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


def _channels_axis(spec: TensorSpec) -> int | None:
    """Return the channel axis (1 or 3) of an image-like input, None for any other.

    Image-like is rank 4, float or uint8, with 1 or 3 channels; a dynamic axis 1 counts as 3.
    """
    if spec.rank != 4 or not (spec.dtype == "uint8" or "float" in spec.dtype):
        return None
    if spec.shape[1] in (1, 3):
        return 1
    if spec.shape[3] in (1, 3):
        return 3
    return 1 if isinstance(spec.shape[1], str) else None


def _axis_roles(spec: TensorSpec) -> list[str]:
    """What each axis is: batch, channels, height, width or sequence (anything else)."""
    if spec.rank == 4:
        if _channels_axis(spec) == 3:
            return ["batch", "height", "width", "channels"]
        return ["batch", "channels", "height", "width"]
    if spec.rank > 4:
        return ["batch", *["sequence"] * (spec.rank - 3), "height", "width"]
    return ["batch", *["sequence"] * (spec.rank - 1)][: spec.rank]


def _roles(specs: tuple[TensorSpec, ...]) -> dict[str, str]:
    """Role of each dynamic dim by name; what an image says of a shared dim counts most."""
    roles: dict[str, str] = {}
    for spec in sorted(specs, key=lambda spec: -spec.rank):
        for dim, role in zip(spec.shape, _axis_roles(spec), strict=True):
            if isinstance(dim, str):
                roles.setdefault(dim, role)
    return roles


def _ranges(specs: tuple[TensorSpec, ...], hints: dict[str, ShapeHint]) -> dict[str, _Range]:
    """Range of each dynamic dim: the intersection of the hints for all its occurrences."""
    ranges: dict[str, _Range] = {}
    for spec in sorted(specs, key=lambda spec: -spec.rank):
        hint = hints.get(spec.name)
        usable = hint and len(hint.min) == len(hint.opt) == len(hint.max) == spec.rank
        for axis, dim in enumerate(spec.shape):
            if isinstance(dim, int):
                continue
            old = ranges.setdefault(dim, _Range(1, _UNBOUNDED, None))
            if not (hint and usable):
                continue
            low = max(old.low, hint.min[axis])
            high = min(old.high, max(hint.max[axis], hint.min[axis]))
            if low <= high:
                best = old.best if old.best is not None else hint.opt[axis]
                ranges[dim] = _Range(low, high, min(max(best, low), high))
    return ranges


def _bind(given: Shapes, specs: tuple[TensorSpec, ...]) -> dict[str, _Range]:
    """Pin the dynamic dims that explicitly given shapes fix."""
    by_name = {spec.name: spec for spec in specs}
    pinned: dict[str, _Range] = {}
    for name, shape in given.items():
        if name not in by_name:
            raise InputError(f"no input named {name!r}", hint=f"inputs: {', '.join(by_name)}")
        spec = by_name[name]
        if len(shape) != spec.rank:
            raise InputError(f"{list(shape)} does not fit {spec}", hint=f"give {spec.rank} extents")
        for dim, extent in zip(spec.shape, shape, strict=True):
            exact = _Range(extent, extent, extent)
            wanted = pinned.setdefault(dim, exact).low if isinstance(dim, str) else dim
            if extent < 1 or extent != wanted:
                raise InputError(
                    f"{list(shape)} does not fit {spec}: {extent} where {dim} is {wanted}",
                    hint="static extents, and dims of one name, must agree; extents are at least 1",
                )
    return pinned


def _resolve(
    specs: tuple[TensorSpec, ...], ranges: dict[str, _Range], unlike: Shapes | None = None
) -> Shapes:
    """Choose every dynamic extent for the first shape, or for a second one ``unlike`` the first."""
    chosen: dict[str, int] = {}
    variant = 1 if unlike else 0
    roles = _roles(specs)
    for dim, role in roles.items():
        fallback = {"batch": variant + 1, "channels": 3, "sequence": SEQUENCE_LENGTHS[variant]}
        if role in fallback:
            best = ranges[dim].best if role == "channels" else None
            limits = ranges[dim]
            if role == "batch":
                # A hint's largest batch says what one deployment wants, not what the graph takes:
                # detectors give 1 throughout. Where Paddle refuses 2, an alternative has batch 1.
                limits = limits._replace(high=_UNBOUNDED)
            chosen[dim] = _clamp(best or fallback[role], limits)
    for spec in sorted(specs, key=lambda spec: -spec.rank):
        if spec.rank < 4:
            continue
        axes = _axis_roles(spec)
        names = dict(zip(axes, spec.shape, strict=True))
        sides = [
            ranges[dim] if isinstance(dim, str) else _Range(dim, dim, dim)
            for dim in (names["height"], names["width"])
        ]
        known = [chosen.get(d, 1) if isinstance(d, str) else d for d in spec.shape]
        frames = known[0] * (math.prod(known[1:-2]) if spec.rank > 4 else 1)
        first = dict(zip(axes, unlike[spec.name], strict=True)) if unlike else None
        avoid = (first["height"], first["width"]) if first else None
        pair = _image_pair(sides[0], sides[1], frames, avoid)
        for side, extent in zip((names["height"], names["width"]), pair, strict=True):
            if isinstance(side, str):
                chosen.setdefault(side, extent)
    return {
        spec.name: tuple(chosen[d] if isinstance(d, str) else d for d in spec.shape)
        for spec in specs
    }


def _image_pair(
    height: _Range, width: _Range, frames: int, avoid: tuple[int, int] | None
) -> tuple[int, int]:
    """Choose (height, width) near the hint, within the pixel budget.

    Landscape, or portrait when there is a first choice to ``avoid``.
    """
    free = (height.low < height.high) + (width.low < width.high)
    tall, wide = height.best or DEFAULT_IMAGE[0], width.best or DEFAULT_IMAGE[1]
    if free == 2:
        short, long = sorted((tall, wide))
        short = short if short < long else long * 3 // 4
        tall, wide = (long, short) if avoid else (short, long)
    elif free == 1 and avoid:
        tall, wide = max(tall // 2, height.low), max(wide // 2, width.low)
    excess = frames * tall * wide / PIXEL_BUDGET
    shrink = max(1.0, excess) ** (-1 / max(1, free))
    tall, wide = _fit(tall * shrink, height), _fit(wide * shrink, width)
    if free == 2 and not avoid and tall >= wide:
        wide = _fit(tall + STRIDE, width)
    if free == 2 and avoid and wide >= tall:
        tall = _fit(wide + STRIDE, height)
    if (tall, wide) == avoid:
        tall, wide = _fit(tall + STRIDE, height), _fit(wide + STRIDE, width)
    return tall, wide


def _clamp(value: int, limits: _Range) -> int:
    return min(max(value, limits.low), limits.high)


def _fit(value: float, limits: _Range) -> int:
    """Round down to a multiple of ``STRIDE`` in the range; clamp ``value`` when there is none."""
    multiple = max(int(value) // STRIDE, math.ceil(limits.low / STRIDE)) * STRIDE
    return multiple if multiple <= limits.high else _clamp(int(value), limits)


def _case(specs: tuple[TensorSpec, ...], shapes: Shapes, seed: int, kind: Kind) -> InputCase:
    sizes = " ".join(f"{name}={'x'.join(map(str, shape))}" for name, shape in shapes.items())
    label = f"{kind} {sizes} seed {seed}" if shapes else "no inputs"
    return InputCase(label=label, shapes=shapes, seed=seed, kind=kind, specs=specs)


def _image_size(case: InputCase, specs: tuple[TensorSpec, ...]) -> tuple[int, int] | None:
    """Height and width of the first image input."""
    for spec in specs:
        channels = _channels_axis(spec)
        if channels and spec.name in case.shapes:
            shape = case.shapes[spec.name]
            return (shape[2], shape[3]) if channels == 1 else (shape[1], shape[2])
    return None
