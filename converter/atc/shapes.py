"""The static input shapes an OM file is compiled for, and where each of them comes from."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeAlias

from converter.atc.flags import DATA
from converter.errors import InputError
from converter.model.compile_options import ONLY_INPUT
from converter.model.tensor import ShapeHint, TensorSpec

Shape: TypeAlias = tuple[int, ...]

#: Of one input: 4 TiB of float32.
_MOST_ELEMENTS = 1 << 40

#: What a shape was taken from: the user; the model, which is static there; ``Hpi`` or the
#: preprocessing of ``inference.yml``; the table of known models; the batch alone was open.
ShapeSource: TypeAlias = Literal["asked", "model", "hpi", "preprocess", "known model", "batch of 1"]


@dataclass(frozen=True)
class Hints:
    """What else than the user there is to go by.

    ``hpi`` has the shapes that ``inference.yml`` names for high-performance inference, ``size`` is
    (height, width) after its preprocessing, ``model_name`` the official name.
    """

    hpi: Mapping[str, ShapeHint] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    model_name: str | None = None


@dataclass(frozen=True)
class StaticShapes:
    """One static shape per graph input, in their order, and what each was taken from."""

    shapes: Mapping[str, Shape]
    sources: Mapping[str, ShapeSource]


@cache
def _known_models() -> tuple[tuple[str, Mapping[str, list[int]]], ...]:
    table: dict[str, Any] = json.loads((DATA / "known_shapes.json").read_text(encoding="utf-8"))
    return tuple((entry["name"], entry["shapes"]) for entry in table["models"])


def known_shapes(model_name: str | None) -> dict[str, Shape]:
    """The shapes that a known model's OM file has; ``{}`` for any other."""
    for pattern, shapes in _known_models():
        if model_name and re.fullmatch(pattern, model_name):
            return {name: tuple(shape) for name, shape in shapes.items()}
    return {}


def static_shapes(
    inputs: tuple[TensorSpec, ...],
    asked: Mapping[str, Shape],
    hints: Hints = Hints(),
) -> StaticShapes:
    """One static shape per graph input, from the first of ``ShapeSource`` that has one.

    Raises ``InputError`` for an unknown name, a wrong rank, a contradiction of a fixed extent, and
    for a dynamic input that nothing gives a shape to.
    """
    names = [spec.name for spec in inputs]
    asked = _with_name(asked, names)
    check_shapes(inputs, asked)
    known = known_shapes(hints.model_name)
    if len(known) == len(inputs) == 1:  # exporters name the one input as they like
        known = {names[0]: next(iter(known.values()))}
    shapes: dict[str, Shape] = {}
    sources: dict[str, ShapeSource] = {}
    for spec in inputs:
        shapes[spec.name], sources[spec.name] = _choose(spec, asked, hints, known)
    return StaticShapes(shapes, sources)


def _with_name(asked: Mapping[str, Shape], names: list[str]) -> dict[str, Shape]:
    """``asked`` with the name of the model's only input for ``ONLY_INPUT``."""
    if ONLY_INPUT not in asked:
        return dict(asked)
    if len(names) != 1:
        raise InputError(
            f"a shape without the name of an input, and the model has {len(names)}",
            hint=f"name the input: {', '.join(names)}",
        )
    shape = asked[ONLY_INPUT]
    return {names[0]: shape} | {name: s for name, s in asked.items() if name != ONLY_INPUT}


def check_shapes(inputs: tuple[TensorSpec, ...], asked: Mapping[str, Shape]) -> None:
    """Raise ``InputError`` for an unknown name, a wrong rank, and other extents than fixed ones."""
    specs = {spec.name: spec for spec in inputs}
    for name, shape in _with_name(asked, list(specs)).items():
        if name not in specs:
            raise InputError(
                f"--shape is given for {name!r}, which is not an input",
                hint=f"inputs: {', '.join(specs)}",
            )
        _fitting(specs[name], shape)


def _choose(
    spec: TensorSpec, asked: Mapping[str, Shape], hints: Hints, known: Mapping[str, Shape]
) -> tuple[Shape, ShapeSource]:
    if spec.name in asked:
        return _fitting(spec, asked[spec.name]), "asked"
    if not spec.is_dynamic:
        return tuple(int(dim) for dim in spec.shape), "model"
    if spec.name in hints.hpi:
        return _fitting(spec, hints.hpi[spec.name].opt), "hpi"
    image = _image_shape(spec, hints.size)
    if image is not None:
        return image, "preprocess"
    if spec.name in known and fits(spec, known[spec.name]):
        return known[spec.name], "known model"
    if all(isinstance(dim, int) for dim in spec.shape[1:]):
        return (1, *(int(dim) for dim in spec.shape[1:])), "batch of 1"
    dims = ("1" if dim == "batch" else str(dim).upper() for dim in spec.shape)
    raise InputError(
        f"no static shape for input {spec}",
        hint=f"give one with --shape {spec.name}={','.join(dims)}, the names replaced by numbers",
    )


def _image_shape(spec: TensorSpec, size: tuple[int, int] | None) -> Shape | None:
    """Batch 1, the model's channels and the preprocessing's height and width, where they fit."""
    if size is None or spec.rank != 4 or spec.shape[1] not in (1, 3):
        return None
    shape = (1, int(spec.shape[1]), *size)
    return shape if fits(spec, shape) else None


def fits(spec: TensorSpec, shape: Shape) -> bool:
    """Whether ``shape`` has the input's rank and fixed extents, and positive ones."""
    return len(shape) == spec.rank and all(
        extent >= 1 and (isinstance(dim, str) or dim == extent)
        for dim, extent in zip(spec.shape, shape, strict=True)
    )


def _fitting(spec: TensorSpec, shape: Shape) -> Shape:
    if not fits(spec, shape):
        raise InputError(
            f"shape {','.join(map(str, shape))} does not fit input {spec}",
            hint="give every axis a positive extent; fixed axes must stay as they are",
        )
    if math.prod(shape) > _MOST_ELEMENTS:
        raise InputError(
            f"shape {','.join(map(str, shape))} of input {spec.name} has more elements than fit "
            "into any memory",
            hint="check the extents for a typing mistake",
        )
    return shape
