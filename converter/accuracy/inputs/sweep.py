"""A sweep over the shapes of a dynamic model: the ends of every range, odd sizes, other batches."""

from __future__ import annotations

import math
from collections.abc import Iterator

from converter.accuracy.inputs.axes import channels_axis, roles_of
from converter.accuracy.inputs.cases import case_of
from converter.accuracy.inputs.shapes import STRIDE, Range, Shapes, ranges_of, resolve
from converter.accuracy.inputs.values import InputCase, Kind
from converter.model.record import Record
from converter.model.tensor import ShapeHint, TensorSpec

#: Elements of the largest input in a sweep, and of the usual shape as ``inference.yml`` names it.
#: Paddle keeps all values between operators: up to 3.6 kB of memory for each element of the input
#: (PP-OCRv4_mobile_rec). The largest shape named for a detector, 4000 x 4000, has 48 million.
SWEEP_ELEMENTS = 1 << 20
OPT_ELEMENTS = 1 << 21

#: Batches of a sweep; the usual cases have 1 and 2.
BATCHES = (1, 3)

#: Small and large extents where no hint names a range: sequences, and sides of images.
UNHINTED = {"sequence": (1, 64), "height": (STRIDE, 640), "width": (STRIDE, 640)}

#: Seeds of a sweep begin so far above those of the usual cases.
_SEEDS = 100


class SweptCase(Record):
    """One shape of a sweep: ``what`` is special about it, and the case that has it.

    ``instead_of`` are the shapes it stands for, where those are too large to be run.
    """

    what: str
    case: InputCase
    instead_of: dict[str, tuple[int, ...]] | None = None


def plan_sweep(
    specs: tuple[TensorSpec, ...], hints: dict[str, ShapeHint], *, seed: int = 0
) -> list[SweptCase]:
    """Plan the shapes of a sweep, none twice; none at all for a model without dynamic dims.

    Those that ``inference.yml`` names (min, opt, max); every dim by itself at the ends of its range
    and at an odd extent, the others as in the first usual case; batches of 1 and 3. Values are
    drawn text for images, else uniform noise.
    """
    ranges = ranges_of(specs, hints)
    kind: Kind = "text" if any(channels_axis(spec) for spec in specs) else "uniform"
    usual = _extents(specs, resolve(specs, ranges))
    swept: list[SweptCase] = []
    for what, extents in _proposals(roles_of(specs), ranges, usual):
        most = OPT_ELEMENTS if what == "opt" else SWEEP_ELEMENTS
        fitted = _fitted(specs, extents, usual, most)
        shapes = _shapes(specs, fitted)
        if all(shapes != other.case.shapes for other in swept):
            case = case_of((), shapes, seed + _SEEDS + len(swept), kind)
            asked = _shapes(specs, extents) if fitted != extents else None
            swept.append(SweptCase(what=what, case=case, instead_of=asked))
    return swept


def _proposals(
    roles: dict[str, str], ranges: dict[str, Range], usual: dict[str, int]
) -> Iterator[tuple[str, dict[str, int]]]:
    """What is special about each shape, and the extents of the dynamic dims."""
    hinted = {dim: found for dim, found in ranges.items() if found.best is not None}
    if hinted:
        yield "min", usual | {dim: found.low for dim, found in hinted.items()}
        yield "opt", usual | {dim: found.best or found.low for dim, found in hinted.items()}
        yield "max", usual | {dim: found.high for dim, found in hinted.items()}
    told = list(roles.values())
    for dim, role in roles.items():
        name = role if told.count(role) == 1 else f"{role} {dim}"
        if role == "batch":
            for batch in BATCHES:
                yield f"{name} {batch}", usual | {dim: batch}
        elif role != "channels" and ranges[dim].low < ranges[dim].high:
            yield f"{name} odd", usual | {dim: _odd(usual[dim], ranges[dim])}
            small, large = UNHINTED[role]
            if dim in hinted:
                small, large = ranges[dim].low, ranges[dim].high
            words = ("min", "max") if dim in hinted else ("small", "large")
            yield f"{name} {words[0]}", usual | {dim: small}
            yield f"{name} {words[1]}", usual | {dim: large}


def _odd(extent: int, limits: Range) -> int:
    """An odd extent beside this one, another than it, in the range."""
    below = extent - 1 - extent % 2
    return below if below >= limits.low else min(extent + 1 + extent % 2, limits.high)


def _fitted(
    specs: tuple[TensorSpec, ...], extents: dict[str, int], usual: dict[str, int], most: int
) -> dict[str, int]:
    """The extents, nearer to the usual ones where an input would have too many elements.

    Too many are more than ``most``, and than the usual ones in the largest of ``BATCHES``.
    """
    most = max(most, max(BATCHES) * _largest(specs, usual))
    for twentieths in range(20, -1, -1):
        fitted = {
            dim: usual[dim] + _part(extent - usual[dim], twentieths)
            if extent > usual[dim]
            else extent
            for dim, extent in extents.items()
        }
        if _largest(specs, fitted) <= most:
            break
    return fitted


def _largest(specs: tuple[TensorSpec, ...], extents: dict[str, int]) -> int:
    """Elements of the largest input."""
    return max(map(math.prod, _shapes(specs, extents).values()))


def _part(excess: int, twentieths: int) -> int:
    """So much of an excess: a multiple of ``STRIDE`` where the whole is one."""
    step = STRIDE if excess % STRIDE == 0 else 1
    return excess * twentieths // 20 // step * step


def _extents(specs: tuple[TensorSpec, ...], shapes: Shapes) -> dict[str, int]:
    return {
        dim: extent
        for spec in specs
        for dim, extent in zip(spec.shape, shapes[spec.name], strict=True)
        if isinstance(dim, str)
    }


def _shapes(specs: tuple[TensorSpec, ...], extents: dict[str, int]) -> Shapes:
    return {
        spec.name: tuple(extents[dim] if isinstance(dim, str) else dim for dim in spec.shape)
        for spec in specs
    }
