"""``VarType.TensorDesc`` of Paddle's framework.proto: a tensor's dtype and extents.

It describes variables in a legacy program and, before each tensor's data, parameters in a
``.pdiparams`` file of either program format.
"""

from __future__ import annotations

from collections.abc import Mapping

from converter.model.program import MAX_RANK
from converter.model.wire import WireError, as_int, as_ints, fields

#: ``VarType.Type`` of the element types, to numpy's (or ml_dtypes') names.
DTYPES: Mapping[int, str] = {
    0: "bool",
    1: "int16",
    2: "int32",
    3: "int64",
    4: "float16",
    5: "float32",
    6: "float64",
    19: "uint64",  # SIZE_T
    20: "uint8",
    21: "int8",
    22: "bfloat16",
    23: "complex64",
    24: "complex128",
    32: "float8_e4m3fn",
    33: "float8_e5m2",
    36: "uint16",
    37: "uint32",
    38: "uint64",
}


def read_tensor_desc(data: memoryview) -> tuple[str, list[int]]:
    """Read a serialised TensorDesc {data_type = 1, dims = 2}: numpy dtype name and extents.

    Negative extents (dynamic) are returned as they are. Raises ``WireError`` when the bytes
    are damaged, the dtype is missing or not an element type, or the rank is absurd.
    """
    code: int | None = None
    dims: list[int] = []
    for number, value in fields(data):
        if number == 1:
            code = as_int(value)
        elif number == 2:
            dims += as_ints(value)
    if code is None:
        raise WireError("a tensor has no data type")
    if code not in DTYPES:
        raise WireError(f"{code} is not a tensor's data type")
    if len(dims) > MAX_RANK:
        raise WireError(f"a tensor has {len(dims)} axes")
    return DTYPES[code], dims
