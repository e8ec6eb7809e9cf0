"""One number for how far two values are apart, whatever their dtype."""

from __future__ import annotations

import math

import numpy as np
import pytest

from converter.accuracy.columns import _below_masks
from converter.accuracy.locate.difference import EXACT, difference, statistics


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_floats_by_the_largest():
    assert difference(f32(1, 2, 4), f32(1, 2, 4)).error == 0
    assert difference(f32(1, 2, -4), f32(1, 2.5, -4)).error == pytest.approx(0.125)
    assert not difference(f32(1, 2), f32(1, 2.00001)).matters
    assert difference(f32(1, 2), f32(1, 2.001)).matters
    assert difference(f32(0, 0), f32(0, 1e-3)).matters


def test_a_mask_hides_nothing():
    reference, wrong = f32(-1e9, 0.5, 1), f32(-1e9, 0.5, 1.5)
    assert difference(reference, wrong).error == pytest.approx(0.5)
    assert not difference(reference, f32(-1e9 - 64, 0.5, 1)).matters  # a rounding unit of it


def test_masks_that_were_added_up_hide_nothing_either():
    """The gate's own rule (``accuracy.columns``) knows neither these nor so few others."""
    masks = (-1e9, -2e9, -1e9)
    assert _below_masks(f32(*masks, *[0.5] * 20), 2e9) is None
    assert _below_masks(f32(-1e9, 0.5, 1), 1e9) is None
    assert difference(f32(*masks, 0.5, 1), f32(*masks, 0.5, 1.5)).error == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        (f32(1, math.nan), f32(1, 2)),
        (f32(1, 2), f32(1, math.nan)),
        (f32(1, math.inf), f32(1, -math.inf)),
        (f32(1, 2), f32(1, math.inf)),
    ],
)
def test_nan_and_infinity_are_not_numbers(reference, candidate):
    found = difference(reference, candidate)
    assert found.error == math.inf
    assert found.why


def test_equal_nan_and_infinity_agree():
    values = f32(math.nan, math.inf, -math.inf, 1)
    assert difference(values, values.copy()).error == 0


def test_integers_and_booleans_are_exact():
    ones = np.ones(1000, np.int64)
    other = ones.copy()
    other[3] = 2
    assert difference(ones, ones).error == 0
    assert difference(ones, other).error >= EXACT
    assert difference(ones, other).matters
    flags = np.zeros(8, bool)
    assert difference(flags, ~flags).error == 1
    assert difference(ones, ones.astype(np.int32)).error == 0


def test_shapes():
    assert difference(np.float32(3).reshape(()), f32(3)).error == 0  # 0-D or [1]
    found = difference(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32))
    assert found.error == math.inf
    assert "shape [3, 2] instead of [2, 3]" in found.why
    assert difference(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)).error == 0


def test_coarser_dtypes_may_be_further_apart():
    reference = np.array([1, 2], np.float16)
    candidate = np.array([1, 2.002], np.float16)
    assert not difference(reference, candidate).matters
    assert not difference(reference.astype(np.float32), candidate).matters
    assert difference(reference.astype(np.float32), candidate.astype(np.float32)).matters


def test_statistics():
    told = statistics(np.array([[1, 3], [math.nan, math.inf]], np.float32))
    assert (told.dtype, told.shape) == ("float32", (2, 2))
    assert (told.minimum, told.maximum, told.mean, told.std) == (1, 3, 2, 1)
    assert (told.nan, told.inf) == (1, 1)
    assert math.isnan(statistics(np.zeros((0,), np.float32)).mean)


@pytest.mark.parametrize("mean", [0.0, 1e4, 1e9, -1e12])
def test_a_small_spread_about_a_large_mean_is_told(mean):
    values = mean + np.random.default_rng(0).uniform(0, 0.1, 5000)
    told = statistics(values)
    np.testing.assert_allclose(told.std, values.std(), rtol=1e-4)
    np.testing.assert_allclose(told.mean, values.mean(), rtol=1e-12)


@pytest.mark.parametrize("values", [(3e200, 3e200), (-1e308, 1e308), (1e308, 1.5e308)])
def test_statistics_of_huge_numbers_do_not_overflow(values):
    told = statistics(np.array(values))
    centre = values[0] / 2 + values[1] / 2
    np.testing.assert_allclose(told.mean, centre, rtol=1e-12)
    np.testing.assert_allclose(told.std, abs(values[1] / 2 - values[0] / 2), rtol=1e-12)


def test_large_integers_are_not_rounded_before_they_are_compared() -> None:
    """Neighbours above 2^53 are one float64."""
    one = np.array([2**60, 1], np.int64)
    assert difference(one, one).error == 0
    assert difference(one, one + np.array([1, 0])).error == 0.5
    assert difference(one.astype(np.uint64), one).error == 0
    assert difference(one, np.array([2**60, np.nan])).error == np.inf
