"""The two numberings of element types in an OM file, and the names of its formats.

``MODEL_INOUT_INFO``, like the runtime's C interface, numbers types as ``ge::DataType`` does;
the protobuf messages of ``MODEL_DEF`` have a numbering of their own. 3 is int32 in the first
and int8 in the second.
"""

from __future__ import annotations

from collections.abc import Mapping

from converter.model.record import Record

#: ``ge::DataType`` to numpy's (or ml_dtypes') names.
GE_DTYPES: Mapping[int, str] = {
    0: "float32",
    1: "float16",
    2: "int8",
    3: "int32",
    4: "uint8",
    6: "int16",
    7: "uint16",
    8: "uint32",
    9: "int64",
    10: "uint64",
    11: "float64",
    12: "bool",
    13: "string",
    16: "complex64",
    17: "complex128",
    27: "bfloat16",
    29: "int4",
}

#: ``ge.proto.DataType`` to the same names.
PROTO_DTYPES: Mapping[int, str] = {
    1: "float32",
    2: "float16",
    3: "int8",
    4: "uint8",
    5: "int16",
    6: "uint16",
    7: "int32",
    8: "int64",
    9: "uint32",
    10: "uint64",
    11: "bool",
    12: "float64",
    13: "string",
    27: "bfloat16",
}

#: ``ge::Format``.
FORMATS: Mapping[int, str] = {0: "NCHW", 1: "NHWC", 2: "ND", 3: "NC1HWC0", 4: "FRACTAL_Z"}

#: Inputs that atc adds and the runtime's own calls fill: the profile chosen, dynamic AIPP.
CONTROL_INPUTS = frozenset({"ascend_mbatch_shape_data", "ascend_dynamic_aipp_data"})


def name_of(names: Mapping[int, str], code: int) -> str:
    """Name a number of one of the tables above, also one that is not in it."""
    return names.get(code, f"unknown ({code})")


class OmTensor(Record):
    """One input or output. ``-1`` in ``shape`` is a dynamic extent.

    ``bytes`` is the size of its buffer. ``shape_v2`` is given where static AIPP makes the image
    fed different from the tensor, ``ranges`` where extents have bounds (upper -1: none).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    format: str
    bytes: int
    shape_v2: tuple[int, ...] | None = None
    ranges: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{','.join(map(str, self.shape))}]"
