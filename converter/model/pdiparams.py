"""Read the tensor headers of a combined parameter file (``.pdiparams``, ``__params__``).

The file is one record per tensor, with no names and no count, little-endian::

    u32 version (0) | u64 levels of detail | per level: u64 bytes + data
    u32 tensor version (0) | i32 size | TensorDesc protobuf of that size | the raw data

(paddle/phi/core/framework/dense_tensor_serialize.h). The records are the program's persistable
tensors sorted by name, so a name belongs to a record by its position alone: the count, and
every dtype and shape, have to agree before a single weight can be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from converter.errors import InputError
from converter.model.counting import count
from converter.model.files import unreadable
from converter.model.program import ITEM_BYTES, Parameter
from converter.model.tensor_desc import read_tensor_desc
from converter.model.wire import WireError

_U32 = Struct("<I")
_I32 = Struct("<i")
_U64 = Struct("<Q")

#: A TensorDesc of 9 axes takes about 100 bytes; more than this is not a TensorDesc.
_MAX_DESC_BYTES = 4096
_MAX_LEVELS = 64

_COPY_AGAIN = "copy or download the parameter file again"


class _Cut(Exception):
    """The stream ends ``missing`` bytes too early."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"{count(missing, 'byte')} {'is' if missing == 1 else 'are'} missing")
        self.missing = missing


@dataclass(frozen=True)
class ParamHeader:
    """One record: numpy dtype name, shape, and where its data is (``offset``, ``nbytes``).

    ``name`` is None until ``check_parameters`` has matched the record with the program.
    """

    name: str | None
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def read_headers(path: Path, *, expected: int | None = None) -> tuple[ParamHeader, ...]:
    """Read all headers of a combined parameter file; the tensor data is skipped, not read.

    ``expected``, the number of parameters of the program, tells bytes after the last tensor
    from a damaged tensor. Raises ``InputError`` when the file is empty, cut short (which
    tensor, how many bytes), damaged or has bytes left over.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            return _read_records(stream, size, path, expected)
    except OSError as error:
        raise unreadable(path, error) from error


def _read_records(
    stream: BinaryIO, size: int, path: Path, expected: int | None
) -> tuple[ParamHeader, ...]:
    if size == 0:
        raise InputError(f"parameter file {path} is empty", hint=_COPY_AGAIN)
    headers: list[ParamHeader] = []
    while (start := stream.tell()) < size:
        number = len(headers) + 1
        try:
            headers.append(_read_record(stream, size))
        except (_Cut, WireError) as problem:
            if expected is not None and len(headers) >= expected:
                message = f"has {count(size - start, 'byte')} after its last tensor ({expected})"
            elif isinstance(problem, _Cut):
                of = f" of {expected}" if expected is not None else ""
                message = f"is cut short at tensor {number}{of}: {problem}"
            else:
                message = f"is damaged at tensor {number} (byte {start}): {problem}"
            raise InputError(f"parameter file {path} {message}", hint=_COPY_AGAIN) from problem
    return tuple(headers)


def _read_record(stream: BinaryIO, size: int) -> ParamHeader:
    """Read one header and move past its data."""
    _read_version(stream, size)
    (levels,) = _U64.unpack(_take(stream, _U64.size, size))
    if levels > _MAX_LEVELS:
        raise WireError(f"{levels} levels of detail")
    for _ in range(levels):
        (level_bytes,) = _U64.unpack(_take(stream, _U64.size, size))
        _skip(stream, level_bytes, size)
    _read_version(stream, size)
    (desc_bytes,) = _I32.unpack(_take(stream, _I32.size, size))
    if not 0 < desc_bytes <= _MAX_DESC_BYTES:
        raise WireError(f"a description of {desc_bytes} bytes")
    dtype, dims = read_tensor_desc(memoryview(_take(stream, desc_bytes, size)))
    if any(extent < 0 for extent in dims):
        raise WireError(f"shape {dims} has a negative extent")
    nbytes = math.prod(dims) * ITEM_BYTES[dtype]
    offset = stream.tell()
    _skip(stream, nbytes, size)
    return ParamHeader(None, dtype, tuple(dims), offset, nbytes)


def _read_version(stream: BinaryIO, size: int) -> None:
    (version,) = _U32.unpack(_take(stream, _U32.size, size))
    if version != 0:
        raise WireError(f"format version {version}, only 0 exists")


def _take(stream: BinaryIO, count: int, size: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise _Cut(stream.tell() - len(data) + count - size)
    return data


def _skip(stream: BinaryIO, count: int, size: int) -> None:
    end = stream.tell() + count
    if end > size:
        raise _Cut(end - size)
    stream.seek(end)


def check_parameters(
    parameters: Sequence[Parameter], headers: Sequence[ParamHeader]
) -> tuple[ParamHeader, ...]:
    """Match a program's parameters with the records of its file; return the records named.

    Raises ``InputError`` when the counts differ, or else for the first parameter whose dtype
    or shape is not the one the program declares.
    """
    hint = "use the parameter file that was saved together with this program"
    if len(parameters) != len(headers):
        wanted, found = count(len(parameters), "parameter"), count(len(headers), "tensor")
        raise InputError(
            "the parameter file belongs to another model: "
            f"the program has {wanted}, the file {found}",
            hint=hint,
        )
    named = []
    for parameter, header in zip(_in_file_order(parameters), headers, strict=True):
        wanted = f"{parameter.dtype}{list(parameter.shape)}"
        found = f"{header.dtype}{list(header.shape)}"
        if wanted != found:
            raise InputError(
                "the parameter file belongs to another model: "
                f"the program wants {parameter.name} to be {wanted}, the file has {found}",
                hint=hint,
            )
        named.append(replace(header, name=parameter.name))
    return tuple(named)


def _in_file_order(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Sort by name: by code point, which is also the order of the names' UTF-8 bytes."""
    return sorted(parameters, key=lambda parameter: parameter.name)
