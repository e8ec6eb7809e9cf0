"""How far two values inside a graph are apart, as one number that means the same for all.

Floats: ``max |a - b| / max(|b|, peak)`` over the elements, with ``peak`` the largest ``|b|`` below
``MASK``. Masks of -1e9 beside numbers of order 1 would otherwise hide any error in those.
``accuracy.columns`` has another rule, which asks for a gap and for many others. It would be blind
here: inside a graph masks are added up (-1e9 beside -2e9) and stand beside a few numbers only. And
what is taken for a mask wrongly is compared with itself: locate asks where errors begin, and fails
no model for one.
Integers and booleans: 0 when all are equal, else at least ``EXACT``. Other shapes, other patterns
of NaN or infinity: infinite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from converter.accuracy import metrics
from converter.model.located import TensorStatistics

Array: TypeAlias = NDArray[Any]

#: From here on a number is a mask ("never attend here"), not a quantity.
MASK = 1e6

#: The least error of integers and booleans that are not equal: none of it is rounding.
EXACT = 1e-2

#: What rounding alone makes of one operator's result in float32, at most. Measured: see
#: docs/explanation/locating.md. Coarser dtypes get as many of their own rounding units.
OPERATOR_NOISE = 2e-5

_FLOAT32_UNIT = 2.0**-23
_UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}

#: Elements per step, so that memory stays small.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Difference:
    """``error`` as above; ``why`` is said where numbers are not what differs.

    ``noise`` is the error that rounding in one operator may make at the coarser of both dtypes.
    """

    error: float
    noise: float = OPERATOR_NOISE
    why: str = ""

    @property
    def matters(self) -> bool:
        """Whether this is more than one operator's rounding."""
        return not self.error <= self.noise


def difference(reference: Array, candidate: Array) -> Difference:
    """Compare ``candidate`` with ``reference``; extents of 1 may be there or not."""
    unit = max(_UNITS.get(array.dtype.name, _FLOAT32_UNIT) for array in (reference, candidate))
    noise = OPERATOR_NOISE * unit / _FLOAT32_UNIT
    if not _same_extents(reference.shape, candidate.shape):
        why = f"shape {list(candidate.shape)} instead of {list(reference.shape)}"
        return Difference(math.inf, noise, why)
    if not (metrics.is_comparable(reference.dtype) and metrics.is_comparable(candidate.dtype)):
        why = f"{candidate.dtype} cannot be compared with {reference.dtype}"
        return Difference(0.0 if reference.dtype == candidate.dtype else math.inf, noise, why)
    b, a = reference.reshape(-1), candidate.reshape(-1)
    if metrics.is_integral(reference.dtype) or metrics.is_integral(candidate.dtype):
        return Difference(_exact(b, a), noise)
    peak = _peak(b)
    worst = 0.0
    for start in range(0, b.size, _CHUNK):
        one = b[start : start + _CHUNK].astype(np.float64)
        other = a[start : start + _CHUNK].astype(np.float64)
        odd = ~(np.isfinite(one) & np.isfinite(other))
        if odd.any():
            if not np.array_equal(one[odd], other[odd], equal_nan=True):
                return Difference(math.inf, noise, _odd(one[odd], other[odd]))
            one, other = one[~odd], other[~odd]
        if one.size:
            scale = np.maximum(np.maximum(np.abs(one), peak), np.finfo(np.float64).tiny)
            worst = max(worst, float((np.abs(other - one) / scale).max()))
    return Difference(worst, noise)


def statistics(array: Array) -> TensorStatistics:
    """What a person wants to see of a tensor: NaN where there is nothing to say."""
    values = array.reshape(-1)
    if not metrics.is_comparable(array.dtype) or not values.size:
        numbers = dict.fromkeys(("minimum", "maximum", "mean", "std"), math.nan)
        return TensorStatistics(dtype=array.dtype.name, shape=array.shape, nan=0, inf=0, **numbers)
    low, high, nan, inf, count = math.inf, -math.inf, 0, 0, 0
    for chunk in _chunks(values):
        nan += int(np.isnan(chunk).sum())
        inf += int(np.isinf(chunk).sum())
        chunk = chunk[np.isfinite(chunk)]
        if chunk.size:
            low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
            count += chunk.size
    mean, std = _mean_and_std(values, low, high, count) if count else (math.nan, math.nan)
    return TensorStatistics(
        dtype=array.dtype.name,
        shape=array.shape,
        minimum=low if count else math.nan,
        maximum=high if count else math.nan,
        mean=mean,
        std=std,
        nan=nan,
        inf=inf,
    )


def _mean_and_std(values: Array, low: float, high: float, count: int) -> tuple[float, float]:
    """Of the ``count`` finite elements, which lie from ``low`` to ``high``.

    They are brought to 0 to 1 first, so that no sum overflows, and the mean is taken off before
    squares are: those of 1000.0 and 1000.1 leave no digit of their difference.
    """
    half = high / 2 - low / 2
    if not half:
        return low, 0.0

    def shares() -> Iterator[NDArray[np.float64]]:
        for chunk in _chunks(values):
            yield (chunk[np.isfinite(chunk)] / 2 - low / 2) / half

    share = sum(float(part.sum()) for part in shares()) / count
    variance = sum(float(np.square(part - share).sum()) for part in shares()) / count
    return low * (1 - share) + high * share, half * (2 * math.sqrt(variance))


def _chunks(values: Array) -> Iterator[NDArray[np.float64]]:
    for start in range(0, values.size, _CHUNK):
        yield values[start : start + _CHUNK].astype(np.float64)


def _same_extents(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one == other or [n for n in one if n != 1] == [n for n in other if n != 1]


def _peak(values: Array) -> float:
    highest = 0.0
    for start in range(0, values.size, _CHUNK):
        size = np.abs(values[start : start + _CHUNK].astype(np.float64))
        size = size[size < MASK]
        highest = max(highest, float(size.max()) if size.size else 0.0)
    return highest


def _exact(reference: Array, candidate: Array) -> float:
    """0 when all elements are equal; else the part of them that differs, or how far if more."""
    worst, differing = 0.0, 0
    for start in range(0, reference.size, _CHUNK):
        one, other = (side[start : start + _CHUNK] for side in (reference, candidate))
        apart = metrics.difference(one, other)  # exact, where float64 has no neighbours either
        differs = apart != 0
        differing += int(differs.sum())
        if differs.any():
            far = (apart / np.maximum(np.abs(one.astype(np.float64)), 1.0))[differs]
            worst = max(worst, float(np.nan_to_num(far, nan=np.inf).max()))
    return max(EXACT, differing / reference.size, worst) if differing else 0.0


def _odd(reference: Array, candidate: Array) -> str:
    told = []
    for name, test in (("NaN", np.isnan), ("infinities", np.isinf)):
        had, has = int(test(reference).sum()), int(test(candidate).sum())
        if had != has:
            told.append(f"{has} {name} instead of {had}")
    return ", ".join(told) or "NaN or infinities at other places"
