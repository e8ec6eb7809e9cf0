"""The cases of a model, and what stands in for those that its own Paddle refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator

from converter.accuracy.inputs.axes import is_counted, roles_of
from converter.accuracy.inputs.shapes import Shapes, bind, ranges_of, resolve
from converter.accuracy.inputs.values import LIMITED, InputCase, Kind, check_range, kinds_of
from converter.errors import InputError
from converter.model.tensor import ShapeHint, TensorSpec

#: Elements of the largest input an alternative may have: 32 MiB of float32.
LARGEST_ALTERNATIVE = 1 << 23


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
    check_range(value_range)
    ranges = ranges_of(specs, hints)
    if shapes is None:
        first = resolve(specs, ranges)
        planned = [first, resolve(specs, ranges, unlike=first)]
    elif not shapes:
        raise InputError("an empty list of shapes", hint="give at least one, or leave it out")
    else:
        planned = [resolve(specs, {**ranges, **bind(given, specs)}) for given in shapes]
    planned = [shape for i, shape in enumerate(planned) if shape not in planned[:i]]
    # Forwards then backwards: every shape is run with both kinds.
    order = planned + planned[::-1] if len(planned) > 1 else planned * (3 if specs else 1)
    kinds = kinds_of(specs, value_range, len(planned))
    # Shapes that the user asked for have no alternatives: without ``specs`` nothing may change.
    kept = specs if shapes is None else ()
    return [
        case_of(kept, shape, seed + index, kinds[index % len(kinds)])
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
    roles = roles_of(case.specs)

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
            yield case_of(case.specs, shapes, case.seed, case.kind)


def narrower(case: InputCase, specs: tuple[TensorSpec, ...] = ()) -> Iterator[InputCase]:
    """Propose tamer values for a case whose own Paddle refused, or answered with NaN.

    ``specs`` are the inputs; fewer kinds of integers are proposed where there are any.
    """
    tamer: dict[Kind, tuple[Kind, ...]] = {"signed": ("wide", "uniform"), "wide": ("uniform",)}
    kinds = tamer.get(case.kind, ())
    if "uniform" in (case.kind, *kinds) and any(map(is_counted, specs)):
        kinds += tuple(LIMITED)
    for kind in kinds:
        yield case_of(case.specs, case.shapes, case.seed, kind)


def reshaped(case: InputCase, shapes: Shapes) -> InputCase:
    """Return the same case on other shapes."""
    return case_of(case.specs, shapes, case.seed, case.kind)


def case_of(specs: tuple[TensorSpec, ...], shapes: Shapes, seed: int, kind: Kind) -> InputCase:
    """Make a case; its label tells kind, shapes and seed."""
    sizes = " ".join(f"{name}={'x'.join(map(str, shape))}" for name, shape in shapes.items())
    label = f"{kind} {sizes} seed {seed}" if shapes else "no inputs"
    return InputCase(label=label, shapes=shapes, seed=seed, kind=kind, specs=specs)
