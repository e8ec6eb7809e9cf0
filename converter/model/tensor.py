"""The signature of a model: tensors with a name, a dtype and a shape of named dynamic dims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

#: A known extent, or the name of a dynamic one.
Dim: TypeAlias = int | str


class TensorSpec(BaseModel):
    """One graph input or output.

    ``dtype`` is numpy's name (``float32``, ``int64``, ``bool``, ``bfloat16``). ``shape`` has one
    entry per axis; a string names a dynamic dim. ``()`` is a 0-D tensor. ``index_limit`` is of an
    integer input that indexes a table: the table's rows, so that indices are from [0, rows).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    index_limit: int | None = None

    @model_serializer(mode="wrap")
    def _without_none(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = serialise(self)
        if self.index_limit is None:
            made.pop("index_limit", None)
        return made

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def is_dynamic(self) -> bool:
        """Whether any axis is dynamic."""
        return any(isinstance(dim, str) for dim in self.shape)

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{','.join(map(str, self.shape))}]"


def narrowed(specs: Sequence[TensorSpec], others: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """``specs`` with the extents that ``others``, one for each, fix where they are dynamic.

    A dim that becomes fixed is so wherever its name stands, unless another extent is there. Where
    ranks differ, nothing is taken over.
    """
    fixed: dict[str, int] = {}
    shapes: list[list[Dim]] = []
    for spec, other in zip(specs, others, strict=True):
        shape = list(spec.shape)
        if spec.rank == other.rank:
            for axis, (dim, extent) in enumerate(zip(spec.shape, other.shape, strict=True)):
                if isinstance(dim, str) and isinstance(extent, int):
                    shape[axis] = extent
                    fixed.setdefault(dim, extent)
        shapes.append(shape)
    return tuple(
        spec.model_copy(
            update={"shape": tuple(fixed.get(d, d) if isinstance(d, str) else d for d in shape)}
        )
        for spec, shape in zip(specs, shapes, strict=True)
    )


class ShapeHint(BaseModel):
    """The shapes a model's ``inference.yml`` says an input takes (``Hpi`` dynamic shapes)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]


#: Names given to the dynamic axes of an image-like rank-4 input; other ranks use ``axisN``.
_IMAGE_AXES = ("batch", None, "height", "width")


def name_dims(tensor: str, shape: list[int], *, is_input: bool) -> tuple[Dim, ...]:
    """Replace the negative extents of a Paddle shape by readable names.

    An input's axis 0 is ``batch`` and the spatial axes of a rank-4 input are ``height`` and
    ``width``. Output axes get names of their own (``<tensor>_axisN``): that an output's extent
    equals an input's is a claim about the graph that a shape alone does not support.
    """

    def name(axis: int) -> str:
        if is_input:
            if axis == 0:
                return "batch"
            if len(shape) == 4 and _IMAGE_AXES[axis]:
                return str(_IMAGE_AXES[axis])
        return f"{tensor}_axis{axis}"

    return tuple(name(axis) if extent < 0 else extent for axis, extent in enumerate(shape))
