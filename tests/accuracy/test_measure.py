"""Every number of a comparison is the one that its name says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from converter.accuracy.measure import at, incomparable, measure


def test_each_field_is_the_number_that_its_name_says():
    random = np.random.default_rng(0)
    b = random.standard_normal((40, 10))
    a = b + random.standard_normal((40, 10)) * 0.05
    found = measure("y", b, a)
    apart = np.sort(np.abs(a - b).reshape(-1))
    relative = np.sort((np.abs(a - b) / np.abs(b)).reshape(-1))

    assert found.p50_abs == pytest.approx(apart[199])
    assert found.p99_abs == pytest.approx(apart[395])
    assert found.p50_rel == pytest.approx(relative[199])
    assert found.p99_rel == pytest.approx(relative[395])
    assert found.max_abs == pytest.approx(apart[-1])
    assert found.max_rel == pytest.approx(relative[-1])
    assert found.mean_abs == pytest.approx(apart.mean())
    assert found.mean_rel == pytest.approx(relative.mean())
    assert found.exact_match == 0
    assert not found.passed  # nobody has judged it


def test_one_percent_of_the_distances_is_above_p99():
    b = np.ones(200, np.float32)
    a = b.copy()
    a[-2:] += np.float32(4 * 2.0**-23)
    found = measure("y", b, a)
    assert (found.p99_ulp, found.max_ulp) == (0.0, 4.0)


def test_top_five_is_five():
    """Shares of the same classes among the first five; the sixth and seventh are exchanged."""
    b = np.tile(np.arange(10, 0, -1.0), (4, 1))
    a = b.copy()
    a[:, [5, 6]] = a[:, [6, 5]]
    assert measure("y", b, a).top5_agreement == 1
    a[0, [4, 5]] = a[0, [5, 4]]
    assert measure("y", b, a).top5_agreement == 0.95


def test_what_is_missing_has_no_elements_and_no_nan():
    found = incomparable("y", None, np.array([1, math.nan, math.inf, math.nan]), "missing")
    assert (found.nan_reference, found.nan_candidate) == (0, 2)
    assert (found.inf_reference, found.inf_candidate) == (0, 1)
    assert (found.elements, found.passed, found.reason) == (0, False, "missing")
    assert math.isnan(found.max_abs)


def test_positions_are_indices_in_c_order():
    b, a = np.arange(6.0).reshape(2, 3), np.arange(6.0, 12.0).reshape(2, 3)
    assert at(b, a, 5) == "at [1, 2]: reference 5.0, candidate 11.0"
    assert at(b, a, 0) == "at [0, 0]: reference 0.0, candidate 6.0"
