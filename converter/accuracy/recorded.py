"""Recorded inputs and outputs as ``.npz``, and the gate on what an NPU computed from them.

In a case the inputs are ``input:NAME`` and Paddle's outputs ``output:NAME``, in the model's order;
a result has ``output:NAME`` alone. ``converter/atc/device/run_om.py`` reads and writes them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.accuracy.array_files import read_npz
from converter.accuracy.gate import compare_case
from converter.errors import InputError
from converter.model.comparison import CaseComparison
from converter.model.tolerance import Tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

#: What float outputs of an OM file may differ from Paddle's float32 by. atc computes in float16
#: unless told otherwise; Huawei's own comparison tool (msit, "debug compare") takes a cosine of
#: 0.99 and a relative Euclidean distance of 0.05 for equal. The latter is applied to the largest
#: difference, relative to the largest value, which is stricter where the errors are spread.
DEVICE_TOLERANCE = Tolerance(atol=1e-3, rtol=5e-2, min_cosine=0.99)

_INPUT, _OUTPUT = "input:", "output:"


def case_bytes(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> bytes:
    """A case as the bytes of an ``.npz`` file."""
    named = {f"{_INPUT}{name}": array for name, array in inputs.items()}
    named |= {f"{_OUTPUT}{name}": array for name, array in outputs.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def read_recorded(path: Path, *, plain: bool = False) -> tuple[Arrays, Arrays]:
    """The inputs and the outputs in a case or a result. Raises ``InputError``.

    With ``plain`` a file without any such name is one of outputs alone, by their own names.
    """
    named = read_npz(path)
    odd = [key for key in named if not key.startswith((_INPUT, _OUTPUT))]
    if plain and len(odd) == len(named):
        return {}, named
    if odd:
        raise InputError(
            f"{path} holds {', '.join(odd)}: neither input nor output",
            hint="call each array input:NAME or output:NAME",
        )
    inputs, outputs = (
        {key.removeprefix(side): array for key, array in named.items() if key.startswith(side)}
        for side in (_INPUT, _OUTPUT)
    )
    return inputs, outputs


def compare_recorded(
    case: Path,
    result: Path,
    tolerance: Tolerance = DEVICE_TOLERANCE,
) -> CaseComparison:
    """Judge what an NPU computed for a case.

    Floats may have another width than Paddle's: an OM file's outputs have the dtype that
    ``--output_type`` says. Raises ``InputError`` for files that cannot be read.
    """
    inputs, wanted = read_recorded(case)
    _, made = read_recorded(result)
    return compare_case(
        case.stem,
        {name: array.shape for name, array in inputs.items()},
        0,
        wanted,
        made,
        tolerance,
        any_width=True,
    )
