"""All metrics of one output, and the words for where two tensors differ."""

from __future__ import annotations

import math

import numpy as np

from converter.accuracy import metrics
from converter.accuracy.metrics import Array
from converter.model.comparison import OutputComparison


def measure(name: str, reference: Array, candidate: Array) -> OutputComparison:
    """All metrics of two tensors of one shape, not yet judged."""
    pair = reference, candidate
    # Every metric reads both tensors: one that follows from others is not computed from them.
    shares = 0.5, 0.99, 1.0
    p50_abs, p99_abs, max_abs = metrics.percentiles(*pair, metrics.difference, shares)
    p50_rel, p99_rel, max_rel = metrics.percentiles(*pair, metrics.relative, shares)
    p99_ulp, max_ulp = metrics.ulp_percentiles(*pair, (0.99, 1.0)) or (None, None)
    relative_l2 = metrics.relative_l2(*pair, max_abs)
    return OutputComparison(
        name=name,
        dtype=reference.dtype.name,
        shape=reference.shape,
        elements=reference.size,
        max_abs=max_abs,
        mean_abs=metrics.mean_abs(*pair),
        p50_abs=p50_abs,
        p99_abs=p99_abs,
        max_rel=max_rel,
        mean_rel=metrics.mean_rel(*pair),
        p50_rel=p50_rel,
        p99_rel=p99_rel,
        scaled=metrics.ratio(max_abs, metrics.peak(reference)),
        relative_l2=relative_l2,
        snr_db=metrics.snr_db(relative_l2),
        cosine=metrics.cosine(*pair),
        max_ulp=max_ulp,
        p99_ulp=p99_ulp,
        exact_match=metrics.exact_match(*pair),
        argmax_agreement=metrics.argmax_agreement(*pair),
        top5_agreement=metrics.top_agreement(*pair, 5),
        nan_reference=metrics.count_nan(reference),
        nan_candidate=metrics.count_nan(candidate),
        inf_reference=metrics.count_inf(reference),
        inf_candidate=metrics.count_inf(candidate),
        passing_atol=None,
        passed=False,
    )


def incomparable(
    name: str, reference: Array | None, candidate: Array | None, reason: str
) -> OutputComparison:
    """Describe an output whose values could not be compared."""
    known = reference if reference is not None else candidate
    b, a = (
        tensor if tensor is not None and metrics.is_comparable(tensor.dtype) else np.zeros(0)
        for tensor in (reference, candidate)
    )
    return OutputComparison(
        name=name,
        dtype=known.dtype.name if known is not None else "",
        shape=known.shape if known is not None else (),
        elements=0,
        max_abs=math.nan,
        max_rel=math.nan,
        scaled=math.nan,
        relative_l2=math.nan,
        cosine=math.nan,
        argmax_agreement=None,
        passing_atol=None,
        passed=False,
        reason=reason,
        nan_reference=metrics.count_nan(b),
        nan_candidate=metrics.count_nan(a),
        inf_reference=metrics.count_inf(b),
        inf_candidate=metrics.count_inf(a),
    )


def worst(reference: Array, candidate: Array) -> str:
    """Name the position of the largest difference and both values there."""
    return at(reference, candidate, metrics.worst_index(reference, candidate))


def at(reference: Array, candidate: Array, flat: int) -> str:
    """Name the position of flat (C order) index ``flat`` and both values there."""
    index = [int(i) for i in np.unravel_index(flat, reference.shape)]
    values = (tensor.reshape(-1)[flat] for tensor in (reference, candidate))
    b, a = (str(value) for value in values)
    return f"at {index}: reference {b}, candidate {a}"
