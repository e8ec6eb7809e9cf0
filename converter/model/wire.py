"""A small, bounded reader of protobuf's wire format, for messages of Paddle's framework.proto.

Reading the few fields that we need takes no generated classes and so no import of Paddle
(seconds, hundreds of MB). Nothing is copied before it is asked for, and every length is checked
against the bytes that are there, so damaged input ends in ``WireError`` and never in an
allocation. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

#: A varint as an unsigned number, or the bytes of a length-delimited or fixed-width field.
FieldValue: TypeAlias = int | memoryview


class WireError(ValueError):
    """The bytes are not the protobuf message that they should be."""


def read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read the varint at ``at``; return it (unsigned, 64 bits) and the offset after it."""
    value = 0
    for index in range(10):
        if at + index >= len(data):
            raise WireError("the data ends inside a number")
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
    raise WireError("a number is longer than 10 bytes")


def fields(data: memoryview) -> Iterator[tuple[int, FieldValue]]:
    """Yield each field of a message as (field number, value), in the order they are stored.

    Raises ``WireError`` on truncated data, on field number 0 and on groups, which
    framework.proto does not use.
    """
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, kind = key >> 3, key & 7
        if not 0 < number < 2**29:
            raise WireError(f"field number {number} is not valid")
        if kind == _VARINT:
            value, at = read_varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = read_varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"wire type {kind} is not valid")
        if length > len(data) - at:
            raise WireError(f"field {number} wants {length} bytes, {len(data) - at} are left")
        yield number, data[at : at + length]
        at += length


def as_message(value: FieldValue) -> memoryview:
    """Return the bytes of an embedded message; ``WireError`` if the field is a number."""
    if isinstance(value, int):
        raise WireError("a number where a message should be")
    return value


def as_text(value: FieldValue) -> str:
    """Return a string field; ``WireError`` if it is a number or not UTF-8."""
    try:
        return str(as_message(value), "utf-8")
    except UnicodeDecodeError as error:
        raise WireError("a name is not UTF-8") from error


def as_int(value: FieldValue) -> int:
    """Return an ``int32``, ``int64``, ``bool`` or enum field as a signed number."""
    if not isinstance(value, int):
        raise WireError("bytes where a number should be")
    return value - 2**64 if value >= 2**63 else value


def as_ints(value: FieldValue) -> list[int]:
    """Return a repeated integer's values from one field: one when plain, several when packed."""
    if isinstance(value, int):
        return [as_int(value)]
    numbers = []
    at = 0
    while at < len(value):
        number, at = read_varint(value, at)
        numbers.append(as_int(number))
    return numbers
