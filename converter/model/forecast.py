"""What a precision forecast found: records that travel with the report."""

from __future__ import annotations

from typing import Literal

from converter.model.comparison import CaseComparison
from converter.model.record import Record
from converter.model.tolerance import Tolerance

#: The flags of the way that keeps everything in float32.
EVERYTHING_FLOAT32 = ("--precision", "origin")


class OperatorForecast(Record):
    """One operator of the ONNX model.

    ``error`` is that of the outputs when this operator alone computes in float16: the largest
    difference of an output relative to its largest value, inf where NaN or infinities differ.
    ``largest`` is the largest magnitude that it gives out in float32; ``overflow`` the share of its
    elements above float16's largest number, ``underflow`` the share of those that are not 0 and
    become 0.
    """

    name: str
    op_type: str
    error: float
    largest: float
    overflow: float
    underflow: float


class PrecisionWay(Record):
    """One way to compile a model that float16 breaks.

    ``flags`` are those of ``paddle2om compile``, ``file`` is the one they name, beside the report.
    ``float32`` operators then compute in float32; with them the outputs differ by ``max_abs`` at
    most, on every set of inputs, and pass.
    """

    flags: tuple[str, ...]
    file: str | None
    float32: int
    max_abs: float


class ForecastFacts(Record):
    """A model in float16, and what it takes to keep it right.

    ``cases`` compare float16 everywhere with float32, ``kept_cases`` with the operators of ``keep``
    in float32. ``keep`` is None where no set of operators that the chip can keep is enough, and
    empty where none is needed. ``unkeepable`` are types that the chip computes in float16 whatever
    is asked. ``operators`` are all, the most sensitive first; ``evaluations`` counts runs.
    ``ways`` are those to compile it, the narrowest first, ``flags`` those of the first, and
    ``files`` all that were written. ``sha256`` is that of the ONNX file.
    """

    kind: Literal["forecast"] = "forecast"
    file: str
    opset: int
    soc_version: str | None
    tolerance: Tolerance
    cases: tuple[CaseComparison, ...]
    passed: bool
    keep: tuple[str, ...] | None
    kept_cases: tuple[CaseComparison, ...] = ()
    unkeepable: tuple[str, ...] = ()
    unnamed: int = 0
    operators: tuple[OperatorForecast, ...]
    evaluations: int
    files: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    ways: tuple[PrecisionWay, ...] = ()
    sha256: str = ""
