"""Metrics where a number too much or too little would show: found by changing their code."""

from __future__ import annotations

import math

import numpy as np
import pytest

from converter.accuracy import metrics
from converter.accuracy.metrics import selection

NAN, INF = math.nan, math.inf
FAR = metrics.CHUNK + 3  # in the second piece


def zeros_with(**values):
    """Zeros over two pieces, with ``first`` in the first one and ``second`` in the other."""
    made = np.zeros(2 * metrics.CHUNK)
    made[5], made[FAR] = values.get("first", 0), values.get("second", 0)
    return made


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (NAN, INF, NAN),
        (INF, NAN, NAN),
        (INF, INF, INF),
        (INF, 1, INF),
        (1, INF, INF),
        (1, NAN, NAN),
    ],
)
def test_nan_wins_over_infinity_in_whatever_piece_it_is(first, second, expected):
    b, a = zeros_with(), zeros_with(first=first, second=second)
    assert metrics.mean_abs(b, a) == pytest.approx(expected, nan_ok=True)


def test_a_tensor_without_numbers_has_no_range_and_no_peak():
    for tensor in (np.zeros(0), np.array([NAN, INF, -INF])):
        assert metrics.value_range(tensor) == (0.0, 0.0)
        assert metrics.peak(tensor) == 0.0
    assert metrics.peak(np.array([INF, 0.5, NAN])) == 0.5
    assert metrics.value_range(np.array([INF, 0.5, -0.25, NAN])) == (-0.25, 0.5)


def test_no_cosine_is_beyond_one():
    """Rounding alone would make it 1.0000000000000002 here."""
    b = np.array([0.1257302210933933, -0.1321048632913019, 0.6404226504432821])
    assert metrics.cosine(b, b * 3) == 1.0
    assert metrics.cosine(b, b * -3) == -1.0


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "bfloat16"])
def test_whatever_is_no_float64_has_nan_and_infinity_where_it_can(dtype):
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    b = np.ones(5).astype(kind)
    assert (metrics.count_nan(b), metrics.count_inf(b)) == (0, 0)
    assert metrics.pattern_mismatch(b, b) == (0, -1)
    if kind.kind not in "biu":
        a = np.array([1, NAN, INF, 1, -INF]).astype(kind)
        assert (metrics.count_nan(a), metrics.count_inf(a)) == (1, 2)
        assert metrics.pattern_mismatch(b, a) == (3, 1)
        assert metrics.pattern_mismatch(a, a) == (0, -1)


def test_where_nothing_is_left_but_minus_infinity_the_first_free_classes_are_taken():
    b, a = np.arange(6.0)[None], np.full((1, 6), -INF)
    assert metrics.top_agreement(b, a, 5) == 0.8  # classes 0 to 4; the best of b are 1 to 5


def percentiles(values, shares):
    return metrics.percentiles(values, values, lambda b, _: b, shares)


def digits():
    """Floats whose bits have 0, 1 or 2 in every 16-bit digit, each many times."""
    parts = np.meshgrid(*[np.arange(3, dtype=np.uint64)] * 4)
    high, *lower = (part.reshape(-1) for part in parts)
    bits = (high + np.uint64(0x3FF0)) << np.uint64(48)
    for shift, part in zip((32, 16, 0), lower, strict=True):
        bits |= part << np.uint64(shift)
    return np.random.default_rng(0).permutation(np.tile(bits, 3)).view(np.float64)


@pytest.mark.parametrize("before", [0.0, math.inf])
def test_a_pattern_that_differs_after_a_piece_that_agrees(before):
    b = np.zeros(metrics.CHUNK + 10)
    b[0] = before
    a = b.copy()
    a[metrics.CHUNK + 3] = math.nan
    assert metrics.pattern_mismatch(b, a) == (1, metrics.CHUNK + 3)


@pytest.mark.parametrize("kept", [selection.KEPT, 0])
def test_every_rank_is_found(kept, monkeypatch):
    monkeypatch.setattr(selection, "KEPT", kept)
    values = digits()
    shares = [(rank + 1) / values.size for rank in range(values.size)]
    assert percentiles(values, shares) == tuple(np.sort(values))
    assert percentiles(np.array([-0.0, 0.0, 1.0]), (0.1, 1.0)) == (0.0, 1.0)


def test_values_of_several_pieces_are_all_kept():
    values = np.arange(2 * metrics.CHUNK + 5.0)[::-1].copy()
    assert percentiles(values, (0.25, 0.5, 1.0)) == (32769.0, 65538.0, 131076.0)


@pytest.mark.parametrize("kept", [selection.KEPT, 0])
def test_one_nan_makes_all_percentiles_nan(kept, monkeypatch):
    monkeypatch.setattr(selection, "KEPT", kept)
    values = np.arange(metrics.CHUNK + 10.0)  # in two pieces
    values[3] = -NAN
    assert all(math.isnan(found) for found in percentiles(values, (0.1, 0.99)))
