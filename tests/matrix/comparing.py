"""The matrix's own comparison: independent of ``converter.accuracy``, which it also judges.

An output is right when its shape and dtype are Paddle's, NaN and each infinity stand at the same
places, integers are equal, and floats differ by at most ``rtol`` of the largest finite reference
value. There is no absolute tolerance unless a case gives one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.matrix.case import DEFAULT_RTOL, Array, Case


def compare(case: Case, reference: list[Array], candidate: list[Array]) -> tuple[float, str]:
    """The worst scale-relative error over all outputs, and what is wrong ("" when nothing is)."""
    if len(reference) != len(candidate):
        return np.nan, f"{len(candidate)} outputs instead of {len(reference)}"
    if case.task == "boxes":
        reference, candidate = in_one_order(reference, candidate)
    worst, problems = 0.0, []
    for index, (expected, found) in enumerate(zip(reference, candidate, strict=True)):
        error, problem = _compare_one(case, np.asarray(expected), np.asarray(found))
        worst = max(worst, error) if error == error else error
        if problem:
            problems.append(f"output {index}: {problem}" if len(reference) > 1 else problem)
    return worst, "; ".join(problems)


def _compare_one(case: Case, b: Array, a: Array) -> tuple[float, str]:
    if a.shape != b.shape:
        return np.nan, f"shape {list(a.shape)} instead of {list(b.shape)}"
    if a.dtype != b.dtype:
        return np.nan, f"dtype {a.dtype} instead of {b.dtype}"
    if case.random:
        return 0.0, _outside(case, a)
    if not b.size:
        return 0.0, ""
    if b.dtype.kind in "biu":
        wrong = int((a != b).sum())
        return float(wrong > 0), f"{wrong} of {b.size} elements differ" if wrong else ""
    x, y = a.astype(np.float64), b.astype(np.float64)
    odd = ~((x == y) | (np.isnan(x) & np.isnan(y))) & ~(np.isfinite(x) & np.isfinite(y))
    if odd.any():
        return np.inf, f"NaN or infinity differs at {int(odd.sum())} of {b.size} places"
    finite = np.isfinite(y)
    if not finite.any():
        return 0.0, ""
    difference = float(np.abs(x - y)[finite].max())
    scale = float(np.abs(y)[finite].max())
    error = difference / scale if scale else (np.inf if difference else 0.0)
    rtol = case.rtol if case.rtol is not None else DEFAULT_RTOL[b.dtype.name]
    if not difference <= rtol * scale + case.atol:
        return error, f"differs by {difference:.3g} of {scale:.3g} (relative {error:.2g})"
    return error, ""


def _outside(case: Case, a: Array) -> str:
    if case.interval is None or not a.size:
        return ""
    low, high = case.interval
    inside = bool(((a >= low) & (a <= high)).all())
    return "" if inside else f"values in [{a.min()}, {a.max()}], not in {list(case.interval)}"


def in_one_order(reference: list[Array], candidate: list[Array]) -> tuple[list[Array], list[Array]]:
    """Reorder the candidate's rows to the reference's, where the outputs list the same items.

    Detections with nearly equal scores come in another order in every runtime. Outputs that have
    the first output's number of rows are reordered with it: each reference row takes the nearest
    candidate row that is left.
    """
    if not reference or not reference[0].ndim or reference[0].shape != candidate[0].shape:
        return reference, candidate
    rows = len(reference[0])
    b = reference[0].reshape(rows, -1).astype(np.float64)
    a = candidate[0].reshape(rows, -1).astype(np.float64)
    left = list(range(rows))
    order = []
    for row in b:
        nearest = min(left, key=lambda at: float(np.abs(a[at] - row).sum()))
        left.remove(nearest)
        order.append(nearest)
    return reference, [
        other[order] if other.ndim and len(other) == rows else other for other in candidate
    ]


def is_weak(outputs: list[list[Array]]) -> str:
    """Why a comparison with these outputs (per input set) could hardly fail; "" when it could."""
    for index, found in enumerate(zip(*outputs, strict=True)):
        flat = [np.asarray(array).reshape(-1) for array in found]
        if not any(part.size for part in flat):
            return f"output {index} is empty"
        values: Any = np.concatenate([part.astype(np.float64) for part in flat])
        if np.isnan(values).all():
            return f"output {index} is NaN everywhere"
        # Of two scalars it cannot be said: a count may well be the same twice.
        if values.size > 2 and (values == values[0]).all():
            return f"output {index} is constant"
    return ""
