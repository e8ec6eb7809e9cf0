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


class TestUnlikeColumns:
    """Raw detections of 85 entries: a box in pixels, and scores of 80 classes and one more."""

    @pytest.fixture(params=["columns", "channels"])
    def detections(self, request):
        """[1, 200, 85] or [1, 85, 200]."""
        generator = np.random.default_rng(0)
        made = generator.uniform(0, 1, (1, 200, 85)).astype(np.float32)
        made[..., :4] *= 640
        made[0, 7, 0] = 640
        return made if request.param == "columns" else np.ascontiguousarray(made.swapaxes(1, 2))

    def test_scores_are_judged_beside_pixels(self, detections):
        axis = 2 if detections.shape[2] == 85 else 1
        factor = np.ones(85, np.float32)
        factor[4:] = 0.955
        shape = [85 if each == axis else 1 for each in range(3)]
        result = check(detections, detections * factor.reshape(shape))
        assert not result.passed
        assert ("in column" if axis == 2 else "in channel") in result.reason
        assert check(detections, detections * np.float32(1 + 2e-6)).passed
        pixels = detections.copy()
        pixels.flat[detections.argmax()] += 0.06
        assert check(detections, pixels).passed

    def test_entries_alike_are_one_part(self):
        logits = np.random.default_rng(0).standard_normal((1, 85, 200)).astype(np.float32)
        logits *= 640
        logits[:, 3] /= 50
        candidate = logits.copy()
        candidate[0, 3, 5] += 0.06
        assert check(logits, candidate).passed


@pytest.mark.parametrize("mask", [-1e9, -65504.0, -1e4])
class TestMasks:
    def scores(self, mask):
        made = np.random.default_rng(0).uniform(-4, 4, (1, 1000)).astype(np.float32)
        made[0, 3], made[0, 5] = mask, mask * 0.9999
        return made

    def test_what_is_beside_a_mask_is_judged_by_itself(self, mask):
        reference = self.scores(mask)
        masks = np.abs(reference) > 100
        for wrong in (0.0, reference * np.float32(1.5)):
            result = check(reference, np.where(masks, reference, wrong).astype(np.float32))
            assert not result.passed
            assert "beside masks exceeds" in result.reason
        assert check(reference, reference * np.float32(1 + 2e-6)).passed

    def test_passing_atol_is_its_boundary(self, mask):
        reference = self.scores(mask)
        candidate = reference.copy()
        candidate[0, 100] += 0.5
        loose = {"rtol": 1e-6, "min_cosine": -1.0}
        atol = check(reference, candidate, Tolerance(atol=0.0, **loose)).passing_atol
        assert check(reference, candidate, Tolerance(atol=atol, **loose)).passed
        low = Tolerance(atol=math.nextafter(atol, 0), **loose)
        assert not check(reference, candidate, low).passed


def test_a_few_small_numbers_among_large_ones_are_no_part():
    """15 zeros of a map, or logits of very different sizes, have the rounding of the largest."""
    reference = np.full((1, 1000), 1e6, np.float32)
    reference[0, :15] = 1.0
    candidate = reference + np.float32(10)
    assert check(reference, candidate).passed
    reference[0, 15] = 1.0
    assert "beside masks" in check(reference, reference + np.float32(10)).reason
    spread = np.geomspace(1, 1e6, 1000, dtype=np.float32)[None]
    assert check(spread, spread + np.float32(10)).passed


def hides(reference, where, by):
    """Whether an error of ``by`` at ``where`` passes, judged with ``rtol`` alone."""
    candidate = reference.copy()
    candidate[where] += np.asarray(by, reference.dtype)
    return check(reference, candidate, Tolerance(atol=0.0, rtol=1e-4, min_cosine=-1.0)).passed


@pytest.mark.parametrize(
    ("shape", "axis", "small", "hidden"),
    [
        ((16, 128), 1, 1.0, False),
        ((16, 129), 1, 1.0, True),  # too many
        ((15, 128), 1, 1.0, True),  # too few rows
        ((1, 2, 16, 20), 1, 1.0, False),
        ((1, 1, 16, 20), 3, 1.0, False),
        ((16, 40), 1, 1.01, True),  # not unlike enough
        ((320,), 0, 1.0, True),
        ((20, 20, 300), 0, 1.0, True),  # the first axis is a batch
    ],
)
def test_where_columns_and_channels_are_judged_by_themselves(shape, axis, small, hidden):
    reference = np.full(shape, 100.0)
    where = [0] * len(shape)
    if len(shape) > 1:
        index = [slice(None)] * len(shape)
        index[axis] = 1 if shape[axis] > 1 else 0
        reference[tuple(index)] = small
        where[axis] = index[axis]
    assert hides(reference, tuple(where), 5e-3) is hidden  # half of what 100 allows
    assert hides(reference, tuple(where), 5e-4)  # and 0.1 of it is for a common history


def test_zeros_among_unlike_columns_do_not_count():
    reference = np.full((16, 40), 100.0)
    reference[:, 1] = 0.0
    assert hides(reference, (0, 2), 5e-3)
    assert check(np.zeros((16, 40)), np.zeros((16, 40))).passed
    assert not hides(np.zeros((16, 40)), (0, 2), 5e-3)


def test_few_columns_of_rank_three_are_judged_as_strictly(boxes):
    rows = np.tile(boxes, (1,) * (boxes.ndim - 2) + (8, 1)).astype(np.float64)
    assert not hides(rows, (0,) * (rows.ndim - 2) + (2, 1), 3e-3)


@pytest.mark.parametrize(
    ("masks", "largest", "hidden"),
    [
        ((1e4, 9900.0), 9.895, False),
        ((1e4, 9899.0), 9.5, True),  # not one mask
        ((1e4, 9900.0), 9.95, True),  # not so many times larger
        ((1e4, 1e4), 10.0, True),
        ((9999.0, 9999.0), 9.5, True),  # too small for a mask
        ((1e4, 1e4), 0.5, False),
        ((1e4, 1e4), 5e-4, False),
    ],
)
def test_what_a_mask_is(masks, largest, hidden):
    reference = np.linspace(-largest, largest, 1000)[None]
    reference[0, [3, 5]] = masks
    assert hides(reference, (0, 700), 1.5 * 1e-4 * largest) is hidden
    assert hides(reference, (0, 700), 0.9 * 1e-4 * largest)


def test_the_worst_beside_masks_is_named_in_whatever_piece_it_is():
    reference = np.tile(np.linspace(-1, 1, 1000), (100, 1))
    reference[0, 3] = -1e9
    candidate = reference.copy()
    candidate[90, 7] += 0.5
    candidate[1, 7] += 0.25
    reason = check(reference, candidate).reason
    assert "beside masks" in reason
    assert "at [90, 7]: reference" in reason
    candidate[1] = reference[1]
    candidate[90, 7], candidate[1, 507] = reference[90, 7] + 0.5, reference[1, 507] + 0.5
    assert "at [1, 507]: reference" in check(reference, candidate).reason  # the first of equals
