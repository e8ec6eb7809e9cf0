"""What a comparison of two models' outputs found: metrics, verdicts and the limits behind them."""

from __future__ import annotations

from typing import Literal

from converter.model.record import Record
from converter.model.task_agreement import TaskAgreement
from converter.model.tolerance import Tolerance


class OutputComparison(Record):
    """One output of one input case, reference ``b`` (Paddle) against candidate ``a`` (ONNX).

    Differences are ``|a-b|``, relative ones ``|a-b| / max(|b|, tiny)``: ``max_``, ``mean_``, and
    percentiles (``p50_``, ``p99_``). ``scaled`` is ``max|a-b| / max|b|``; ``relative_l2`` is
    ``||a-b||2 / ||b||2`` and ``snr_db`` the same in decibels; ``max_ulp`` and ``p99_ulp`` are in
    representable numbers of the dtype. ``exact_match`` is the share of equal elements,
    ``argmax_agreement`` and ``top5_agreement`` those of rows and classes; None where a metric
    means nothing or was not taken. Counts are elements.

    ``tolerance`` is what the output was judged by. ``passing_atol`` is the smallest ``atol`` that
    would have passed, all else equal; None when no ``atol`` could. ``passing`` is ``tolerance``
    loosened in every limit that was missed, and no further than needed; None when no tolerance
    could pass (shape, dtype, NaN pattern). ``moved`` counts a detector's boxes that were compared
    with a box of equal score elsewhere in the list, ``unpaired`` those at its cut-off that were
    compared with none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    max_abs: float
    max_rel: float
    scaled: float
    relative_l2: float
    cosine: float
    argmax_agreement: float | None
    nan_reference: int
    nan_candidate: int
    inf_reference: int
    inf_candidate: int
    passing_atol: float | None
    passed: bool
    reason: str = ""
    moved: int = 0
    unpaired: int = 0
    mean_abs: float | None = None
    p50_abs: float | None = None
    p99_abs: float | None = None
    mean_rel: float | None = None
    p50_rel: float | None = None
    p99_rel: float | None = None
    snr_db: float | None = None
    max_ulp: float | None = None
    p99_ulp: float | None = None
    exact_match: float | None = None
    top5_agreement: float | None = None
    tolerance: Tolerance | None = None
    passing: Tolerance | None = None


class CaseComparison(Record):
    """All outputs for one set of inputs.

    ``nearby`` is not 0 where Paddle's answer to inputs changed by that part was compared.
    ``stable`` is True where it was that of the same program with stable sorts. ``task``
    is what users would see of the difference, where the model's kind is known.
    """

    label: str
    input_shapes: dict[str, tuple[int, ...]]
    seed: int
    outputs: tuple[OutputComparison, ...]
    passed: bool
    nearby: float = 0.0
    stable: bool = False
    task: TaskAgreement | None = None


class SweptShape(Record):
    """One shape of a sweep: ``what`` is special about it (``height odd``), and what came of it.

    ``case`` is the label of the case that was compared; None where Paddle itself ``refused`` the
    shape, in its words: then nothing was compared. ``instead_of`` is a shape that was too large to
    be run, and for which this one stands.
    """

    what: str
    input_shapes: dict[str, tuple[int, ...]]
    case: str | None = None
    refused: str = ""
    instead_of: dict[str, tuple[int, ...]] | None = None


class ValidateFacts(Record):
    """The comparison of the final ONNX file with Paddle itself.

    ``tolerance`` is that of the model's first float output; others have their own dtype's, or one
    that the user gave them. ``sweep`` has the shapes of a sweep, those compared also being cases.
    """

    kind: Literal["validate"] = "validate"
    tolerance: Tolerance
    cases: tuple[CaseComparison, ...]
    rejected_shapes: tuple[str, ...] = ()
    sweep: tuple[SweptShape, ...] = ()

    @property
    def worst_max_abs(self) -> float:
        """Largest absolute difference over all cases and outputs (NaN wins)."""
        values = [output.max_abs for case in self.cases for output in case.outputs]
        if any(value != value for value in values):
            return float("nan")
        return max(values, default=float("nan"))
