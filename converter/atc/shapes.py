"""The static input shapes an OM file is compiled for."""

from __future__ import annotations

from converter.errors import InputError
from converter.model.tensor import ShapeHint, TensorSpec


def static_shapes(
    inputs: tuple[TensorSpec, ...],
    asked: dict[str, tuple[int, ...]],
    hints: dict[str, ShapeHint],
) -> dict[str, tuple[int, ...]]:
    """One static shape per graph input: as asked, else its own, else ``inference.yml``'s ``opt``.

    Raises ``InputError`` for an unknown name, a wrong rank, a contradiction of a fixed extent, and
    for a dynamic input that nothing gives a shape to.
    """
    names = [spec.name for spec in inputs]
    for name in asked:
        if name not in names:
            raise InputError(
                f"--shape names {name!r}, which is not an input", hint=f"inputs: {', '.join(names)}"
            )
    return {spec.name: _shape_of(spec, asked.get(spec.name), hints) for spec in inputs}


def _shape_of(
    spec: TensorSpec, asked: tuple[int, ...] | None, hints: dict[str, ShapeHint]
) -> tuple[int, ...]:
    shape = asked
    if shape is None and not spec.is_dynamic:
        shape = tuple(int(dim) for dim in spec.shape)
    if shape is None and spec.name in hints:
        shape = hints[spec.name].opt
    if shape is None:
        dims = ("1" if dim == "batch" else str(dim).upper() for dim in spec.shape)
        example = ",".join(dims)
        raise InputError(
            f"no static shape for input {spec}",
            hint=f"give one with --shape {spec.name}={example}, the names replaced by numbers",
        )
    fits = len(shape) == spec.rank and all(
        isinstance(dim, str) or dim == extent for dim, extent in zip(spec.shape, shape, strict=True)
    )
    if not fits or any(extent < 1 for extent in shape):
        raise InputError(
            f"shape {','.join(map(str, shape))} does not fit input {spec}",
            hint="give every axis a positive extent; fixed axes must stay as they are",
        )
    return shape


def format_input_shape(shapes: dict[str, tuple[int, ...]]) -> str:
    """atc's ``--input_shape`` text: ``x:1,3,48,320;y:1,2`` (a scalar is ``name:``)."""
    return ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in shapes.items())
