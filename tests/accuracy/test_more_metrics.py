"""Means, percentiles, SNR, ULP, exact matches and classes, against other ways to compute them."""

from __future__ import annotations

import math
import struct
import tracemalloc
from fractions import Fraction
from statistics import fmean

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converter.accuracy import metrics
from converter.accuracy.measure import measure
from converter.accuracy.metrics import selection

NAN, INF = math.nan, math.inf
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = [np.dtype(name) for name in ("float16", "float32", "float64")]
SHARES = (0.01, 0.5, 0.99, 1.0)

#: Any two tensors of one float dtype and shape, denormals and huge values among them, or integers.
pairs = st.one_of(
    st.sampled_from([*FLOATS, np.dtype("int32"), np.dtype("uint8"), np.dtype("bool")]),
).flatmap(
    lambda dtype: hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6).flatmap(
        lambda shape: st.tuples(*2 * [hnp.arrays(dtype, shape, elements=finite(dtype))])
    )
)


def finite(dtype: np.dtype) -> st.SearchStrategy:
    if dtype.kind != "f":
        return hnp.from_dtype(dtype)
    return hnp.from_dtype(dtype, allow_nan=False, allow_infinity=False)


def exact(tensor: np.ndarray) -> list[Fraction]:
    return [Fraction(value.item()) for value in tensor.reshape(-1)]


def differences(reference: np.ndarray, candidate: np.ndarray) -> list[Fraction]:
    return [abs(x - y) for x, y in zip(exact(reference), exact(candidate), strict=True)]


def to_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return INF


def max_ulp(reference: np.ndarray, candidate: np.ndarray) -> float | None:
    found = metrics.ulp_percentiles(reference, candidate, (1.0,))
    return found and found[0]


def p99_ulp(reference: np.ndarray, candidate: np.ndarray) -> float | None:
    found = metrics.ulp_percentiles(reference, candidate, (0.99,))
    return found and found[0]


@given(pairs)
def test_means_and_percentiles(pair: tuple[np.ndarray, np.ndarray]) -> None:
    apart = sorted(differences(*pair))
    found = metrics.percentiles(*pair, metrics.difference, SHARES)
    if not apart:
        assert found == (0.0, 0.0, 0.0, 0.0)
        assert metrics.mean_abs(*pair) == metrics.mean_rel(*pair) == 0.0
        return
    assert found == pytest.approx([to_float(apart[-(-len(apart) * int(100 * s) // 100) - 1])
                                   for s in SHARES], rel=1e-15)  # fmt: skip
    if not math.isinf(to_float(apart[-1])):
        mean = to_float(sum(apart, Fraction()) / len(apart))
        assert metrics.mean_abs(*pair) == pytest.approx(mean, rel=1e-12, abs=1e-320)


@given(pairs)
def test_mean_of_relative_differences(pair: tuple[np.ndarray, np.ndarray]) -> None:
    dtype = pair[0].dtype
    tiny = Fraction(float(np.finfo(dtype).tiny)) if dtype.kind == "f" else Fraction(1)
    ratios = [
        to_float(apart / max(abs(b), tiny))
        for apart, b in zip(differences(*pair), exact(pair[0]), strict=True)
    ]
    absolute = [to_float(apart) for apart in differences(*pair)]
    if any(map(math.isinf, ratios + absolute)):
        return
    mean = fmean(r / max(ratios) for r in ratios) * max(ratios) if any(ratios) else 0.0
    assert metrics.mean_rel(*pair) == pytest.approx(mean, rel=1e-9)


@given(pairs)
def test_selection_by_digits_is_sorting(pair: tuple[np.ndarray, np.ndarray]) -> None:
    kept, selection_limit = metrics.percentiles(*pair, metrics.relative, SHARES), selection.KEPT
    selection.KEPT = 0
    try:
        assert metrics.percentiles(*pair, metrics.relative, SHARES) == kept
    finally:
        selection.KEPT = selection_limit


def test_percentiles_with_nan_and_infinity(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (selection.KEPT, 0):
        monkeypatch.setattr(selection, "KEPT", limit)
        b = np.array([1.0, 2.0, 3.0, 4.0])
        assert metrics.percentiles(
            b, b + np.array([0, 1, INF, 2]), metrics.difference, (0.5, 0.75, 1)
        ) == (
            1.0,
            2.0,
            INF,
        )
        odd = metrics.percentiles(b, b + np.array([0, 1, NAN, 2]), metrics.difference, (0.25, 1))
        assert all(map(math.isnan, odd))


def test_percentiles_of_a_negative_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "KEPT", 0)
    found = metrics.percentiles(
        np.zeros(3), np.zeros(3), lambda b, a: np.array([-0.0, 1.0, 0.0]), (0.5, 1.0)
    )
    assert found == (0.0, 1.0)
    assert math.copysign(1, found[0]) == 1


@given(pairs)
def test_snr_is_the_ratio_of_powers(pair: tuple[np.ndarray, np.ndarray]) -> None:
    noise = sum((d * d for d in differences(*pair)), Fraction())
    signal = sum((b * b for b in exact(pair[0])), Fraction())
    found = metrics.snr_db(metrics.relative_l2(*pair))
    if math.isinf(metrics.max_abs(*pair)):
        assert found == -INF
    elif noise == 0:
        assert found == INF
    elif signal == 0 or math.isinf(metrics.relative_l2(*pair)):
        assert found == -INF
    else:
        ratio = signal / noise
        digits = math.log10(ratio.numerator) - math.log10(ratio.denominator)
        assert found == pytest.approx(10 * digits, rel=1e-6, abs=1e-6)


def index_of(value: np.ndarray) -> int:
    """How many floats of its dtype lie between 0 and the value, with the value's sign."""
    if value.dtype == BFLOAT16:
        bits = struct.unpack(">I", struct.pack(">f", float(value)))[0] >> 16
        size = 16
    else:
        code = {2: ">e", 4: ">f", 8: ">d"}[value.dtype.itemsize]
        size = 8 * value.dtype.itemsize
        bits = int.from_bytes(struct.pack(code, value.item()), "big")
    magnitude = bits & ~(1 << (size - 1))
    return -magnitude if bits >> (size - 1) else magnitude


@given(st.sampled_from([*FLOATS, BFLOAT16]).flatmap(
    lambda dtype: st.tuples(*2 * [st.lists(st.floats(allow_nan=False, allow_infinity=False,
    width=16), min_size=3, max_size=3).map(lambda v: np.array(v, dtype))])
))  # fmt: skip
def test_ulps_count_the_floats_in_between(pair: tuple[np.ndarray, np.ndarray]) -> None:
    apart = [abs(index_of(x) - index_of(y)) for x, y in zip(*pair, strict=True)]
    assert max_ulp(*pair) == float(max(apart))
    assert p99_ulp(*pair) == float(max(apart))


@pytest.mark.parametrize("dtype", [*FLOATS, BFLOAT16], ids=str)
def test_neighbours_are_one_ulp_apart(dtype: np.dtype) -> None:
    kind = dtype.type
    finfo = ml_dtypes.finfo(dtype)
    for value in (kind(0), kind(1), kind(-1), finfo.smallest_subnormal, finfo.tiny, finfo.max):
        b = np.array([value], dtype)
        a = np.nextafter(b, np.array([-INF], dtype))
        assert max_ulp(b, a) == 1.0 == max_ulp(a, b), value
    assert max_ulp(np.array([0.0], dtype), np.array([-0.0], dtype)) == 0.0


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_ulps_do_not_depend_on_the_byte_order(dtype: np.dtype) -> None:
    b = np.array([1.0, -2.0, 0.5], dtype)
    a = np.nextafter(b, np.array(4.0, dtype))
    other = dtype.newbyteorder("S")
    assert max_ulp(b.astype(other), a.astype(other)) == max_ulp(b, a) == 1.0


def test_ulps_of_what_is_no_number() -> None:
    def ulp(b: float, a: float) -> float | None:
        return max_ulp(np.array([b]), np.array([a]))

    assert ulp(INF, INF) == ulp(NAN, NAN) == ulp(NAN, -NAN) == 0.0
    assert ulp(INF, 1.0) == ulp(1.0, -INF) == ulp(INF, -INF) == INF
    assert math.isnan(ulp(NAN, 1.0) or 0)
    assert math.isnan(ulp(1.0, NAN) or 0)
    assert max_ulp(np.zeros(0), np.zeros(0)) == 0.0
    assert max_ulp(np.array(1.0), np.array(1.0)) == 0.0
    assert max_ulp(np.float64([-1.0]), np.float64([1.0])) == 2.0 * index_of(np.float64(1))


def test_one_percent_of_the_distances_may_exceed_p99() -> None:
    b = np.ones(200, np.float32)
    for count, expected in ((2, 0.0), (3, 4.0)):
        a = b.copy()
        a[-count:] += np.float32(4 * 2.0**-23)
        assert (p99_ulp(b, a), max_ulp(b, a)) == (expected, 4.0)


def test_ulps_need_floats_of_one_dtype() -> None:
    ones = np.ones(3)
    for b, a in ((ones.astype(int), ones.astype(int)), (ones, ones.astype("float32"))):
        assert max_ulp(b, a) is p99_ulp(b, a) is None


@given(pairs)
def test_exact_match(pair: tuple[np.ndarray, np.ndarray]) -> None:
    equal = [x == y for x, y in zip(exact(pair[0]), exact(pair[1]), strict=True)]
    expected = Fraction(sum(equal), len(equal)) if equal else None
    found = metrics.exact_match(*pair)
    assert found == (expected if expected is None else pytest.approx(float(expected), abs=1e-15))


def test_exact_match_of_nan_and_zeros() -> None:
    b, a = np.array([NAN, 0.0, INF, 1.0]), np.array([NAN, -0.0, INF, NAN])
    assert metrics.exact_match(b, a) == 0.75
    assert metrics.exact_match(np.array([True, False]), np.array([True, True])) == 0.5
    top = np.array([2**63 - 1])
    assert metrics.exact_match(top, top - 1) == 0.0


def share_of(b: np.ndarray, a: np.ndarray, k: int) -> float:
    """By sorting whole rows with Python."""
    right = total = 0
    for x, y in zip(b.reshape(-1, b.shape[-1]), a.reshape(-1, a.shape[-1]), strict=True):
        chosen = sorted(range(len(y)), key=lambda i: (-y[i], i))[:k]
        least = sorted(x.tolist(), reverse=True)[k - 1]
        right += sum(x[i] >= least for i in chosen)
        total += k
    return right / total


@given(
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=9).flatmap(
        lambda shape: st.tuples(
            *2 * [hnp.arrays("float32", shape, elements=st.integers(-4, 4).map(float))]
        )
    ),
    st.integers(1, 5),
)
def test_top_classes(pair: tuple[np.ndarray, np.ndarray], k: int) -> None:
    found = metrics.top_agreement(*pair, k)
    if pair[0].shape[-1] <= k:
        assert found is None
    else:
        assert found == pytest.approx(share_of(*pair, k))


def test_top_classes_with_what_is_no_number() -> None:
    b = np.array([[NAN, 3, 2, 1, 0, -1, -2]])
    assert metrics.top_agreement(b, b, 5) == 1.0
    low = np.array([[-INF, -INF, -INF, 1, -INF, -INF, -INF]])
    assert metrics.top_agreement(low, low, 5) == 1.0
    assert metrics.top_agreement(np.zeros((2, 7), int), np.zeros((2, 7), int), 5) is None
    assert metrics.top_agreement(np.zeros((0, 7)), np.zeros((0, 7)), 5) is None
    assert metrics.top_agreement(np.zeros((1, 2, 3, 7)), np.zeros((1, 2, 3, 7)), 5) is None


def test_top_classes_of_many_rows() -> None:
    rows = 3 * metrics.CHUNK // 8 + 1
    b = np.tile(np.arange(8.0), (rows, 1))
    a = b.copy()
    a[-1] = -a[-1]
    # The candidate's best five of the last row are the worst: two of them are among the best five.
    assert metrics.top_agreement(b, a, 5) == pytest.approx(1 - 3 / (5 * rows))


def test_memory_is_bounded() -> None:
    """8 Mi elements: as float64 they would be 64 MiB, and no metric needs a third of that."""
    count = 1 << 23
    b = np.zeros((count // 64, 64), np.float16)
    a = b.copy()
    a[1::3] = 1
    assert b.size == 4 * selection.KEPT
    tracemalloc.start()
    try:
        facts = measure("y", b, a)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 << 20
    assert (facts.p50_abs, facts.p99_abs, facts.max_abs) == (0.0, 1.0, 1.0)
    assert facts.mean_abs == pytest.approx(1 / 3, rel=1e-4)
    assert facts.exact_match == pytest.approx(2 / 3, rel=1e-4)
