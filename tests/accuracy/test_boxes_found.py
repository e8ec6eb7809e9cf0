"""What is taken for boxes, and what is paired: one row that does not fit is enough."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.boxes import find_boxes, pair
from converter.model.tolerance import Tolerance

#: What a column may differ by: a power of two, so that sums of it are exact.
UNIT = 2.0**-10
TOLERANCE = Tolerance(atol=UNIT, rtol=0.0, min_cosine=-1.0)


def rows(count=8, columns=6):
    made = np.zeros((count, columns), "float32")
    made[:, 0] = np.arange(count) % 3
    made[:, 1] = np.linspace(1, 0, count)
    made[:, 2:] = np.arange(count * (columns - 2)).reshape(count, columns - 2)
    return made


def counts(*numbers):
    return np.array(numbers, "int32")


def found(boxes, numbers):
    return find_boxes({"boxes": boxes, "numbers": numbers})


@pytest.mark.parametrize("columns", [6, 7, 8])
def test_scores_from_zero_to_one_are_boxes(columns):
    assert found(rows(columns=columns), counts(8)) == ("boxes", "numbers")


@pytest.mark.parametrize("numbers", [(0, 8), (1, 7), (8, 0), (4, 4)])
def test_images_with_any_number_of_boxes(numbers):
    assert found(rows(), counts(*numbers)) == ("boxes", "numbers")


@pytest.mark.parametrize("columns", [5, 9])
def test_other_widths_are_none(columns):
    assert found(rows(columns=columns), counts(8)) is None


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(3, 4, np.nan), (3, 4, np.inf), (3, 0, 0.5), (3, 0, -1), (7, 1, -0.01), (0, 1, 1.01)],
)
def test_one_row_that_is_none_is_enough(row, column, value):
    made = rows()
    made[row, column] = value
    assert found(made, counts(8)) is None


@pytest.mark.parametrize("numbers", [(9,), (7,), (-1, 9), (9, -1)])
def test_numbers_that_are_no_numbers_of_rows(numbers):
    assert found(rows(), counts(*numbers)) is None


def test_no_rows_are_no_boxes():
    assert found(rows(0), counts(0)) is None


def level(count=8, first=2, last=6):
    """Boxes far apart; the scores of rows ``first`` to ``last`` are one."""
    made = np.zeros((count, 6))
    made[:, 1] = 1 - np.arange(count) / 512
    made[first:last, 1] = made[first, 1]
    made[:, 2:] = 100 * np.arange(count)[:, None]
    return made


def exchanged(made, first=2, second=3):
    made = made.copy()
    made[[first, second]] = made[[second, first]]
    return made


def paired(b, a, *numbers):
    return pair(b, a, counts(*numbers or (len(b),)), TOLERANCE)


def at_x(made, places):
    """``made`` with boxes elsewhere, in units of what is allowed."""
    made = made.copy()
    for row, units in places.items():
        made[row, 2] = units * UNIT
    return made


def test_rows_of_one_score_are_paired():
    found = paired(level(), exchanged(level()))
    assert (found.moved, found.unpaired) == (2, 0)
    assert np.array_equal(found.candidate, level())


def test_one_number_that_is_none_and_nothing_is_paired():
    made = exchanged(level())
    made[6, 4] = np.nan
    assert paired(level(), made) is None


@pytest.mark.parametrize(("units", "pairs"), [(1, True), (-1, True), (1.5, False)])
def test_scores_may_differ_by_what_is_allowed(units, pairs):
    made = exchanged(level())
    made[6, 1] += units * UNIT
    assert (paired(level(), made) is not None) is pairs


@pytest.mark.parametrize(("units", "pairs"), [(1, True), (-1, True), (1.5, False), (100, False)])
def test_a_partner_differs_by_at_most_what_is_allowed(units, pairs):
    made = exchanged(level())
    made[2, 3] += units * UNIT
    assert (paired(level(), made) is not None) is pairs


def test_each_image_has_to_be_ranked():
    both = np.concatenate([level(), level()])
    assert paired(both, exchanged(both), 8, 8)
    both[[12, 14], 1] = both[[14, 12], 1]
    assert paired(both, exchanged(both), 8, 8) is None


@pytest.mark.parametrize(("units", "ranked"), [(1, True), (1.5, False)])
def test_a_score_may_rise_by_what_is_allowed(units, ranked):
    b = level()
    b[7, 1] = b[6, 1] + units * UNIT
    assert (paired(b, exchanged(b)) is not None) is ranked


@pytest.mark.parametrize(("units", "ranked"), [(10, False), (10.5, True), (11, True)])
def test_scores_that_are_one_rank_nothing(units, ranked):
    b = level()
    b[:, 1] = 0.5
    b[0, 1] += units * UNIT
    assert (paired(b, exchanged(b)) is not None) is ranked


def test_rows_that_agree_where_they_stand_stay_there():
    """Even where the other one is nearer still."""
    b = at_x(level(), {2: 0, 3: 1.5})
    a = at_x(level(), {2: 0.8, 3: 0.7})
    found = paired(b, exchanged(a, 4, 5))
    assert found.moved == 2
    assert np.array_equal(found.candidate[:4], a[:4])
    # Row 2 differs by just what is allowed; so nothing is left for row 3.
    b, a = at_x(level(), {2: 0, 3: 2}), at_x(level(), {2: 1, 3: 0})
    b[2:4, 3:] = a[2:4, 3:] = 0
    assert paired(b, a) is None


def test_the_nearest_is_taken_and_kept():
    """Row 3's partner, the first of those that moved, is not given up for one that is farther."""
    b = at_x(level(), {2: 50, 3: 0, 4: 1.25, 5: 200})
    a = at_x(level(), {2: 0.125, 3: 50, 4: 200, 5: 0.5})
    b[2:6, 3:] = a[2:6, 3:] = 0
    found = paired(b, a)
    assert found.moved == 4
    assert np.array_equal(found.candidate[2:6], a[[3, 2, 5, 4]])


class TestTheCutOff:
    """300 boxes an image, the last six of one score: three of them may be others."""

    B = level(300, 294, 300)

    def others(self, *places):
        made = self.B.copy()
        for row in places:
            made[row, 2:] = -100 * row
        return made

    def test_as_many_as_may(self):
        found = paired(self.B, self.others(297, 298, 299))
        assert (found.moved, found.unpaired) == (0, 3)
        assert len(found.reference) == len(found.candidate) == 297
        assert paired(self.B, self.others(296, 297, 298, 299)) is None

    def test_no_more_in_a_later_image(self):
        both = np.concatenate([self.B, self.B])
        three = np.concatenate([self.B, self.others(297, 298, 299)])
        four = np.concatenate([self.B, self.others(296, 297, 298, 299)])
        assert paired(both, three, 300, 300).unpaired == 3
        assert paired(both, four, 300, 300) is None

    def test_only_of_the_lowest_score(self):
        assert paired(self.B, self.others(293)) is None
        b, a = self.B.copy(), self.others(298)
        for units, pairs in ((1, True), (1.5, False)):
            b[294:299, 1] = a[294:299, 1] = b[299, 1] + units * UNIT
            assert (paired(b, a) is not None) is pairs

    def test_nobody_is_the_partner_of_two(self):
        """Rows 295 and 296 are both near what stands at 297; one of them is left alone."""
        b, a = self.B.copy(), self.B.copy()
        for made in (b, a):
            made[295:298, 2:] = 0
        b[295:298, 2] = 0, 0.5 * UNIT, 100
        a[295:298, 2] = 100, 500, 0.125 * UNIT
        found = paired(b, a)
        assert (found.moved, found.unpaired) == (2, 1)
        assert 296 not in np.flatnonzero(np.isin(b[:, 2], found.reference[295:297, 2]))


def test_memory_does_not_grow_with_the_square_of_the_boxes():
    import tracemalloc

    b = level(3000, 0, 3000)
    b[:-1, 1] += 0.25
    a = np.concatenate([b[-2::-1], b[-1:]])
    tracemalloc.start()
    found = paired(b, a)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found.candidate, b)
    assert peak < 60e6  # at once it would be 8 * 6 * 3000**2 bytes, 430 MB
