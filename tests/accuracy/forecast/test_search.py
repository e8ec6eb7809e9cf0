"""The search: what it returns passes, and does not with any one member less."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from converter.accuracy.forecast.ranges import range_of
from converter.accuracy.forecast.search import minimal_set, sensitivities


def quiet(_: str) -> None:
    return None


@given(st.lists(st.sets(st.integers(0, 11), min_size=1), max_size=4), st.randoms())
def test_a_minimal_set(needs, random):
    """It passes when from each of ``needs`` at least one is kept: more kept is never worse."""
    ranking = list(range(12))
    random.shuffle(ranking)

    def passes(keep):
        return all(need & set(keep) for need in needs)

    found = minimal_set(ranking, passes, quiet)
    assert found is not None and passes(found)
    assert not any(passes([p for p in found if p != one]) for one in found)
    assert (found == ()) is (not needs)


def test_where_nothing_is_enough():
    assert minimal_set([0, 1, 2], lambda keep: False, quiet) is None
    assert minimal_set([], lambda keep: False, quiet) is None


def test_sensitivities_find_the_one_that_matters():
    runs = []

    def error(keep):
        runs.append(keep)
        return sum({7: 1.0, 40: 0.5}.get(place, 1e-9) for place in set(range(100)) - set(keep))

    found = sensitivities(100, error, quiet)
    order = sorted(range(100), key=lambda place: -found[place])
    assert order[:2] == [7, 40]
    assert len(runs) < 50


def test_ranges():
    here = range_of(np.array([0, 1, -65519, 65520, 2.0**-25, 2.0**-24, np.inf, np.nan], "float32"))
    assert here.largest == 65520
    assert (here.overflow, here.underflow) == (1 / 6, 1 / 6)
    assert range_of(np.float32(3)).largest == 3
    assert range_of(np.zeros(0, "float32")).largest == 0
