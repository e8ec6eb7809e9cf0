"""The files with which atc keeps operators in float32, and the flags that go with them."""

from __future__ import annotations

from collections.abc import Sequence

from converter.atc.soc import family_of

KEEP_DTYPE = "keep_dtype.cfg"

#: Operators of the matrix unit. Chips of these families multiply in float16 only: the instruction
#: has no float32 form in the platform files of CANN 8.1.RC1 and 9.2 (``Intrinsic_mmad``).
MATRIX_TYPES = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
_FLOAT16_ONLY = frozenset({"Ascend310", "Ascend310P", "Ascend910"})


def unkeepable_types(soc: str | None) -> frozenset[str]:
    """Types of operators that a chip computes in float16 whatever is asked; none when not known."""
    return MATRIX_TYPES if soc is not None and family_of(soc) in _FLOAT16_ONLY else frozenset()


def keep_dtype_text(names: Sequence[str]) -> str:
    """The file of ``--keep_dtype``: one operator in each line."""
    return "".join(f"{name}\n" for name in names)
