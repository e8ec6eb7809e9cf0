"""Which extents the dynamic dims of a model get."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

from converter.accuracy.inputs.axes import axis_roles, roles_of
from converter.errors import InputError
from converter.model.tensor import ShapeHint, TensorSpec

Shapes: TypeAlias = dict[str, tuple[int, ...]]

#: Pixels (batch x height x width) a case aims to stay below: 256 x 256. A whole conversion takes
#: about a second; four detector runs at full size would be most of it.
PIXEL_BUDGET = 1 << 16

#: Spatial extents are multiples of this where the range allows: DB detectors refuse others.
STRIDE = 32

#: Landscape (height, width) where no hint says better.
DEFAULT_IMAGE = (320, 480)

#: Lengths of dynamic sequence axes in the first and second shape.
SEQUENCE_LENGTHS = (16, 7)

_UNBOUNDED = 1 << 31


class Range(NamedTuple):
    """Extents a dim may take, and the preferred one (None without a hint)."""

    low: int
    high: int
    best: int | None


def ranges_of(specs: tuple[TensorSpec, ...], hints: dict[str, ShapeHint]) -> dict[str, Range]:
    """Range of each dynamic dim: the intersection of the hints for all its occurrences."""
    ranges: dict[str, Range] = {}
    for spec in sorted(specs, key=lambda spec: -spec.rank):
        hint = hints.get(spec.name)
        usable = hint and len(hint.min) == len(hint.opt) == len(hint.max) == spec.rank
        for axis, dim in enumerate(spec.shape):
            if isinstance(dim, int):
                continue
            old = ranges.setdefault(dim, Range(1, _UNBOUNDED, None))
            if not (hint and usable):
                continue
            low = max(old.low, hint.min[axis])
            high = min(old.high, max(hint.max[axis], hint.min[axis]))
            if low <= high:
                best = old.best if old.best is not None else hint.opt[axis]
                ranges[dim] = Range(low, high, min(max(best, low), high))
    return ranges


def bind(given: Shapes, specs: tuple[TensorSpec, ...]) -> dict[str, Range]:
    """Pin the dynamic dims that explicitly given shapes fix."""
    by_name = {spec.name: spec for spec in specs}
    pinned: dict[str, Range] = {}
    for name, shape in given.items():
        if name not in by_name:
            raise InputError(f"no input named {name!r}", hint=f"inputs: {', '.join(by_name)}")
        spec = by_name[name]
        if len(shape) != spec.rank:
            raise InputError(f"{list(shape)} does not fit {spec}", hint=f"give {spec.rank} extents")
        for dim, extent in zip(spec.shape, shape, strict=True):
            exact = Range(extent, extent, extent)
            wanted = pinned.setdefault(dim, exact).low if isinstance(dim, str) else dim
            if extent < 1 or extent != wanted:
                raise InputError(
                    f"{list(shape)} does not fit {spec}: {extent} where {dim} is {wanted}",
                    hint="static extents, and dims of one name, must agree; extents are at least 1",
                )
    return pinned


def resolve(
    specs: tuple[TensorSpec, ...], ranges: dict[str, Range], unlike: Shapes | None = None
) -> Shapes:
    """Choose every dynamic extent for the first shape, or for a second one ``unlike`` the first."""
    chosen: dict[str, int] = {}
    variant = 1 if unlike else 0
    roles = roles_of(specs)
    for dim, role in roles.items():
        fallback = {"batch": variant + 1, "channels": 3, "sequence": SEQUENCE_LENGTHS[variant]}
        if role in fallback:
            best = ranges[dim].best if role == "channels" else None
            limits = ranges[dim]
            if role == "batch":
                # A hint's largest batch says what one deployment wants, not what the graph takes:
                # detectors give 1 throughout. Where Paddle refuses 2, an alternative has batch 1.
                limits = limits._replace(high=_UNBOUNDED)
            chosen[dim] = clamp(best or fallback[role], limits)
    for spec in sorted(specs, key=lambda spec: -spec.rank):
        if spec.rank < 4:
            continue
        axes = axis_roles(spec)
        names = dict(zip(axes, spec.shape, strict=True))
        sides = [
            ranges[dim] if isinstance(dim, str) else Range(dim, dim, dim)
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
    height: Range, width: Range, frames: int, avoid: tuple[int, int] | None
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
    tall, wide = fit(tall * shrink, height), fit(wide * shrink, width)
    if free == 2 and not avoid and tall >= wide:
        wide = fit(tall + STRIDE, width)
    if free == 2 and avoid and wide >= tall:
        tall = fit(wide + STRIDE, height)
    if (tall, wide) == avoid:
        tall, wide = fit(tall + STRIDE, height), fit(wide + STRIDE, width)
    return tall, wide


def clamp(value: int, limits: Range) -> int:
    """The extent of the range that is nearest to ``value``."""
    return min(max(value, limits.low), limits.high)


def fit(value: float, limits: Range) -> int:
    """Round down to a multiple of ``STRIDE`` in the range; clamp ``value`` when there is none."""
    multiple = max(int(value) // STRIDE, math.ceil(limits.low / STRIDE)) * STRIDE
    return multiple if multiple <= limits.high else clamp(int(value), limits)
