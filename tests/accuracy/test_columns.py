"""Tensors whose columns are different quantities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.accuracy.columns import ENOUGH_ROWS, MOST_COLUMNS
from converter.accuracy.gate import compare_output
from converter.model.tolerance import Tolerance


def check(reference, candidate, tolerance=None):
    return compare_output("y", reference, candidate, tolerance)


@pytest.fixture(params=[(20, 6), (1, 20, 6), (3, 6)])
def boxes(request):
    """Rows of class, score and pixels: what a detector returns."""
    generator = np.random.default_rng(0)
    rows = generator.uniform(50, 640, request.param).astype(np.float32)
    rows[..., 0] = 3.0
    rows[..., 1] = 0.05
    rows[..., 2, 4] = 640.0
    return rows


@pytest.mark.parametrize(("column", "value"), [(0, 3.05), (1, 0.0)])
def test_large_columns_do_not_hide_errors_in_small_ones(boxes, column, value):
    candidate = boxes.copy()
    candidate[..., 2, column] = value
    result = check(boxes, candidate)
    assert not result.passed
    assert f" in column {column} exceeds " in result.reason
    assert f"2, {column}]: reference" in result.reason
    # The reported metrics are those of the whole tensor; the whole tensor would have passed.
    assert result.max_abs < 1e-5 + 1e-4 * 640
    assert result.scaled == pytest.approx(result.max_abs / 640)


def test_the_rounding_of_a_large_column_passes(boxes):
    candidate = boxes.copy()
    candidate[..., 2, 4] += 0.06
    assert check(boxes, candidate).passed
    assert check(boxes[..., 2:], candidate[..., 2:]).passed


def test_passing_atol_is_the_boundary_of_the_worst_column(boxes):
    candidate = boxes.copy()
    candidate[..., 2, 4] += 1.0
    candidate[..., 2, 1] += 2.0
    loose = {"rtol": 1e-4, "min_cosine": -1.0}
    atol = check(boxes, candidate).passing_atol
    assert 1.9 < atol < 2.0
    assert check(boxes, candidate, Tolerance(atol=atol, **loose)).passed
    below = check(boxes, candidate, Tolerance(atol=math.nextafter(atol, 0), **loose))
    assert not below.passed
    assert "in column 1 exceeds" in below.reason


@pytest.mark.parametrize("rows", [1, ENOUGH_ROWS])
def test_atol_decides_on_a_column_of_zeros(rows):
    reference = np.tile(np.array([0.0, 640.0], np.float32), (rows, 1))
    assert check(reference, reference + np.array([9e-6, 0], np.float32)).passed
    assert not check(reference, reference + np.array([2e-5, 0], np.float32)).passed
    assert check(reference, reference.copy()).passed


def test_a_single_row_of_logits_may_be_as_wrong_as_its_largest_rounds():
    """1.1e-5 of the largest output is what deep networks were measured to differ by."""
    logits = np.random.default_rng(0).standard_normal((1, 10)).astype(np.float32) * 1e6
    logits[0, 0] = 1.0
    candidate = logits + np.float32(1.1e-5 * np.abs(logits).max())
    assert check(logits, candidate).passed


def test_softmax_of_two_classes():
    first = np.linspace(0.001, 0.999, 50, dtype=np.float32)
    reference = np.stack([first, 1 - first], axis=1)
    wave = np.float32(1e-5) * np.sin(np.arange(50, dtype=np.float32))[:, None]
    assert check(reference, reference + wave * np.array([1, -1], np.float32)).passed
    assert not check(reference, reference + np.float32(1e-3)).passed


@given(st.integers(MOST_COLUMNS + 1, 40), st.integers(1, 4))
def test_longer_last_axes_are_judged_as_a_whole(width, rows):
    reference = np.full((rows, width), 640.0, np.float32)
    reference[:, 1] = 0.05
    candidate = reference.copy()
    candidate[0, 1] = 0.0
    assert check(reference, candidate).passed
    candidate[0, 1] = 0.5
    assert "column" not in check(reference, candidate).reason


def test_infinite_columns():
    reference = np.ones((20, 3), np.float32)
    reference[:, 0] = np.inf
    assert check(reference, reference.copy()).passed
    assert not check(reference, reference + np.array([0, 1e-3, 0], np.float32)).passed


@pytest.mark.parametrize(("rows", "passed"), [(15, True), (16, False)])
def test_a_column_of_sixteen_rows_stands_for_itself(rows, passed):
    assert (ENOUGH_ROWS, MOST_COLUMNS) == (16, 16)  # as docs/explanation/tolerances.md says
    boxes = np.full((rows, 6), 640.0, np.float32)
    boxes[:, 1] = 0.05
    candidate = boxes.copy()
    candidate[2, 1] += 0.01  # 0.3 of 1e-4 of 640 is 0.019
    assert check(boxes, candidate).passed == passed


def test_a_difference_of_one_is_judged_by_column_too():
    boxes = np.full((20, 6), 640.0, np.float32)
    boxes[:, 1] = 0.0
    candidate = boxes.copy()
    candidate[2, 1] = 1.0
    loose = Tolerance(atol=1e-5, rtol=1e-2, min_cosine=0.9)
    assert not check(boxes, candidate, loose).passed
