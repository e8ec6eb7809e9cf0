"""The verdict on one output whose shape, dtype and NaN/Inf pattern are those of the reference."""

from __future__ import annotations

import math
from typing import NamedTuple

from converter.accuracy import columns, metrics
from converter.accuracy.measure import at, worst
from converter.accuracy.metrics import Array
from converter.model.comparison import OutputComparison
from converter.model.tolerance import Tolerance

#: Below this RMS of a float reference its direction is rounding noise and cosine is not gated: a
#: kernel that is exact to one float32 eps *of 1.0* (ONNX Runtime's logistic is no better) can be
#: off by 1/128 of such a tensor's RMS, which alone costs 3e-5 of cosine. It is a constant, not a
#: multiple of ``atol``, so that loosening ``atol`` does not switch the cosine check off.
DIRECTION_FLOOR = 128 * 2.0**-23


#: Limits that are checked where they are set: the limit, its metric, and on which side a value has
#: to be (1: at least, -1: at most).
_OPTIONAL = (
    ("max_relative_l2", "relative_l2", -1),
    ("max_ulp", "max_ulp", -1),
    ("min_top1", "argmax_agreement", 1),
    ("min_top5", "top5_agreement", 1),
    ("min_exact", "exact_match", 1),
)


class Verdict(NamedTuple):
    """Why an output fails, "" when it passes, and what would have passed.

    ``passing_atol`` and ``passing`` are those of ``OutputComparison``.
    """

    reason: str
    passing_atol: float | None
    passing: Tolerance | None


def judge(
    facts: OutputComparison, reference: Array, candidate: Array, tolerance: Tolerance
) -> Verdict:
    """Check values against every limit; the reason is of the first that is missed."""
    reasons: list[str] = []
    missed: dict[str, float] = {}
    excess: float | None = 0.0
    if metrics.is_integral(reference.dtype):
        reason = _differing_integers(facts, reference, candidate, tolerance)
        if reason:
            reasons.append(reason)
            missed["min_exact"] = _known(facts.exact_match)
    else:
        if not math.isfinite(facts.max_abs):
            return Verdict(f"difference overflows, {worst(reference, candidate)}", None, None)
        if reason := _low_cosine(facts, reference, candidate, tolerance):
            reasons.append(reason)
            missed["min_cosine"] = facts.cosine
        part = columns.worst_part(reference, candidate, facts.max_abs, tolerance.rtol)
        excess = part.excess
        if not (excess <= tolerance.atol):
            reasons.append(
                f"max_abs {part.max_abs:.3g} {part.where}exceeds "
                f"{tolerance.atol + part.allowed:.3g} (atol {tolerance.atol:.3g} + "
                f"rtol part {part.allowed:.3g}), worst {at(reference, candidate, part.worst)}"
            )
            missed["atol"] = excess
    for limit, metric, side in _OPTIONAL:
        asked, value = getattr(tolerance, limit), getattr(facts, metric)
        if asked is None or limit in missed or not facts.elements:
            continue
        if value is None:
            told = f"{limit} {asked:g} was asked for, and {metric} means nothing for this output"
            reasons.append(told)
            missed[limit] = math.nan
        elif not (side * value >= side * asked):
            told = "below" if side > 0 else "above"
            reasons.append(f"{metric} {value:.6g} is {told} {limit} {asked:.6g}")
            missed[limit] = value
    passing = tolerance.model_copy(update=missed) if _are_limits(missed) else None
    only_atol = missed.keys() <= {"atol"}
    return Verdict(reasons[0] if reasons else "", excess if only_atol else None, passing)


def _differing_integers(
    facts: OutputComparison, reference: Array, candidate: Array, tolerance: Tolerance
) -> str:
    if facts.max_abs <= 0:
        return ""
    asked, share = tolerance.min_exact, _known(facts.exact_match)
    if asked is not None:
        if share >= asked:
            return ""
        return f"exact_match {share:.6g} is below min_exact {asked:.6g}"
    if reference.dtype.kind == "b":
        return f"bools differ, first {worst(reference, candidate)}"
    where = worst(reference, candidate)
    return f"integers differ by up to {facts.max_abs:.3g}, worst {where}"


def _low_cosine(
    facts: OutputComparison, reference: Array, candidate: Array, tolerance: Tolerance
) -> str:
    if metrics.rms(reference) < DIRECTION_FLOOR or facts.cosine >= tolerance.min_cosine:
        return ""
    return (
        f"cosine {facts.cosine:.6g} is below min_cosine {tolerance.min_cosine:.6g} "
        f"(max_abs {facts.max_abs:.3g}, {worst(reference, candidate)})"
    )


def _known(share: float | None) -> float:
    """A share that there is whenever there are elements."""
    return math.nan if share is None else share


def _are_limits(missed: dict[str, float]) -> bool:
    """Whether a tolerance can have these values."""
    return all(math.isfinite(value) for value in missed.values())
