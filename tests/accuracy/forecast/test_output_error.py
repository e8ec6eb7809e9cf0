"""The number that operators are ranked by: the gate's own ``scaled``, inf where that is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converter.accuracy.forecast.output_error import output_error
from converter.accuracy.gate import compare_output

INF, NAN = math.inf, math.nan
values = st.one_of(st.floats(width=32), st.sampled_from([0.0, 1.0, NAN, INF, -INF]))
pairs = hnp.array_shapes(min_dims=0, max_dims=2, max_side=3).flatmap(
    lambda shape: st.tuples(*2 * [hnp.arrays("float32", shape, elements=values)])
)


@given(pairs, pairs)
def test_it_is_what_the_gate_measures_of_the_worst_output(first: Any, second: Any) -> None:
    expected = 0.0
    for b, a in (first, second):
        found = compare_output("y", b, a)
        same = (found.nan_reference, found.inf_reference) == (
            found.nan_candidate,
            found.inf_candidate,
        )
        finite = same and not math.isnan(found.scaled)
        expected = max(expected, found.scaled if finite else INF)
    sides = ({"x": first[i], "y": second[i]} for i in (0, 1))
    assert output_error(*sides) == expected


@pytest.mark.parametrize("other", [np.ones(3), np.ones((2, 1)), np.array(["a", "b"])])
def test_what_cannot_be_compared_is_as_far_off_as_can_be(other: np.ndarray) -> None:
    assert output_error({"y": np.ones(2)}, {"y": other}) == INF


def test_boxes_that_changed_places_are_paired() -> None:
    rows = np.array([[0, 0.9, 1, 2, 3, 4], [1, 0.1, 4, 5, 6, 7], [1, 0.1, 9, 9, 11, 12]], "f4")
    counts = np.array([3], "i4")
    turned = rows[[0, 2, 1]]
    assert output_error({"b": rows, "n": counts}, {"b": turned, "n": counts}) == 0.0
    assert output_error({"b": rows}, {"b": turned}) > 0.1
