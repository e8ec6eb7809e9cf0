"""The gate: what it lets through, what it stops, and the boundary between."""

from __future__ import annotations

import math
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converter.accuracy import metrics
from converter.accuracy.gate import (
    WEAK_CONSTANT,
    WEAK_EMPTY,
    WEAK_NAN,
    WEAK_SMALL,
    compare_case,
    compare_output,
    doubts,
    gate,
    vacuous,
    warnings,
)
from converter.accuracy.limits import Limits, default_tolerance
from converter.accuracy.verdict import DIRECTION_FLOOR
from converter.errors import InputError
from converter.model.comparison import CaseComparison, OutputComparison
from converter.model.tolerance import Tolerance

INF, NAN = math.inf, math.nan
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = ["float16", "float32", "float64", BFLOAT16]
DTYPES = [*FLOATS, "int8", "uint8", "int32", "int64", "uint64", "bool"]
RAMP = np.arange(1.0, 13.0, dtype=np.float32).reshape(3, 4)
LOOSE = Tolerance(atol=1e30, rtol=1e30, min_cosine=-1.0)


def arrays(dtype, **kwargs):
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4, **kwargs)
    if dtype == BFLOAT16:
        return hnp.arrays("float32", shapes).map(_to_bfloat16)
    return hnp.arrays(dtype, shapes)


def _to_bfloat16(tensor):
    with np.errstate(over="ignore", invalid="ignore"):
        return tensor.astype(BFLOAT16)


def numbers():
    finite = st.floats(-1e6, 1e6, width=32)
    return hnp.arrays("float32", hnp.array_shapes(max_dims=3, max_side=4), elements=finite)


def check(reference, candidate, tolerance=None, **kwargs):
    return compare_output("y", np.asarray(reference), np.asarray(candidate), tolerance, **kwargs)


def case_of(reference, candidate, tolerance=None):
    return compare_case("case", {"x": (1, 3)}, 7, reference, candidate, tolerance)


@given(st.sampled_from(DTYPES).flatmap(lambda dtype: arrays(dtype, min_side=0)))
def test_a_copy_passes_whatever_the_dtype(tensor):
    result = check(tensor, tensor.copy())
    assert result.passed, result.reason
    assert result.reason == "" or result.reason.startswith("weak: ")
    assert (result.max_abs, result.passing_atol) == (0.0, 0.0)
    assert (result.elements, result.shape) == (tensor.size, tensor.shape)
    assert (result.dtype, result.name) == (tensor.dtype.name, "y")


@given(st.sampled_from(FLOATS).flatmap(arrays), st.data())
def test_any_single_planted_non_finite_value_fails(tensor, data):
    candidate = tensor.copy()
    at = data.draw(st.integers(0, tensor.size - 1))
    planted = data.draw(st.sampled_from([NAN, INF, -INF]))
    old = float(tensor.reshape(-1)[at])
    assume(not (old == planted or (math.isnan(old) and math.isnan(planted))))
    candidate.reshape(-1)[at] = planted
    for reference, other in ((tensor, candidate), (candidate, tensor)):
        result = check(reference, other, LOOSE)
        assert not result.passed
        assert result.reason.startswith("NaN/Inf pattern differs at 1 of")
        assert result.passing_atol is None


def test_equal_counts_at_other_positions_fail():
    reference, candidate = RAMP.copy(), RAMP.copy()
    reference[0, 0], candidate[2, 1] = NAN, NAN
    result = check(reference, candidate, LOOSE)
    assert (result.nan_reference, result.nan_candidate) == (1, 1)
    assert result.reason == (
        "NaN/Inf pattern differs at 2 of 12 positions, "
        "first at [0, 0]: reference nan, candidate 1.0"
    )
    infinite = RAMP.copy()
    infinite[0, 0] = INF
    result = check(infinite, np.where(infinite == INF, -INF, infinite).astype(np.float32), LOOSE)
    assert (result.inf_reference, result.inf_candidate, result.passed) == (1, 1, False)


def test_an_infinite_reference_does_not_widen_the_tolerance():
    reference, candidate = RAMP.copy(), RAMP.copy()
    reference[0, 0] = candidate[0, 0] = INF
    candidate[2, 3] += 0.01
    assert not check(reference, candidate).passed
    assert check(reference, reference.copy()).passed


@given(numbers(), st.floats(1.001, 1e3))
def test_scaling_fails(tensor, factor):
    assume(metrics.peak(tensor) > 0.1)
    assert not check(tensor, (tensor * factor).astype(np.float32)).passed
    assert not check(tensor, -tensor).passed
    assert not check(tensor, np.zeros_like(tensor)).passed


@given(hnp.arrays("int16", (3, 4), elements=st.integers(1, 100), unique=True))
def test_permuted_outputs_fail(values):
    tensor = values.astype(np.float32)
    assert not check(tensor, tensor[::-1].copy()).passed
    assert not check(tensor, np.roll(tensor, 1, axis=1)).passed
    other = (tensor + 1000).astype(np.float32)
    assert not case_of({"a": tensor, "b": other}, {"a": other, "b": tensor}).passed
    # The order of the dict is not the order of the values.
    assert case_of({"a": tensor, "b": other}, {"b": other, "a": tensor}).passed


@given(
    numbers(),
    st.floats(-10, 10),
    st.sampled_from([0.0, 5e-5, 0.5]),
    st.sampled_from(["float32", "float16"]),
)
def test_passing_atol_is_the_boundary(tensor, shift, rtol, dtype):
    tensor = (tensor % 1000).astype(dtype)
    candidate = (tensor + np.array(shift).astype(dtype)).astype(dtype)

    def at(atol):
        return check(tensor, candidate, Tolerance(atol=atol, rtol=rtol, min_cosine=-1.0))

    boundary = at(0.0).passing_atol
    assert boundary is not None
    assert at(boundary).passed
    assert at(math.nextafter(boundary, INF)).passed
    assert at(boundary).passing_atol == at(1e9).passing_atol == boundary
    if boundary > 0:
        below = at(math.nextafter(boundary, 0.0))
        assert not below.passed
        assert below.passing_atol == boundary
        assert below.reason.startswith("max_abs ")


def test_the_tolerance_formula():
    reference = np.array([0.0, 100.0])
    tolerance = Tolerance(atol=1.0, rtol=0.25, min_cosine=-1.0)
    assert check(reference, [26.0, 100.0], tolerance).passed
    result = check(reference, [26.5, 100.0], tolerance)
    assert not result.passed
    assert result.passing_atol == 1.5
    assert result.reason == (
        "max_abs 26.5 exceeds 26 (atol 1 + rtol part 25), "
        "worst at [0]: reference 0.0, candidate 26.5"
    )
    # rtol is relative to the reference, not to the candidate.
    assert not check([0.0, 1.0], [100.0, 1.0], tolerance).passed


def test_cosine_boundary():
    reference, candidate = np.array([1.0, 1.0]), np.array([1.0, 0.5])
    cosine = metrics.cosine(reference, candidate)
    for minimum, passed in ((cosine, True), (math.nextafter(cosine, 2), False)):
        result = check(reference, candidate, Tolerance(atol=1.0, rtol=0.0, min_cosine=minimum))
        assert result.passed is passed
    assert result.reason.startswith("cosine 0.948683 is below min_cosine 0.948683 (max_abs 0.5")
    assert result.passing_atol is None


def test_loosening_atol_does_not_switch_the_cosine_off():
    noise = np.random.default_rng(0).random((2, 100)).astype(np.float32)
    assert not check(noise[0], noise[1], Tolerance(atol=10.0, rtol=0.0, min_cosine=0.99)).passed


def test_direction_floor():
    assert DIRECTION_FLOOR == 2.0**-16  # as docs/explanation/tolerances.md says: 1.5e-5
    tolerance = Tolerance(atol=1.0, rtol=0.0, min_cosine=0.9)
    at = np.full(4, DIRECTION_FLOOR)
    assert not check(at, -at, tolerance).passed
    below = at * 0.99
    assert check(below, -below, tolerance).passed
    # Few large values among zeros have a direction too: the floor is on the RMS of all elements.
    sparse = np.zeros(10_000, np.float32)
    sparse[0] = 1e-2
    assert not check(sparse, np.roll(sparse, 1), tolerance).passed


def test_a_detector_on_noise_passes_and_says_that_it_is_weak():
    generator = np.random.default_rng(0)
    reference = (1e-6 * (1 + generator.random((1, 1, 64, 64)))).astype(np.float32)
    candidate = reference + generator.uniform(-1.3e-7, 1.3e-7, reference.shape).astype(np.float32)
    result = check(reference, candidate)
    assert result.relative_l2 > 0.04
    assert result.passed
    assert result.reason == WEAK_SMALL


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64"])
def test_integers_are_exact_whatever_rtol_says(dtype):
    reference = np.array([1, 2, 100], dtype)
    candidate = np.array([1, 2, 101], dtype)
    assert not check(reference, candidate).passed
    result = check(reference, candidate, Tolerance(atol=2.0, rtol=0.5, min_cosine=-1))
    assert not result.passed
    assert result.passing_atol is None
    assert result.reason == (
        "integers differ by up to 1, worst at [2]: reference 100, candidate 101"
    )


def test_integers_near_the_int64_extremes():
    reference = np.array([2**63 - 1, -(2**63)])
    result = check(reference, reference[::-1].copy())
    assert (result.passed, result.max_abs) == (False, 2.0**64 - 1)
    assert not check(reference, reference - np.array([1, 0])).passed


def test_bools_are_exact_at_every_tolerance():
    result = check([True, True, False], [True, False, False], LOOSE)
    assert not result.passed
    assert result.reason == "bools differ, first at [1]: reference True, candidate False"
    assert result.passing_atol is None


def test_a_difference_that_overflows_fails_at_every_tolerance():
    result = check([1.7e308, 1.0], [-1.7e308, 1.0], LOOSE)
    assert not result.passed
    assert result.passing_atol is None
    assert result.reason.startswith("difference overflows, at [0]")
    assert not check(
        [1.7e308, 1.0], [-1.7e308, 1.0], Tolerance(atol=0, rtol=9, min_cosine=-1)
    ).passed


@pytest.mark.parametrize(
    ("reference", "candidate", "reason"),
    [
        (np.float32(1.0), np.ones(1, np.float32), "0-D, the other has one axis of extent 1"),
        (np.ones(1), np.array(1.0), "(reference [1], candidate [])"),
        (np.array(1.0), np.ones(3), "rank differs: 0 against 1 (reference [], candidate [3])"),
        (np.ones((2, 3)), np.ones(6), "rank differs: 2 against 1"),
        (np.ones((2, 3)), np.ones((2, 1)), "shape differs: reference [2, 3], candidate [2, 1]"),
        (np.ones((0, 3)), np.ones((0, 4)), "shape differs: reference [0, 3], candidate [0, 4]"),
    ],
)
def test_shapes_must_be_equal(reference, candidate, reason):
    result = check(reference, candidate, LOOSE)
    assert not result.passed
    assert reason in result.reason
    assert (result.elements, result.passing_atol) == (0, None)
    assert math.isnan(result.max_abs)
    assert math.isnan(result.cosine)


def test_dtypes_must_be_as_expected():
    half = RAMP.astype(np.float16)
    result = check(RAMP, half)
    assert not result.passed
    assert result.reason == "dtype is float16, expected float32"
    assert result.passing_atol is None
    assert result.max_abs == 0.0  # the values are still compared, for the reader
    assert check(RAMP, half, expected_dtype="float16").passed
    assert not check(RAMP, RAMP, expected_dtype="float16").passed
    assert not check(np.arange(3, dtype=np.int64), np.arange(3, dtype=np.int32)).passed


@pytest.mark.parametrize("dtype", ["complex64", "U3", "object"])
def test_incomparable_dtypes_fail(dtype):
    odd, plain = np.ones(2, dtype), np.ones(2)
    for reference, candidate in ((odd, odd), (odd, plain), (plain, odd)):
        result = check(reference, candidate, LOOSE)
        assert not result.passed
        assert "cannot be compared" in result.reason
        assert result.elements == 0


@pytest.mark.parametrize(
    "tolerance",
    [
        Tolerance(atol=NAN, rtol=0, min_cosine=0),
        Tolerance(atol=INF, rtol=0, min_cosine=0),
        Tolerance(atol=-1, rtol=0, min_cosine=0),
        Tolerance(atol=0, rtol=NAN, min_cosine=0),
        Tolerance(atol=0, rtol=INF, min_cosine=0),
        Tolerance(atol=0, rtol=-1, min_cosine=0),
        Tolerance(atol=0, rtol=0, min_cosine=NAN),
        Tolerance(atol=0, rtol=0, min_cosine=1.1),
        Tolerance(atol=0, rtol=0, min_cosine=-1.1),
        Tolerance(atol=0, rtol=0, min_cosine=0, max_ulp=-1),
        Tolerance(atol=0, rtol=0, min_cosine=0, max_relative_l2=INF),
        Tolerance(atol=0, rtol=0, min_cosine=0, min_top1=1.5),
        Tolerance(atol=0, rtol=0, min_cosine=0, min_top1=1, min_exact=-0.1),
    ],
)
def test_a_tolerance_that_is_none_is_refused(tolerance):
    with pytest.raises(InputError, match="not a tolerance"):
        check(RAMP, RAMP, tolerance)
    with pytest.raises(InputError, match="not a tolerance"):
        Limits(tolerance).of("y", "float32")


def test_default_tolerances_are_those_of_the_documentation():
    assert default_tolerance("float32") == Tolerance(atol=1e-5, rtol=1e-4, min_cosine=0.9999)
    assert default_tolerance("float16") == Tolerance(atol=1e-3, rtol=1e-2, min_cosine=0.999)
    assert default_tolerance(BFLOAT16) == Tolerance(atol=8e-3, rtol=8e-2, min_cosine=0.99)


def test_default_tolerances():
    widths = [default_tolerance(dtype) for dtype in ("float32", "float16", BFLOAT16)]
    for narrow, wide in pairwise(widths):
        assert narrow.atol < wide.atol
        assert narrow.rtol < wide.rtol
        assert narrow.min_cosine > wide.min_cosine
    assert default_tolerance("float64") == widths[0] == default_tolerance(np.dtype("float32"))
    for dtype in ("bool", "int64", "uint8"):
        assert (default_tolerance(dtype).atol, default_tolerance(dtype).rtol) == (0, 0)
    with pytest.raises(InputError, match="complex64"):
        default_tolerance("complex64")


def test_default_float32_tolerance_fits_the_measurements():
    softmax = np.zeros(1000, np.float32)
    softmax[:2] = 0.6, 0.4
    candidate = softmax.copy()
    candidate[1] += 1.6e-5
    assert check(softmax, candidate).passed
    candidate[1] += 1e-3
    assert not check(softmax, candidate).passed
    deep = np.random.default_rng(0).standard_normal(1000).astype(np.float32) * 1e6
    assert check(deep, deep + np.float32(3e-6 * np.abs(deep).max())).passed


def test_missing_and_extra_outputs_fail_by_name():
    case = case_of({"a": RAMP, "b": RAMP}, {"a": RAMP, "c": RAMP})
    assert not case.passed
    assert [(o.name, o.passed) for o in case.outputs] == [("a", True), ("b", False), ("c", False)]
    assert case.outputs[1].reason == "output 'b' is missing in the candidate"
    assert case.outputs[2].reason == "output 'c' is missing in the reference"
    assert gate([case]) == (
        False,
        "1 of 1 cases failed; case 'case': output 'b': output 'b' is missing in the candidate",
    )
    for lonely in (case_of({"a": RAMP}, {}), case_of({}, {"a": RAMP})):
        assert not lonely.passed
        (output,) = lonely.outputs
        assert (output.dtype, output.shape, output.elements) == ("float32", (3, 4), 0)
    neither = compare_output("y", None, None, None)
    assert (neither.passed, neither.dtype, neither.shape) == (False, "", ())


def test_one_bad_output_fails_the_case():
    case = case_of({"a": RAMP, "b": RAMP}, {"a": RAMP, "b": RAMP + 1})
    assert [output.passed for output in case.outputs] == [True, False]
    assert not case.passed
    assert (case.label, case.input_shapes, case.seed) == ("case", {"x": (1, 3)}, 7)


def test_each_output_gets_the_default_of_its_dtype():
    ids = np.arange(1, 1000)
    assert case_of({"p": RAMP, "ids": ids}, {"p": RAMP + np.float32(1e-6), "ids": ids}).passed
    assert not case_of({"p": RAMP, "ids": ids}, {"p": RAMP, "ids": ids + (ids == 999)}).passed


def test_nothing_compared_never_passes():
    assert gate([]) == (False, "no cases were compared")
    nothing = case_of({}, {})
    assert not nothing.passed
    assert gate([nothing])[1].endswith("the models have no outputs to compare")
    empty = np.ones((0, 6), np.float32)
    hollow = case_of({"a": empty, "b": empty}, {"a": empty, "b": empty})
    assert [output.passed for output in hollow.outputs] == [True, True]
    assert gate([hollow]) == (False, "output 'a' is empty in every case: nothing was compared")
    half = case_of({"a": empty, "b": RAMP}, {"a": empty, "b": RAMP})
    assert half.passed
    # Detections on noise are none, on a page they are some: one case may be empty.
    one = case_of({"a": RAMP, "b": RAMP}, {"a": RAMP, "b": RAMP})
    assert gate([hollow, one])[0]
    assert not gate([hollow, half])[0]
    assert not gate([hollow, case_of({"a": empty, "b": RAMP}, {"a": RAMP, "b": RAMP})])[0]
    # A single element is a comparison.
    assert case_of({"a": np.array(2.0)}, {"a": np.array(2.0)}).passed


def test_gate_judges_the_outputs_again():
    good, bad = case_of({"a": RAMP}, {"a": RAMP}), case_of({"a": RAMP}, {"a": RAMP + 1})
    assert gate([good]) == (True, "1 case passed, 12 elements, worst max_abs 0")
    assert gate([good, bad])[0] is False
    assert gate([good, bad, bad])[1].startswith(
        "2 of 3 cases failed; case 'case': output 'a': cosine"
    )
    for lie in (bad, case_of({}, {}), case_of({"a": RAMP}, {})):
        assert gate([good, lie.model_copy(update={"passed": True})])[0] is False
    assert gate([good.model_copy(update={"passed": False})]) == (
        False,
        "1 of 1 cases failed; case 'case' is marked as failed",
    )


def test_a_failure_quotes_the_worst_case_and_its_worst_output():
    small = {"a": RAMP + 0.1, "b": RAMP}
    large = {"a": RAMP + 0.2, "b": RAMP + 0.3}
    other = case_of({"a": RAMP, "b": RAMP}, {"a": RAMP, "b": RAMP[:1]})
    cases = [case_of({"a": RAMP, "b": RAMP}, found) for found in (small, large, small)]
    cases = [
        case.model_copy(update={"label": name}) for case, name in zip(cases, "xyz", strict=True)
    ]
    passed, told = gate(cases)
    assert not passed
    assert told.startswith("3 of 3 cases failed; case 'y': output 'b': ")
    assert "max_abs 0.3" in told
    # What could not be compared at all is worse than any number; of equals the first is told.
    assert "shape differs" in gate([*cases, other])[1]
    assert "case 'x'" in gate([cases[0], cases[2]])[1]


def test_weak_passes_are_named():
    for tensor, reason in (
        (np.ones((0, 2), np.float32), WEAK_EMPTY),
        (np.full(3, NAN), WEAK_NAN),
        (np.full(3, 0.5), WEAK_CONSTANT),
        (np.zeros(3, np.int64), WEAK_CONSTANT),
        (np.array([0.0, 9e-6]), WEAK_SMALL),
        (np.array(0.0), WEAK_SMALL),
        (np.array([0.0, 1e-5]), WEAK_SMALL),
        (np.array([0.0, 1.1e-5]), ""),
        (np.array([0.0, INF]), ""),
        (np.array([0, 1]), ""),
        (np.array([5.0]), ""),
        (np.array([5]), ""),
        (np.array(0), ""),
        (RAMP, ""),
    ):
        result = check(tensor, tensor.copy())
        assert (result.passed, result.reason) == (True, reason), tensor


def test_warnings():
    strong, flat = {"y": RAMP}, {"y": np.ones((3, 4), np.float32)}
    tiny = {"y": np.array([0.0, 1e-7])}
    cases = {
        name: case_of(v, v) for name, v in (("strong", strong), ("flat", flat), ("tiny", tiny))
    }
    assert doubts([]) == []
    assert doubts([cases["strong"]]) == []
    assert doubts([cases["flat"], cases["strong"]]) == []
    assert doubts([cases["flat"], cases["flat"]]) == [
        "every reference output is constant: this comparison proves little"
    ]
    assert doubts([cases["flat"], cases["tiny"]]) == [
        "every reference output is empty, constant, NaN, infinite or within atol of zero: "
        "this comparison proves little"
    ]
    both = {"y": RAMP, "z": flat["y"]}
    assert doubts([case_of(both, both)]) == [
        "output 'z' proves little in every case: weak: the reference is constant"
    ]
    # A failure is not a weak pass.
    assert doubts([case_of(flat, strong)]) == []


def test_constant_integers_are_a_doubt_only_alone():
    shape = {"shape": np.full(2, 8), "flag": np.array([True, True])}
    assert doubts([case_of(shape, shape)]) == [
        "every reference output is constant: this comparison proves little"
    ]
    both = {"y": RAMP, **shape}
    assert doubts([case_of(both, both)]) == []


def test_zeros_against_almost_zeros_are_a_doubt():
    zeros = {"y": np.zeros((2, 3), np.float32)}
    case = case_of(zeros, {"y": zeros["y"] + np.float32(1e-6)})
    assert case.passed
    assert doubts([case, case])


def test_nothing_but_nan_or_emptiness_in_every_case_fails():
    nan, empty = np.full((2, 3), NAN, np.float32), np.ones((0, 6), np.float32)
    for odd, words in ((nan, "output 'y' is NaN everywhere"), (empty, "'y' is empty")):
        case = case_of({"y": odd, "z": RAMP}, {"y": odd, "z": RAMP})
        assert case.passed
        assert words in vacuous([case, case])
        assert gate([case, case]) == (False, vacuous([case, case]))
        once = case_of({"y": RAMP, "z": RAMP}, {"y": RAMP, "z": RAMP})
        assert gate([case, once])[0] is True
        # A failure is the reason then, not this.
        failed = case_of({"y": odd, "z": RAMP}, {"y": odd, "z": RAMP + 1})
        assert vacuous([case, failed]) == ""
        assert "output 'z'" in gate([case, failed])[1]


def test_overrides_are_for_floats_only():
    reference = {"p": RAMP, "half": RAMP.astype(np.float16), "ids": np.arange(9)}
    candidate = {"p": RAMP + 1, "half": reference["half"] + np.float16(1), "ids": np.arange(9) + 2}
    case = compare_case("case", {}, 0, reference, candidate, limits=Limits(atol=2.0))
    # All +1 leaves the direction of a ramp; what fails is the integers alone.
    passed = {output.name: output.passed for output in case.outputs}
    assert passed["ids"] is False
    base = default_tolerance("float16")
    (only,) = case_of({"y": reference["half"]}, {"y": candidate["half"]}).outputs
    assert not only.passed
    near = reference["half"] + np.float16(0.05)
    assert base.atol < 0.05 < base.atol + base.rtol * 12
    mixed = compare_case(
        "case", {}, 0, {"p": RAMP, "h": reference["half"]}, {"p": RAMP, "h": near}, None
    )
    assert mixed.passed
    strict = compare_output("h", reference["half"], near, limits=Limits(atol=0.0, rtol=0.0))
    assert not strict.passed
    with pytest.raises(InputError, match="not a tolerance"):
        compare_output("h", RAMP, RAMP, limits=Limits(atol=-1.0))


def test_warnings_about_nan():
    holed = RAMP.copy()
    holed[0, 0] = NAN
    case = case_of({"y": holed}, {"y": holed})
    assert case.passed
    assert warnings([case, case]) == ["output 'y': 1 of 12 reference elements are NaN"]


@given(hnp.arrays("float32", (2, 3, 2), elements=st.floats(-1e6, 1e6, width=32)))
def test_facts_are_symmetric(pair):
    one, other = check(*pair), check(*pair[::-1])
    assert (one.max_abs, one.cosine) == (other.max_abs, other.cosine)


def test_comparisons_survive_json():
    holed = np.array([NAN, INF, 1.0])
    case = case_of({"a": holed, "b": RAMP}, {"a": -holed})
    again = CaseComparison.model_validate_json(case.model_dump_json())
    assert again.model_dump_json() == case.model_dump_json()
    assert isinstance(again.outputs[0], OutputComparison)
    assert math.isnan(again.outputs[1].max_abs)


class TestRandomOutputs:
    """Two draws of one distribution share shape, dtype and range, and nothing else."""

    def compare(self, reference, candidate):
        return compare_output("y", reference, candidate, None, random=True)

    def test_another_draw_passes_weakly(self):
        draws = [np.random.default_rng(seed).uniform(size=(50, 4)) for seed in (0, 1)]
        found = self.compare(*(draw.astype("float32") for draw in draws))
        assert found.passed
        assert found.reason.startswith("weak")
        assert found.passing_atol is None

    def test_another_scale_fails(self):
        draw = np.random.default_rng(0).uniform(size=(50, 4)).astype("float32")
        found = self.compare(draw, draw * 10)
        assert not found.passed
        assert "range over" in found.reason

    def test_a_constant_instead_of_the_constant_fails(self):
        found = self.compare(np.ones(64, "float32"), np.zeros(64, "float32"))
        assert not found.passed

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_nan_or_inf_on_one_side_fails(self, bad):
        draw = np.random.default_rng(0).uniform(size=8).astype("float32")
        broken = draw.copy()
        broken[3] = bad
        assert not self.compare(draw, broken).passed

    def test_another_dtype_or_shape_fails(self):
        draw = np.random.default_rng(0).uniform(size=8).astype("float32")
        assert not self.compare(draw, draw.astype("float64")).passed
        assert not self.compare(draw, draw[:4]).passed

    def test_nan_everywhere_in_place_of_nan_somewhere_fails(self):
        draw = np.random.default_rng(0).uniform(-1, 1, size=64).astype("float32")
        draw[3] = np.nan
        assert self.compare(draw, draw[::-1].copy()).passed
        for pair in ((draw, np.full_like(draw, np.nan)), (np.full_like(draw, np.nan), draw)):
            found = self.compare(*pair)
            assert not found.passed
            assert "everywhere on one side" in found.reason

    def test_no_draws_at_all_are_nothing_compared(self):
        empty = {"y": np.zeros((0, 4), "float32")}
        case = compare_case("case", {}, 0, empty, empty, random=("y",))
        assert case.passed
        assert gate([case]) == (False, vacuous([case]))
        assert "empty in every case" in vacuous([case])


def test_other_widths_are_compared_by_value_where_they_may_be():
    """A cast to the reference's dtype would make 70000 the infinity that float16 has there."""
    half = np.array([1.0, INF], np.float16)
    for candidate, passed in (
        (np.array([1.0, 70000.0], np.float32), False),
        (np.array([1.0, INF], np.float32), True),
        (np.array([1.0, INF], np.float64), True),
        (np.array([1.5, INF], np.float64), False),
    ):
        found = compare_case("case", {}, 0, {"y": half}, {"y": candidate}, any_width=True)
        assert found.passed is passed
        assert not compare_case("case", {}, 0, {"y": half}, {"y": candidate}).passed
    narrow = compare_case(
        "case", {}, 0, {"y": RAMP}, {"y": RAMP.astype(np.float16)}, any_width=True
    )
    assert narrow.passed
    for other in (RAMP.astype(np.int32), RAMP.astype(np.longdouble), RAMP.astype("U8")):
        found = compare_case("case", {}, 0, {"y": RAMP}, {"y": other}, any_width=True)
        assert not found.passed
    whole = np.arange(3, dtype=np.int64)
    (only,) = compare_case(
        "case", {}, 0, {"y": whole}, {"y": whole.astype(np.int32)}, any_width=True
    ).outputs
    assert only.reason == "dtype is int32, expected int64"
    assert not compare_case("case", {}, 0, {}, {"y": RAMP}, any_width=True).passed
    assert not compare_case("case", {}, 0, {"y": RAMP}, {}, any_width=True).passed


@pytest.mark.parametrize("candidate", [None, np.zeros(3, "float32"), np.array(["a", "b"])])
def test_a_tolerance_that_is_none_is_told_even_where_nothing_can_be_compared(candidate):
    with pytest.raises(InputError, match="not a tolerance"):
        compare_output("y", np.zeros(2, "float32"), candidate, limits=Limits(atol=math.nan))


def test_the_case_with_the_largest_difference_is_quoted():
    def case(label, **by):
        reference = dict.fromkeys(by, RAMP)
        candidate = {name: RAMP + np.float32(more) for name, more in by.items()}
        return compare_case(label, {}, 0, reference, candidate)

    told = gate([case("first", y=1, z=10), case("second", y=5, z=5)])[1]
    assert "case 'first': output 'z'" in told
