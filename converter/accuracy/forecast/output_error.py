"""The one number by which a forecast ranks operators: how far the worst output is off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from converter.accuracy import metrics
from converter.accuracy.boxes import find_boxes
from converter.accuracy.gate import compare_case
from converter.accuracy.recorded import DEVICE_TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]


def output_error(reference: Arrays, candidate: Arrays) -> float:
    """The largest difference of an output relative to its largest value, of the worst output.

    inf where shapes, or the numbers of NaN and infinities, differ. Both sides have one model's
    outputs. It is computed hundreds of times in a search, so no other metric is.
    """
    if find_boxes(reference) is not None:
        return _of_boxes(reference, candidate)
    return max((_error(reference[name], candidate[name]) for name in reference), default=0.0)


def _error(b: NDArray[Any], a: NDArray[Any]) -> float:
    if b.shape != a.shape or not (
        metrics.is_comparable(b.dtype) and metrics.is_comparable(a.dtype)
    ):
        return math.inf
    counts = ((metrics.count_nan(t), metrics.count_inf(t)) for t in (b, a))
    if len(set(counts)) > 1:
        return math.inf
    value = metrics.scaled(b, a)
    return math.inf if math.isnan(value) else value


def _of_boxes(reference: Arrays, candidate: Arrays) -> float:
    """A detector's boxes are paired first, as the gate does."""
    compared = compare_case("", {}, 0, reference, candidate, DEVICE_TOLERANCE)
    worst = 0.0
    for output in compared.outputs:
        pattern = output.nan_reference != output.nan_candidate or (
            output.inf_reference != output.inf_candidate
        )
        worst = max(worst, math.inf if pattern or math.isnan(output.scaled) else output.scaled)
    return worst
