"""The files with which atc keeps operators in float32, and the flags that go with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from converter.atc.soc import family_of

KEEP_DTYPE = "keep_dtype.cfg"
CUSTOMIZE_DTYPES = "customize_dtypes.cfg"
MODIFY_MIXLIST = "modify_mixlist.json"

#: Operators of the matrix unit. Chips of these families multiply in float16 only: the instruction
#: has no float32 form in the platform files of CANN 8.1.RC1 and 9.2 (``Intrinsic_mmad``).
MATRIX_TYPES = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
_FLOAT16_ONLY = frozenset({"Ascend310", "Ascend310P", "Ascend910"})

#: ONNX types that atc's own operator library has one operator for, and its name where that is
#: another (the registrations in the ONNX plugins of CANN's built-in operators). A mixlist names
#: atc's types; how the others are taken apart depends on the version.
_ATC_TYPES: Mapping[str, str] = {
    **{
        name: name
        for name in (
            *("Abs", "Acos", "Acosh", "Add", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos"),
            *("Cosh", "Erf", "Exp", "Expand", "Floor", "GlobalAveragePool", "Log", "Mul", "Neg"),
            *("PRelu", "Pow", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh"),
            *("Softplus", "Softsign", "Sqrt", "Sub", "Tan", "Tanh", "Tile"),
        )
    },
    "Div": "RealDiv",
    "Softmax": "SoftmaxV2",
    "Where": "SelectV2",
}

#: numpy's names of dtypes that atc calls otherwise.
_ATC_DTYPES = {"float64": "double"}


def unkeepable_types(soc: str | None) -> frozenset[str]:
    """Types of operators that a chip computes in float16 whatever is asked; none when not known."""
    return MATRIX_TYPES if soc is not None and family_of(soc) in _FLOAT16_ONLY else frozenset()


def keep_dtype_text(names: Sequence[str]) -> str:
    """The file of ``--keep_dtype``: one operator in each line."""
    return "".join(f"{name}\n" for name in names)


def customize_dtypes_text(
    operators: Iterable[tuple[str, Sequence[str], Sequence[str]]],
) -> str | None:
    """The file of ``--customize_dtypes`` from names and numpy dtypes of inputs and outputs.

    None where a dtype is not known ("").
    """
    lines = []
    for name, inputs, outputs in operators:
        if not all((*inputs, *outputs)):
            return None
        reads, gives = (
            ",".join(_ATC_DTYPES.get(dtype, dtype) for dtype in dtypes)
            for dtypes in (inputs, outputs)
        )
        lines.append(f"{name}::InputDtype:{reads},OutputDtype:{gives}\n")
    return "".join(lines)


def modify_mixlist_text(types: Iterable[str]) -> str | None:
    """The file of ``--modify_mixlist`` that keeps ONNX types in float32; None for one not known."""
    wanted = sorted(set(types))
    if not all(name in _ATC_TYPES for name in wanted):
        return None
    black = {"to-add": [_ATC_TYPES[name] for name in wanted], "to-remove": []}
    return json.dumps({"black-list": black}, indent=2) + "\n"
