"""What a Paddle program says about itself, the same for both of Paddle's program formats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from converter.model.tensor import TensorSpec

#: ``pir`` is the JSON of Paddle 3, ``legacy`` the protobuf ``ProgramDesc`` of Paddle 1 and 2.
ProgramFormat: TypeAlias = Literal["pir", "legacy"]

#: Bytes per element of every dtype a Paddle tensor can have, by numpy's (or ml_dtypes') name.
ITEM_BYTES: Mapping[str, int] = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "bfloat16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}

#: Largest extent or rank that is taken for real. Paddle keeps extents in int64 and allows 9 axes;
#: a larger number means damaged bytes, and must not become a huge allocation or product.
MAX_EXTENT = 2**63 - 1
MAX_RANK = 64


@dataclass(frozen=True)
class Parameter:
    """One weight the program needs: its name, numpy dtype name and shape (all extents >= 0)."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor's data."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class ProgramDescription:
    """The outside of a program: what goes in, what comes out, which weights and operators.

    ``inputs`` and ``outputs`` are in the order in which Paddle feeds and fetches them.
    ``parameters`` are in program order, each name once. ``operators`` counts operators by
    name in all blocks, including the bodies of ``if`` and ``while``, and leaves out the
    operators that only declare a parameter. ``pir_version`` is ``base_code.version`` of the
    PIR JSON; ``paddle_version`` is recorded by the legacy format alone.
    """

    format: ProgramFormat
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    parameters: tuple[Parameter, ...]
    operators: Mapping[str, int]
    paddle_version: str | None = None
    pir_version: int | None = None
