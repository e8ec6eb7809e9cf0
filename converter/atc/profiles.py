"""Turns the shapes an OM file shall take into atc's flags for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from converter.atc.flags import refusal
from converter.atc.shape_text import Axis
from converter.errors import InputError
from converter.model.tensor import TensorSpec

#: One full shape per input.
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

ProfileFlag: TypeAlias = Literal["dynamic_batch_size", "dynamic_image_size", "dynamic_dims"]

_HEIGHT, _WIDTH = 2, 3


@dataclass(frozen=True)
class ShapeFlags:
    """``--input_shape`` and what goes with it; ``profile_flag`` is None without profiles."""

    input_shape: str
    input_format: str | None = None
    profile_flag: ProfileFlag | None = None
    profiles: str = ""

    def as_flags(self) -> dict[str, str]:
        """Flag name -> text."""
        flags = {"input_shape": self.input_shape}
        if self.input_format:
            flags["input_format"] = self.input_format
        if self.profile_flag:
            flags[self.profile_flag] = self.profiles
        return flags


def fixed(shapes: Mapping[str, tuple[Axis, ...]]) -> ShapeFlags:
    """One shape per input. An axis may be -1 or a range: then the OM file's shapes are dynamic."""
    entries = []
    for name, shape in shapes.items():
        axes = (f"{a[0]}~{a[1]}" if isinstance(a, tuple) else str(a) for a in shape)
        entries.append(f"{name}:{','.join(axes)}")
    return ShapeFlags(";".join(entries))


def from_profiles(
    profiles: Sequence[Shapes],
    *,
    signature: Sequence[TensorSpec] = (),
    aipp: bool = False,
    wanted: ProfileFlag | None = None,
) -> ShapeFlags:
    """The flags for an OM file that takes each of ``profiles`` and nothing else.

    One profile is a static shape. Where only batches differ the flag is ``dynamic_batch_size``,
    where only heights and widths of images do it is ``dynamic_image_size``, else ``dynamic_dims``
    (``wanted`` overrides: ``dynamic_dims`` can do all). ``signature`` says which extents the model
    fixes; ``aipp`` that an AIPP file is used, with which ``dynamic_dims`` does not go.

    Raises ``InputError`` when the profiles contradict each other or the flag cannot express them.
    """
    if not profiles:
        raise InputError("no shape profile", hint="give at least one shape per input")
    first = profiles[0]
    for profile in profiles[1:]:
        _check_alike(first, profile)
    if len(profiles) == 1:
        return fixed(first)
    if len({tuple(sorted(profile.items())) for profile in profiles}) < len(profiles):
        raise refusal("the same shape profile twice", hint="remove the duplicate", code="E10039")
    changing = _changing_axes(profiles)
    flag = wanted or _choose(profiles, changing, signature)
    if flag == "dynamic_dims" and aipp:
        raise refusal(
            "--insert_op_conf and --dynamic_dims exclude each other, and these profiles need it",
            hint="let only batches, or only image heights and widths, differ between profiles",
            code="E10001",
        )
    if flag == "dynamic_batch_size":
        return _batch(profiles, changing)
    if flag == "dynamic_image_size":
        return _image(profiles, changing)
    return _dims(profiles, changing, signature)


def _check_alike(first: Shapes, other: Shapes) -> None:
    if list(first) != list(other):
        raise InputError(
            f"shape profiles name different inputs: {', '.join(first)}; {', '.join(other)}",
            hint="every profile has the full shape of every input, in one order",
        )
    for name, shape in first.items():
        if len(shape) != len(other[name]):
            raise refusal(
                f"shape profiles have different ranks for input {name!r}",
                hint="every profile has the full shape of every input",
                code="E10037",
            )


def _changing_axes(profiles: Sequence[Shapes]) -> dict[str, list[int]]:
    """Input -> its axes whose extents differ between profiles; inputs without any are left out."""
    changing = {
        name: [axis for axis in range(len(shape)) if len({p[name][axis] for p in profiles}) > 1]
        for name, shape in profiles[0].items()
    }
    return {name: axes for name, axes in changing.items() if axes}


def _agree(profiles: Sequence[Shapes], names: Sequence[str], axes: Sequence[int]) -> bool:
    """Whether in each profile all inputs of ``names`` have the same extents at ``axes``."""
    return all(
        len({tuple(profile[name][axis] for axis in axes) for name in names}) == 1
        for profile in profiles
    )


def _is_fixed(signature: Sequence[TensorSpec], name: str, axis: int) -> bool:
    spec = next((spec for spec in signature if spec.name == name), None)
    return spec is not None and isinstance(spec.shape[axis], int)


def _choose(
    profiles: Sequence[Shapes],
    changing: Mapping[str, Sequence[int]],
    signature: Sequence[TensorSpec],
) -> ProfileFlag:
    names = list(changing)
    if all(axes == [0] for axes in changing.values()) and _agree(profiles, names, [0]):
        return "dynamic_batch_size"
    image = (_HEIGHT, _WIDTH)
    images = all(
        len(profiles[0][name]) == 4
        and set(axes) <= set(image)
        and not any(_is_fixed(signature, name, axis) for axis in image)
        for name, axes in changing.items()
    )
    return "dynamic_image_size" if images and _agree(profiles, names, image) else "dynamic_dims"


def _with_holes(first: Shapes, holes: Mapping[str, Sequence[int]]) -> str:
    return fixed(
        {
            name: tuple(-1 if axis in holes.get(name, ()) else e for axis, e in enumerate(shape))
            for name, shape in first.items()
        }
    ).input_shape


def _batch(profiles: Sequence[Shapes], changing: Mapping[str, list[int]]) -> ShapeFlags:
    for name, axes in changing.items():
        if axes != [0] or not _agree(profiles, list(changing), [0]):
            raise refusal(
                f"--dynamic_batch_size cannot express the profiles of --input_shape {name!r}",
                hint="only axis 0 may differ, by the same values for all inputs",
                code="E10018",
            )
    images = all(len(shape) == 4 for shape in profiles[0].values())
    values = [profile[next(iter(changing))][0] for profile in profiles]
    return ShapeFlags(
        _with_holes(profiles[0], changing),
        "NCHW" if images else "ND",
        "dynamic_batch_size",
        ",".join(map(str, values)),
    )


def _image(profiles: Sequence[Shapes], changing: Mapping[str, list[int]]) -> ShapeFlags:
    image = (_HEIGHT, _WIDTH)
    for name, axes in changing.items():
        rank = len(profiles[0][name])
        if rank != 4 or not set(axes) <= set(image) or not _agree(profiles, [*changing], image):
            raise refusal(
                f"--dynamic_image_size cannot express the profiles of --input_shape {name!r}",
                hint="only height and width of rank-4 inputs may differ; use dynamic_dims",
                code="E10019",
            )
    name = next(iter(changing))
    pairs = [f"{profile[name][_HEIGHT]},{profile[name][_WIDTH]}" for profile in profiles]
    holes = dict.fromkeys(changing, image)
    return ShapeFlags(
        _with_holes(profiles[0], holes), "NCHW", "dynamic_image_size", ";".join(pairs)
    )


def _dims(
    profiles: Sequence[Shapes],
    changing: Mapping[str, list[int]],
    signature: Sequence[TensorSpec],
) -> ShapeFlags:
    """Height and width of an image go together, as everyone writes them, unless one is fixed."""
    holes = {name: set(axes) for name, axes in changing.items()}
    for name, axes in holes.items():
        if len(profiles[0][name]) == 4 and axes & {_HEIGHT, _WIDTH}:
            axes |= {a for a in (_HEIGHT, _WIDTH) if not _is_fixed(signature, name, a)}
    ordered = {name: sorted(axes) for name, axes in holes.items()}
    rows = [
        ",".join(str(profile[name][axis]) for name, axes in ordered.items() for axis in axes)
        for profile in profiles
    ]
    return ShapeFlags(_with_holes(profiles[0], ordered), "ND", "dynamic_dims", ";".join(rows))
