"""What the axes of an input mean, told from its rank, dtype, extents and name."""

from __future__ import annotations

from converter.model.tensor import TensorSpec


def channels_axis(spec: TensorSpec) -> int | None:
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


def axis_roles(spec: TensorSpec) -> list[str]:
    """What each axis is: batch, channels, height, width or sequence (anything else)."""
    if spec.rank == 4:
        if channels_axis(spec) == 3:
            return ["batch", "height", "width", "channels"]
        return ["batch", "channels", "height", "width"]
    if spec.rank > 4:
        return ["batch", *["sequence"] * (spec.rank - 3), "height", "width"]
    return ["batch", *["sequence"] * (spec.rank - 1)][: spec.rank]


def roles_of(specs: tuple[TensorSpec, ...]) -> dict[str, str]:
    """Role of each dynamic dim by name; what an image says of a shared dim counts most."""
    roles: dict[str, str] = {}
    for spec in sorted(specs, key=lambda spec: -spec.rank):
        for dim, role in zip(spec.shape, axis_roles(spec), strict=True):
            if isinstance(dim, str):
                roles.setdefault(dim, role)
    return roles


def describes_image(spec: TensorSpec) -> bool:
    """Whether, in a model with an image, this input tells the image's size or scale."""
    return spec.name in ("im_shape", "scale_factor") and spec.shape[-1:] == (2,)


def is_counted(spec: TensorSpec) -> bool:
    """Whether this input holds integers that are not pixels."""
    return spec.dtype.startswith(("int", "uint")) and not channels_axis(spec)
