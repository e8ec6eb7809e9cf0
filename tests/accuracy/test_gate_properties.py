"""What holds of the gate whatever it is given (rule 2: nothing passes vacuously)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converter.accuracy.gate import compare_case, compare_output, gate
from converter.accuracy.limits import Limits
from converter.model.comparison import CaseComparison, OutputComparison
from converter.model.tolerance import Tolerance, ToleranceOverride

NAN, INF = math.nan, math.inf
LOOSEST = Tolerance(atol=1e300, rtol=1e300, min_cosine=-1.0)

#: Values of one size, so that differences are of every size against them.
values = st.floats(-100, 100, width=32)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=5)


def two(count: int = 2, dtype: str = "float32", elements: Any = values) -> st.SearchStrategy[Any]:
    return shapes.flatmap(
        lambda shape: st.tuples(*count * [hnp.arrays(dtype, shape, elements=elements)])
    )


shares = st.one_of(st.none(), st.floats(0, 1))
limits = st.one_of(st.none(), st.floats(0, 10))
tolerances = st.builds(
    Tolerance,
    atol=st.floats(0, 100),
    rtol=st.floats(0, 1),
    min_cosine=st.floats(-1, 1),
    max_relative_l2=limits,
    max_ulp=st.one_of(st.none(), st.floats(0, 1e9)),
    min_exact=shares,
)


def check(b: np.ndarray, a: np.ndarray, tolerance: Tolerance) -> OutputComparison:
    return compare_output("y", b, a, tolerance)


def tighter(limit: str, value: float) -> float | None:
    """A limit that is missed by as little as a float can say; None where there is none."""
    if limit.startswith("min_"):
        return math.nextafter(value, INF) if value < 1 else None
    return math.nextafter(value, -INF) if value > 0 else None


@given(two(), tolerances)
def test_the_tolerance_that_would_have_passed_does_and_no_less(
    pair: tuple[np.ndarray, np.ndarray], tolerance: Tolerance
) -> None:
    judged = check(*pair, tolerance)
    assert judged.tolerance == tolerance
    passing = judged.passing
    if passing is None:  # the reference is zero, and a finite relative L2 was asked for
        assert not judged.passed
        assert math.isinf(judged.relative_l2)
        return
    assert judged.passed == (passing == tolerance)
    again = check(*pair, passing)
    assert again.passed, again.reason
    assert again.passing == passing
    for limit, value in passing:
        if value != getattr(tolerance, limit):
            less = tighter(limit, value)
            assert less is not None
            missed = check(*pair, passing.model_copy(update={limit: less}))
            assert not missed.passed
            assert missed.passing == passing


@given(two(), tolerances)
def test_the_passing_atol_passes_and_no_less(
    pair: tuple[np.ndarray, np.ndarray], tolerance: Tolerance
) -> None:
    atol = check(*pair, tolerance).passing_atol
    if atol is None:
        assert not check(*pair, tolerance.model_copy(update={"atol": 1e300})).passed
        return
    assert check(*pair, tolerance.model_copy(update={"atol": atol})).passed
    if atol > 0:
        less = tolerance.model_copy(update={"atol": math.nextafter(atol, 0)})
        assert not check(*pair, less).passed


@given(two(), tolerances)
def test_widening_never_fails_what_passed(pair: Any, asked: Tolerance) -> None:
    tolerance = check(*pair, asked).passing
    assume(tolerance is not None)
    assert tolerance is not None
    assert check(*pair, tolerance).passed
    for update in (
        {"atol": 2 * tolerance.atol + 1},
        {"rtol": 2 * tolerance.rtol + 1},
        {"min_cosine": -1.0},
        {"max_relative_l2": None},
        {"max_ulp": None},
        {"min_exact": None},
    ):
        assert check(*pair, tolerance.model_copy(update=update)).passed


@given(two(3), st.floats(0, 20), st.floats(0, 1))
def test_no_larger_error_passes_than_one_that_fails(
    three: tuple[np.ndarray, ...], atol: float, rtol: float
) -> None:
    b, a, more = (tensor.astype(np.float64) for tensor in three)
    tolerance = Tolerance(atol=atol, rtol=rtol, min_cosine=-1.0)
    error = a - b
    worse = b + error + np.copysign(np.abs(more), error)
    assume((np.abs(worse - b) >= np.abs(error)).all())
    if not check(b, a, tolerance).passed:
        assert not check(b, worse, tolerance).passed


def test_an_error_at_a_zero_of_the_reference_is_seen() -> None:
    b = np.array([[1.0] + 40 * [0.0]])
    a = b.copy()
    a[0, 7] = 1e-3
    judged = check(b, a, Tolerance(atol=1e-5, rtol=1e-4, min_cosine=0.99))
    assert not judged.passed
    assert "worst at [0, 7]: reference 0.0" in judged.reason


def test_one_wrong_element_among_many_fails() -> None:
    b = np.ones(1 << 20, np.float32)
    a = b.copy()
    a[12345] = 1.01
    judged = check(b, a, Tolerance(atol=1e-5, rtol=1e-4, min_cosine=0.9999))
    assert not judged.passed
    assert judged.mean_abs is not None and judged.mean_abs < 1e-7
    assert judged.cosine > 0.9999


@given(two(1), st.data(), st.sampled_from([NAN, INF, -INF]))
def test_what_is_no_number_never_stands_for_one(one: Any, data: st.DataObject, odd: float) -> None:
    (tensor,) = one
    place = tuple(data.draw(st.integers(0, extent - 1)) for extent in tensor.shape)
    broken = tensor.copy()
    broken[place] = odd
    for pair in ((tensor, broken), (broken, tensor)):
        judged = check(*pair, LOOSEST)
        assert not judged.passed
        assert judged.passing is judged.passing_atol is None
    if not math.isnan(odd):
        other = broken.copy()
        other[place] = -odd
        assert not check(broken, other, LOOSEST).passed


@given(two(2, "int32", st.integers(-3, 3)), st.floats(0, 1))
def test_integers_are_equal_or_a_share_is_asked_for(pair: Any, share: float) -> None:
    equal = bool((pair[0] == pair[1]).all())
    assert check(*pair, LOOSEST).passed == equal
    asked = compare_output(
        "y", *pair, limits=Limits(tolerances={"y": ToleranceOverride(min_exact=share)})
    )
    assert asked.passed == (float((pair[0] == pair[1]).mean()) >= share)
    assert asked.passing is not None


@given(two(2), two(2))
def test_a_case_passes_when_all_of_it_does(first: Any, second: Any) -> None:
    b, a = ({"x": first[i], "y": second[i]} for i in (0, 1))
    case = compare_case("case", {}, 0, b, a)
    alone = [compare_case("case", {}, 0, {k: b[k]}, {k: a[k]}).passed for k in b]
    assert case.passed == all(alone)
    for left, right in ((b, {"x": a["x"]}), ({"x": b["x"]}, a), ({}, {}), (b, {})):
        assert not compare_case("case", {}, 0, left, right).passed


@given(st.lists(st.booleans(), max_size=4), st.integers(0, 1))
def test_a_gate_that_passes_has_compared_something(passed: list[bool], elements: int) -> None:
    b = np.linspace(1, 2, 4)[: 4 * elements]
    cases = [compare_case("case", {}, 0, {"y": b}, {"y": b + (not each)}) for each in passed]
    verdict, words = gate(cases)
    assert verdict == (bool(passed) and all(passed) and elements > 0)
    assert words


def test_the_marks_of_cases_can_only_make_it_worse() -> None:
    ramp = np.linspace(1, 2, 4)
    good = compare_case("good", {}, 0, {"y": ramp}, {"y": ramp})
    bad = compare_case("bad", {}, 0, {"y": ramp}, {"y": ramp + 1})
    assert gate([good]) == (True, "1 case passed, 4 elements, worst max_abs 0")
    assert not gate([good.model_copy(update={"passed": False})])[0]
    assert not gate([bad.model_copy(update={"passed": True})])[0]
    empty = CaseComparison(label="none", input_shapes={}, seed=0, outputs=(), passed=True)
    assert not gate([good, empty])[0]


@pytest.mark.parametrize(
    ("limit", "value"), [("min_top1", 0.0), ("min_top5", 0.0), ("max_ulp", 1e9)]
)
def test_a_limit_that_cannot_be_measured_fails(limit: str, value: float) -> None:
    whole = np.arange(4).reshape(2, 2)
    asked = Limits(tolerances={"y": ToleranceOverride.model_validate({limit: value})})
    judged = compare_output("y", whole, whole, limits=asked)
    assert not judged.passed
    assert f"{limit} {value:g} was asked for" in judged.reason
    assert judged.passing is judged.passing_atol is None


def test_classes_are_gated_where_they_are_asked_for() -> None:
    b = np.array([[0.1, 0.9, 0.0], [0.5, 0.49, 0.01]])
    a = np.array([[0.1, 0.9, 0.0], [0.49, 0.5, 0.01]])
    loose = {"atol": 0.1}
    for share, passed in ((0.5, True), (0.51, False)):
        asked = ToleranceOverride.model_validate(loose | {"min_top1": share})
        judged = compare_output("y", b, a, limits=Limits(tolerances={"*": asked}))
        assert judged.passed == passed
        assert judged.passing is not None
        assert judged.passing.min_top1 == 0.5
    assert "argmax_agreement 0.5 is below min_top1 0.51" in judged.reason


def test_an_empty_output_misses_no_limit() -> None:
    asked = ToleranceOverride(min_top1=1, max_ulp=0, min_exact=1, max_relative_l2=0)
    none = np.zeros((0, 7))
    judged = compare_output("y", none, none, limits=Limits(tolerances={"y": asked}))
    assert judged.passed
    assert judged.reason.startswith("weak")


def test_limits_are_of_the_output_they_name() -> None:
    ramp = np.linspace(1, 2, 4, dtype=np.float32)
    named = {"x": ToleranceOverride(atol=1.5, min_cosine=0.5), "*": ToleranceOverride(rtol=0)}
    b, a = {"x": ramp, "y": ramp}, {"x": ramp + 1, "y": ramp + 1}
    found = compare_case("case", {}, 0, b, a, limits=Limits(tolerances=named)).outputs
    assert [output.passed for output in found] == [True, False]
    assert found[0].tolerance == Tolerance(atol=1.5, rtol=0, min_cosine=0.5)
    assert found[1].tolerance == Tolerance(atol=1e-5, rtol=0, min_cosine=0.9999)


def test_wider_limits_are_atol_and_rtol_alone() -> None:
    asked = {"y": ToleranceOverride(min_exact=1, max_ulp=0, min_top1=1, max_relative_l2=0)}
    found = Limits(atol=2, rtol=0.5, tolerances=asked).widened(10).of("y", "float32")
    assert found == Tolerance(atol=20, rtol=5, min_cosine=0.9999)
    exact = Limits(tolerances={"y": ToleranceOverride(atol=1, min_exact=0.5)}).of("y", "int64")
    assert exact == Tolerance(atol=0, rtol=0, min_cosine=1, min_exact=0.5)
