"""Types of PIR values, and the shortest checks on the JSON that they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.errors import InputError
from converter.model.program import MAX_EXTENT, MAX_RANK

#: Element types as the ``#`` of a type in PIR JSON, to numpy's (or ml_dtypes') names.
DTYPES: Mapping[str, str] = {
    "0.t_bool": "bool",
    "0.t_i8": "int8",
    "0.t_ui8": "uint8",
    "0.t_i16": "int16",
    "0.t_i32": "int32",
    "0.t_i64": "int64",
    "0.t_f16": "float16",
    "0.t_bf16": "bfloat16",
    "0.t_f32": "float32",
    "0.t_f64": "float64",
    "0.t_f8e4m3fn": "float8_e4m3fn",
    "0.t_f8e5m2": "float8_e5m2",
    "0.t_c64": "complex64",
    "0.t_c128": "complex128",
}


@dataclass(frozen=True)
class TensorType:
    """A dense tensor's numpy dtype name and extents; -1 is a dynamic extent."""

    dtype: str
    shape: tuple[int, ...]


def malformed(what: str) -> InputError:
    """Make the error for JSON that does not follow PIR's schema."""
    return InputError(
        f"not a well-formed PIR program: {what}",
        hint="the file is damaged, or was not saved for inference with paddle.jit.save",
    )


def shown(value: object) -> str:
    """Show a JSON value in a message, at most 60 characters of it."""
    text = ascii(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_object(value: object, what: str) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object; raise ``InputError`` otherwise."""
    if not isinstance(value, dict):
        raise malformed(f"{what} is {shown(value)}, not an object")
    return value


def as_list(value: object, what: str) -> list[Any]:
    """Return ``value`` if it is a JSON array; raise ``InputError`` otherwise."""
    if not isinstance(value, list):
        raise malformed(f"{what} is {shown(value)}, not an array")
    return value


def as_name(value: object, what: str) -> str:
    """Return ``value`` if it is a non-empty string of real characters; else ``InputError``."""
    if not isinstance(value, str) or not value:
        raise malformed(f"{what} is {shown(value)}, not a name")
    # An escaped lone surrogate is legal JSON, and then fails in every file that we write.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise malformed(f"{what} is {shown(value)}, which is not Unicode text")
    return value


def as_integer(value: object, what: str) -> int:
    """Return ``value`` if it is an int64 (True and False are not); else ``InputError``."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_EXTENT:
        raise malformed(f"{what} is {shown(value)}, not an integer")
    return value


def read_type(value: object) -> TensorType | None:
    """Read the ``TT`` of a result: {"#": "0.t_dtensor", "D": [dtype, extents, ...]}.

    Returns None for what is not a dense tensor of a known element type (a vector of tensors,
    a stack, a missing optional result). Raises ``InputError`` when it is not a type at all.
    """
    kind = as_object(value, "a type")
    if as_name(kind.get("#"), "the name of a type") != "0.t_dtensor":
        return None
    data = as_list(kind.get("D"), "the description of a tensor")
    if len(data) < 2:
        raise malformed("a tensor has no shape")
    dtype = DTYPES.get(as_name(as_object(data[0], "a dtype").get("#"), "a dtype"))
    shape = as_list(data[1], "a shape")
    if len(shape) > MAX_RANK:
        raise malformed(f"a tensor has {len(shape)} axes")
    for extent in shape:
        if type(extent) is not int or abs(extent) > MAX_EXTENT:  # a call less for each good one
            as_integer(extent, "an extent")
    return TensorType(dtype, tuple(shape)) if dtype else None
