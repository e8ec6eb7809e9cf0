"""Outputs drawn at random: the boundaries of what two draws may differ by, and how it is told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from converter.accuracy.gate import compare_case, compare_output, doubts, gate, vacuous

INF, NAN = math.inf, math.nan


def compare(reference, candidate):
    return compare_output("y", reference, candidate, None, random=True)


def draws(low, high, count=64):
    return np.linspace(low, high, count, dtype="float32")


@pytest.mark.parametrize(
    ("low", "high", "passes"),
    [
        (-4, 0, True),
        (1, 5, True),
        (-4.01, -0.1, False),
        (1.1, 5.01, False),
        (0.3, 0.7, True),
    ],
)
def test_a_draw_may_reach_four_widths_beyond_the_other(low, high, passes):
    assert compare(draws(0, 1), draws(low, high)).passed is passes


def test_a_constant_equals_itself():
    assert compare(np.ones(64, "float32"), np.ones(64, "float32")).passed


def test_less_than_32_draws_say_nothing_of_a_range():
    assert compare(draws(0, 1, 31), draws(8, 9, 31)).passed
    assert not compare(draws(0, 1, 32), draws(8, 9, 32)).passed


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_what_is_no_number_is_on_both_sides_or_on_none(bad):
    whole, one, two = draws(0, 1, 8), draws(0, 1, 8), draws(0, 1, 8)
    one[3] = two[4] = two[5] = bad
    assert compare(one, one).passed
    assert compare(one, two).passed
    assert compare(two, one).passed
    for pair in ((whole, one), (one, whole)):
        found = compare(*pair)
        assert not found.passed
        assert "on one side only" in found.reason


def test_no_number_at_all_is_told_from_some():
    some = draws(0, 1, 8)
    some[:2] = NAN, INF
    none = np.array([NAN, INF] * 4, "float32")
    assert compare(none, none[::-1].copy()).passed
    for pair in ((some, none), (none, some)):
        assert "everywhere on one side" in compare(*pair).reason
    only = draws(0, 1, 8)
    only[0] = INF
    assert "everywhere on one side" in compare(only, np.full(8, INF, "float32")).reason


def test_the_worst_difference_is_the_largest_of_what_was_compared():
    b = {"random": draws(0, 1), "x": draws(1, 2), "z": draws(1, 2)}
    a = {"random": draws(1, 0), "x": b["x"] + np.float32(2**-20), "z": b["z"] + np.float32(2**-18)}
    passed, told = gate([compare_case("case", {}, 0, b, a, random=("random",))])
    assert passed, told
    assert told.endswith(f"worst max_abs {2**-18:.3g}")


def test_nothing_but_random_outputs_has_no_difference():
    b, a = {"random": draws(0, 1)}, {"random": draws(1, 0)}
    passed, told = gate([compare_case("case", {}, 0, b, a, random=("random",))])
    assert passed
    assert told.endswith("worst max_abs 0")


def test_empty_in_one_case_and_nan_in_the_other_is_nothing_compared():
    cases = [
        compare_case("empty", {}, 0, *2 * [{"y": np.zeros(0, "float32")}]),
        compare_case("nan", {}, 0, *2 * [{"y": np.full(3, NAN, "float32")}]),
    ]
    assert all(case.passed for case in cases)
    assert "no number was compared" in vacuous(cases)
    assert not gate(cases)[0]


def test_zeros_a_constant_and_a_narrower_draw_are_no_draws():
    draw = np.random.default_rng(0).standard_normal(64).astype("float32")
    assert compare(draw, draw[::-1].copy()).passed
    for wrong in (np.zeros_like(draw), np.full_like(draw, 0.3), draw / 1000, draw / 5):
        found = compare(draw, wrong)
        assert not found.passed
        assert "spread" in found.reason


def test_coins_may_all_fall_on_one_side():
    coins = (np.random.default_rng(0).random(64) < 0.1).astype("float32")
    assert compare(coins, np.zeros_like(coins)).passed


def test_what_no_draw_can_be_is_told_however_few_there_are():
    few = draws(0, 1, 4)
    assert compare(few, few + 500).passed
    assert not compare(few, few * 1e30).passed


@pytest.mark.parametrize("distribution", ["uniform", "standard_normal", "standard_exponential"])
@pytest.mark.parametrize("count", [32, 100, 1000])
def test_two_draws_of_one_distribution_pass(distribution, count):
    for seed in range(50):
        pair = (getattr(np.random.default_rng(s), distribution)(size=count) for s in (seed, -~seed))
        found = compare(*(draw.astype("float32") for draw in pair))
        assert found.passed, found.reason


def test_infinity_everywhere_is_a_doubt():
    for values in ([INF], [INF, INF], [INF, -INF, NAN]):
        tensor = np.array(values, "float32")
        case = compare_case("case", {}, 0, {"y": tensor}, {"y": tensor.copy()})
        assert case.passed
        assert doubts([case])


@pytest.mark.parametrize(
    ("factor", "passes"), [(4, True), (4.01, False), (0.25, True), (0.249, False)]
)
def test_two_draws_spread_alike_within_a_factor_of_four(factor, passes):
    draw = np.linspace(-1, 1, 64)
    assert compare(draw, draw * factor).passed is passes


@pytest.mark.parametrize(("values", "passes"), [(15, True), (16, False)])
def test_sixteen_values_are_no_coins(values, passes):
    coins = np.arange(64.0) % values
    assert compare(coins, np.full(64, 3.0)).passed is passes


@pytest.mark.parametrize(("largest", "passes"), [(1000.0, True), (1000.5, False)])
def test_how_far_is_too_far_for_a_few_draws(largest, passes):
    few = draws(0, 1, 4).astype("float64")
    assert compare(few, few * largest).passed is passes
    assert compare(few * 8, few * 8 * largest).passed is passes


@pytest.mark.parametrize(("count", "passes"), [(31, True), (32, False)])
def test_less_than_32_draws_say_nothing_of_how_they_spread(count, passes):
    draw = np.linspace(-1, 1, count)
    assert compare(draw, np.zeros(count)).passed is passes
