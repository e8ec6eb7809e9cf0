"""Writes OM files for tests: the header, tables and descriptions of one, and nothing that runs.

Layouts are those of docs/reference/om-files.md. Every file says EMULATED in its header's user
text and has no tasks or kernels, so that no runtime takes it for a compiled model. Standard
library only, for the simulator of atc to use.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# Partition types.
MODEL_DEF, WEIGHTS_DATA, TBE_KERNELS, CUST_AICPU_KERNELS, SO_BINS, MODEL_INOUT_INFO = (
    0,
    1,
    3,
    4,
    5,
    8,
)

# The two numberings of element types: of MODEL_INOUT_INFO, and of MODEL_DEF's protobuf.
GE = {
    "float32": 0, "float16": 1, "int8": 2, "int32": 3, "uint8": 4, "int16": 6, "uint16": 7,
    "uint32": 8, "int64": 9, "uint64": 10, "float64": 11, "bool": 12, "string": 13,
    "complex64": 16, "complex128": 17, "bfloat16": 27, "int4": 29,
}  # fmt: skip
PROTO = {
    "float32": 1, "float16": 2, "int8": 3, "uint8": 4, "int16": 5, "uint16": 6, "int32": 7,
    "int64": 8, "uint32": 9, "uint64": 10, "bool": 11, "float64": 12, "string": 13,
    "bfloat16": 27,
}  # fmt: skip
FORMATS = {"NCHW": 0, "NHWC": 1, "ND": 2, "NC1HWC0": 3, "FRACTAL_Z": 4}


@dataclass(frozen=True)
class Tensor:
    """An input or output to write."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    layout: str = "NCHW"
    nbytes: int = 0
    shape_v2: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Model:
    """What an OM file is to say. ``attrs`` are ModelDef's: text, numbers, lists of either."""

    inputs: Sequence[Tensor] = ()
    outputs: Sequence[Tensor] = ()
    name: str = "emulated"
    attrs: Mapping[str, int | str | Sequence[int] | Sequence[str]] = field(default_factory=dict)
    dynamic_batch: Sequence[int] = ()
    dynamic_hw: Sequence[Sequence[int]] = ()
    dynamic_dims: Sequence[Sequence[int]] = ()
    dynamic_output_shape: Sequence[str] = ()
    order: Sequence[str] = ()
    weights: bytes = b""
    has_inout: bool = True
    has_model_def: bool = True


def write_om(
    *models: Model,
    wide: bool = True,
    version: int = 0x2000_0000,
    model_type: int = 0,
    encrypted: int = 0,
    name: str = "",
    check_os_cpu: bool = False,
    declare_length: bool = True,
    user_info: bytes = b"EMULATED",
) -> bytes:
    """An OM file of one or more models; ``wide`` chooses between the 24- and 12-byte tables."""
    body = b"".join(with_table(partitions_of(model), wide=wide) for model in models)
    length = len(body) if declare_length else 0
    header = struct.pack(
        "<4sII64sIBBBB32sI32sII20sB3xQBB62s",
        b"IMOD",
        256,
        version,
        b"",
        0 if wide else length,
        encrypted,
        0,
        model_type,
        0,
        name.encode()[:31],
        0,
        user_info,
        0,
        len(models),
        b"",
        0,
        length if wide else 0,
        int(check_os_cpu),
        0,
        b"",
    )
    return header + body


def partitions_of(model: Model) -> list[tuple[int, bytes]]:
    """A model's partitions in the order that atc writes them."""
    parts: list[tuple[int, bytes]] = []
    if model.has_inout:
        parts.append((MODEL_INOUT_INFO, inout(model)))
    if model.has_model_def:
        parts.append((MODEL_DEF, model_def(model)))
    if model.weights:
        parts.append((WEIGHTS_DATA, model.weights))
    return parts


def with_table(parts: Sequence[tuple[int, bytes]], *, wide: bool) -> bytes:
    """Partitions behind their table."""
    table = struct.pack("<II", len(parts), 0) if wide else struct.pack("<I", len(parts))
    offset = 0
    for kind, data in parts:
        entry = (kind, 0, offset, len(data)) if wide else (kind, offset, len(data))
        table += struct.pack("<iIQQ" if wide else "<iII", *entry)
        offset += len(data)
    return table + b"".join(data for _, data in parts)


# --- MODEL_INOUT_INFO --------------------------------------------------------------------------


def inout(model: Model) -> bytes:
    """The blocks that are not empty, in order of their types."""
    blocks = [
        (0, tensors(model.inputs), model.inputs),
        (1, tensors(model.outputs), model.outputs),
        (2, numbers(model.dynamic_batch), model.dynamic_batch),
        (3, lists(model.dynamic_hw), model.dynamic_hw),
        (4, lists(model.dynamic_dims), model.dynamic_dims),
        (5, texts(model.dynamic_output_shape), model.dynamic_output_shape),
        (6, texts(model.order), model.order),
    ]
    return b"".join(block(kind, payload) for kind, payload, wanted in blocks if wanted)


def block(kind: int, payload: bytes) -> bytes:
    return struct.pack("<iI", kind, len(payload)) + payload


def tensors(items: Sequence[Tensor]) -> bytes:
    return struct.pack("<I", len(items)) + b"".join(map(_tensor, items))


def _tensor(tensor: Tensor) -> bytes:
    name = tensor.name.encode()
    dims, dims_v2 = _i64s(tensor.shape), _i64s(tensor.shape_v2)
    ranges = b"".join(_i64s(pair) for pair in tensor.ranges)
    sizes = (len(name), len(dims), len(dims_v2), len(ranges))
    codes = (FORMATS[tensor.layout], GE[tensor.dtype])
    return struct.pack("<Qii4I", tensor.nbytes, *codes, *sizes) + name + dims + dims_v2 + ranges


def numbers(values: Sequence[int]) -> bytes:
    return struct.pack("<I", len(values)) + _i64s(values)


def lists(values: Sequence[Sequence[int]]) -> bytes:
    lengths = struct.pack(f"<{len(values)}I", *map(len, values))
    return struct.pack("<I", len(values)) + lengths + b"".join(map(_i64s, values))


def texts(values: Sequence[str]) -> bytes:
    encoded = [value.encode() for value in values]
    lengths = struct.pack(f"<{len(encoded)}I", *map(len, encoded))
    return struct.pack("<I", len(encoded)) + lengths + b"".join(encoded)


def _i64s(values: Iterable[int]) -> bytes:
    return b"".join(struct.pack("<q", value) for value in values)


# --- MODEL_DEF ---------------------------------------------------------------------------------


def model_def(model: Model) -> bytes:
    """ge.proto.ModelDef: name, version, one graph, attributes."""
    operators = [_data(tensor, index) for index, tensor in enumerate(model.inputs)]
    operators.append(operator("conv", "Conv2D", attrs={"index": 9, "groups": 1}))
    operators.append(_net_output(model.outputs))
    graph = message(1, model.name.encode()) + b"".join(message(6, item) for item in operators)
    return (
        message(1, model.name.encode())
        + varint(2, 1)
        + message(7, graph)
        + b"".join(message(11, entry(key, value)) for key, value in model.attrs.items())
    )


def _data(tensor: Tensor, index: int) -> bytes:
    made = operator(tensor.name, "Data", attrs={"index": index})
    return made + message(33, descriptor(tensor)) + message(34, descriptor(tensor))


def _net_output(outputs: Sequence[Tensor]) -> bytes:
    made = operator("Node_Output", "NetOutput")
    return made + b"".join(message(33, descriptor(tensor, named=True)) for tensor in outputs)


def operator(name: str, kind: str, attrs: Mapping[str, int | str] | None = None) -> bytes:
    """An OpDef without tensors."""
    made = message(1, name.encode()) + message(2, kind.encode())
    return made + b"".join(message(10, entry(key, value)) for key, value in (attrs or {}).items())


def descriptor(tensor: Tensor, *, named: bool = False) -> bytes:
    """A TensorDescriptor."""
    packed = b"".join(_varint(dim) for dim in tensor.shape)
    return (
        (message(1, tensor.name.encode()) if named else b"")
        + varint(2, PROTO.get(tensor.dtype, 0))
        + message(3, message(1, packed) if packed else b"")
        + message(4, tensor.layout.encode())
        + varint(10, tensor.nbytes)
    )


def entry(key: str, value: int | str | Sequence[int] | Sequence[str]) -> bytes:
    """An entry of a map of attributes."""
    if isinstance(value, int):
        content = varint(3, value)
    elif isinstance(value, str):
        content = message(2, value.encode())
    else:
        items = [item.encode() if isinstance(item, str) else item for item in value]
        strings = b"".join(message(2, item) for item in items if isinstance(item, bytes))
        packed = b"".join(_varint(item) for item in items if isinstance(item, int))
        content = message(1, strings + (message(3, packed) if packed else b""))
    return message(1, key.encode()) + message(2, content)


def message(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def varint(number: int, value: int) -> bytes:
    """A field with a number."""
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])
