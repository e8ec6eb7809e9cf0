"""Metrics against exact rational arithmetic, and at the edges of every dtype."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converter.accuracy import metrics
from converter.errors import InternalError

INF, NAN = math.inf, math.nan
INTEGERS = ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def max_rel(reference: np.ndarray, candidate: np.ndarray) -> float:
    return metrics.percentiles(reference, candidate, metrics.relative, (1.0,))[0]


METRICS = [metrics.max_abs, max_rel, metrics.scaled, metrics.relative_l2]


def pairs(dtype, *, elements=None, min_side=0):
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=min_side, max_side=5)
    return shapes.flatmap(
        lambda shape: st.tuples(*[hnp.arrays(dtype, shape, elements=elements) for _ in range(2)])
    )


def finite(width):
    return st.floats(allow_nan=False, allow_infinity=False, width=width)


def exact(tensor):
    return [Fraction(v) for v in tensor.ravel().tolist()]


def as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return INF


def root(value: Fraction) -> Fraction:
    """Square root to 200 bits beyond the value's own size."""
    if value == 0:
        return Fraction(0)
    shift = 400 + 2 * max(0, value.denominator.bit_length() - value.numerator.bit_length())
    return Fraction(math.isqrt((value.numerator << shift) // value.denominator), 1 << (shift // 2))


@given(
    st.sampled_from(["float16", "float32", "float64"]).flatmap(
        lambda d: pairs(d, elements=finite(int(d[5:])))
    )
)
def test_float_metrics_agree_with_exact_fractions(pair):
    reference, candidate = pair
    b, a = exact(reference), exact(candidate)
    difference = [abs(x - y) for x, y in zip(a, b, strict=True)]
    worst, highest = max(difference, default=Fraction(0)), max(map(abs, b), default=Fraction(0))
    close = pytest.approx(as_float(worst), rel=1e-15, abs=0)
    assert metrics.max_abs(reference, candidate) == close
    assert metrics.peak(reference) == as_float(highest)
    tiny = Fraction(float(np.finfo(reference.dtype).tiny))
    rel = max((d / max(abs(y), tiny) for d, y in zip(difference, b, strict=True)), default=0)
    if not math.isinf(metrics.max_abs(reference, candidate)):
        # abs: where |b| or the quotient is denormal the last bits are not there.
        near = {"rel": 1e-12, "abs": 1e-300}
        assert max_rel(reference, candidate) == pytest.approx(as_float(Fraction(rel)), **near)
        quotient = 0.0 if not worst else as_float(worst / highest) if highest else INF
        assert metrics.scaled(reference, candidate) == pytest.approx(quotient, **near)
        norm_d = root(sum((d * d for d in difference), Fraction(0)))
        norm_b = root(sum((y * y for y in b), Fraction(0)))
        l2 = 0.0 if not norm_d else as_float(norm_d / norm_b) if norm_b else INF
        assert metrics.relative_l2(reference, candidate) == pytest.approx(l2, **near)


@given(
    st.sampled_from([32, 64]).flatmap(lambda w: pairs(f"float{w}", elements=finite(w), min_side=1))
)
def test_cosine_agrees_with_exact_fractions(pair):
    b, a = exact(pair[0]), exact(pair[1])
    if not any(a) or not any(b):
        expected = 1.0 if any(a) == any(b) else 0.0
    else:
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        # (a.b)^2 / (|a|^2 |b|^2) is an exact fraction; only its root is rounded.
        square = dot * dot / (sum(x * x for x in a) * sum(y * y for y in b))
        expected = float(root(square)) * (1 if dot > 0 else -1)
    assert metrics.cosine(*pair) == pytest.approx(expected, abs=1e-12)


@given(st.sampled_from(INTEGERS).flatmap(pairs))
def test_integer_differences_are_exact(pair):
    b, a = ([int(v) for v in tensor.ravel()] for tensor in pair)
    difference = [abs(x - y) for x, y in zip(a, b, strict=True)]
    assert metrics.max_abs(*pair) == float(max(difference, default=0))
    assert metrics.scaled(*pair) == pytest.approx(
        0.0 if not any(difference) else max(difference) / max(map(abs, b)) if any(b) else INF
    )
    rel = max((d / max(1, abs(y)) for d, y in zip(difference, b, strict=True)), default=0)
    assert max_rel(*pair) == pytest.approx(rel)


@given(
    st.tuples(st.sampled_from(INTEGERS), st.sampled_from(INTEGERS)).flatmap(
        lambda d: st.tuples(*[hnp.arrays(each, 4) for each in d])
    )
)
def test_integers_of_different_types(pair):
    b, a = ([int(v) for v in tensor] for tensor in pair)
    expected = max(abs(x - y) for x, y in zip(a, b, strict=True))
    assert metrics.max_abs(*pair) == pytest.approx(expected, rel=1e-15)


def test_int64_extremes_and_neighbours_beyond_2_to_the_53():
    low, high = np.array([-(2**63)]), np.array([2**63 - 1])
    assert metrics.max_abs(low, high) == float(2**64 - 1) == metrics.max_abs(high, low)
    assert metrics.max_abs(high, high - 1) == 1.0
    huge = np.array([2**64 - 1], np.uint64)
    assert metrics.max_abs(huge, huge - np.uint64(1)) == 1.0
    assert metrics.max_abs(huge, np.array([-1])) == 2.0**64
    assert metrics.peak(low) == 2.0**63


def test_bools():
    b, a = np.array([True, False, True]), np.array([True, True, True])
    assert metrics.max_abs(b, b) == 0.0
    assert metrics.max_abs(b, a) == 1.0
    assert metrics.cosine(b, a) == pytest.approx(2 / math.sqrt(6))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", BFLOAT16])
@pytest.mark.parametrize(
    ("b", "a", "expected"),
    [
        (INF, INF, 0.0),
        (-INF, -INF, 0.0),
        (INF, -INF, INF),
        (INF, 1.0, INF),
        (1.0, -INF, INF),
        (0.0, INF, INF),
        (NAN, NAN, 0.0),
        (NAN, 1.0, NAN),
        (1.0, NAN, NAN),
        (INF, NAN, NAN),
        (0.0, -0.0, 0.0),
    ],
)
def test_non_finite_differences(dtype, b, a, expected):
    reference, candidate = np.array([1.0, b], dtype), np.array([1.0, a], dtype)
    for metric in METRICS:
        assert metric(reference, candidate) == pytest.approx(expected, nan_ok=True), metric
    same = expected == 0.0
    cosine = metrics.cosine(reference, candidate)
    assert cosine == pytest.approx(1.0) if same else math.isnan(cosine)
    assert metrics.pattern_mismatch(reference, candidate) == ((0, -1) if same else (1, 1))
    assert metrics.worst_index(reference, candidate) == (0 if same else 1)


def test_nan_is_not_hidden_by_a_later_infinity_or_number():
    reference = np.zeros(2 * metrics.CHUNK + 1, np.float32)
    candidate = reference.copy()
    candidate[[0, -1]] = NAN, INF
    for metric in METRICS:
        assert math.isnan(metric(reference, candidate))
    assert metrics.worst_index(reference, candidate) == 0
    assert metrics.pattern_mismatch(reference, candidate) == (2, 0)
    candidate[[0, -1]] = INF, NAN
    assert metrics.worst_index(reference, candidate) == len(candidate) - 1
    assert math.isnan(metrics.max_abs(reference, candidate))


@pytest.mark.parametrize("size", [metrics.CHUNK + d for d in (-1, 0, 1)] + [2 * metrics.CHUNK + 5])
def test_chunk_boundaries(size):
    generator = np.random.default_rng(0)
    b, a = (generator.standard_normal(size).astype(np.float32) for _ in range(2))
    a[-1] = 1e3
    x, y = a.astype(np.longdouble), b.astype(np.longdouble)
    near = {"rel": 1e-12}
    assert metrics.max_abs(b, a) == pytest.approx(float(abs(x - y).max()), **near)
    l2 = np.sqrt(((x - y) ** 2).sum() / (y**2).sum())
    assert metrics.relative_l2(b, a) == pytest.approx(float(l2), **near)
    cosine = (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())
    assert metrics.cosine(b, a) == pytest.approx(float(cosine), **near)
    assert metrics.rms(b) == pytest.approx(float(np.sqrt((y**2).mean())), **near)
    assert metrics.worst_index(b, a) == size - 1
    a[-2:] = NAN, -INF
    assert (metrics.count_nan(a), metrics.count_inf(a)) == (1, 1)
    assert metrics.pattern_mismatch(b, a) == (2, size - 2)


def test_denormals_and_huge_values_do_not_vanish():
    tiny = np.array([5e-324, 1e-323])
    assert metrics.cosine(tiny, tiny) == 1.0
    assert metrics.cosine(tiny, -tiny) == -1.0
    assert metrics.relative_l2(tiny, 2 * tiny) == pytest.approx(1.0)
    assert metrics.max_abs(tiny, 0 * tiny) == 1e-323
    assert metrics.scaled(tiny, 0 * tiny) == 1.0
    huge = np.array([1.7e308, 1.2e308])
    assert metrics.cosine(huge, huge / 2) == pytest.approx(1.0)
    assert metrics.relative_l2(huge, huge / 2) == pytest.approx(0.5)
    assert metrics.max_abs(huge, -huge) == INF
    small = np.array([2.0**-149], np.float32)
    assert metrics.max_abs(small, np.zeros(1, np.float32)) == 2.0**-149


def test_zero_vectors():
    zero, one = np.zeros(3), np.ones(3)
    assert metrics.cosine(zero, zero) == 1.0
    assert metrics.cosine(zero, one) == 0.0 == metrics.cosine(one, zero)
    assert metrics.scaled(zero, one) == INF == metrics.relative_l2(zero, one)
    assert metrics.relative_l2(one, zero) == 1.0
    assert max_rel(zero, zero) == 0.0


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3)])
def test_empty(shape):
    empty = np.empty(shape, np.float32)
    assert [metric(empty, empty) for metric in METRICS] == [0.0] * 4
    assert metrics.cosine(empty, empty) == 1.0
    assert metrics.argmax_agreement(empty, empty) is None
    assert metrics.worst_index(empty, empty) == -1
    assert (metrics.peak(empty), metrics.rms(empty)) == (0.0, 0.0)
    assert metrics.is_constant(empty)


def test_zero_dimensional():
    assert metrics.max_abs(np.array(2.0), np.array(-1.0)) == 3.0
    assert metrics.cosine(np.array(2.0), np.array(-1.0)) == -1.0
    assert metrics.worst_index(np.array(2.0), np.array(-1.0)) == 0
    assert metrics.is_constant(np.array(2.0))


@given(hnp.arrays("float32", hnp.array_shapes(max_dims=3), elements=finite(32)))
def test_a_tensor_is_exactly_itself(tensor):
    assert metrics.cosine(tensor, tensor.copy()) == 1.0
    assert [metric(tensor, tensor.copy()) for metric in METRICS] == [0.0] * 4


@given(pairs("float32", elements=finite(32), min_side=1))
def test_difference_and_cosine_are_symmetric(pair):
    b, a = pair
    assert metrics.max_abs(b, a) == metrics.max_abs(a, b)
    assert metrics.cosine(b, a) == metrics.cosine(a, b)


@pytest.mark.parametrize("dtype", ["float16", BFLOAT16])
def test_half_types_are_compared_in_float64(dtype):
    b, a = np.array([1.0, 2.0, 60000.0], dtype), np.array([1.0, 2.5, -60000.0], dtype)
    size = float(b[2])
    assert metrics.max_abs(b, a) == 2 * size
    assert max_rel(b, a) == 2.0
    assert metrics.scaled(b, a) == 2.0
    assert metrics.is_comparable(b.dtype)


def test_max_rel_floors_the_denominator_per_dtype():
    for dtype, tiny in (("float32", 2.0**-126), ("float16", 2.0**-14), (BFLOAT16, 2.0**-126)):
        assert max_rel(np.zeros(1, dtype), np.ones(1, dtype)) == 1 / tiny
    assert max_rel(np.zeros(1, np.int32), np.full(1, 5, np.int32)) == 5.0


def test_argmax_agreement():
    b = np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5], [0.3, 0.7]], np.float32)
    a = np.array([[0.2, 0.8], [0.1, 0.9], [0.4, 0.6], [0.3, 0.7]], np.float32)
    assert metrics.argmax_agreement(b, a) == 0.75  # row 1 is wrong, row 2 a tie in the reference
    assert metrics.argmax_agreement(a, b) == 0.5  # not a tie in this reference
    assert metrics.argmax_agreement(b.reshape(2, 2, 2), a.reshape(2, 2, 2)) == 0.75
    for other in (b[0], b[:, :1], b.reshape(1, 2, 2, 2), b.astype(np.int64), np.array(1.0)):
        assert metrics.argmax_agreement(other, other) is None


def test_argmax_agreement_with_nan_and_over_chunks():
    b = np.array([[1.0, NAN], [1.0, NAN]])
    assert metrics.argmax_agreement(b, np.array([[1.0, NAN], [NAN, 1.0]])) == 0.5
    rows = metrics.CHUNK // 3 + 10
    b = np.random.default_rng(0).random((rows, 3))
    a = b.copy()
    a[-1] = -a[-1]
    assert metrics.argmax_agreement(b, a) == (rows - 1) / rows


def test_non_contiguous_tensors():
    b = np.arange(24.0).reshape(4, 6)
    a = b.copy()
    a[3, 1] = 100.0
    assert metrics.max_abs(b.T, a.T) == 81.0
    assert metrics.worst_index(b.T, a.T) == 1 * 4 + 3
    assert metrics.max_abs(b[::-2, ::3], a[::-2, ::3]) == 0.0
    assert metrics.argmax_agreement(b[:, ::-1], a[:, ::-1]) == 0.75


def test_is_constant():
    assert metrics.is_constant(np.full((3, 3), NAN))
    assert not metrics.is_constant(np.array([NAN, 1.0]))
    assert not metrics.is_constant(np.array([1.0, NAN]))
    assert metrics.is_constant(np.full(5, 7))
    late = np.zeros(metrics.CHUNK + 2, np.float32)
    assert metrics.is_constant(late)
    late[-1] = 1
    assert not metrics.is_constant(late)


def test_shapes_are_never_broadcast():
    for metric in (*METRICS, metrics.cosine, metrics.argmax_agreement, metrics.pattern_mismatch):
        with pytest.raises(InternalError):
            metric(np.zeros((3, 1)), np.zeros((3, 2)))


def test_comparable_dtypes():
    assert all(
        metrics.is_comparable(np.dtype(d)) for d in [*INTEGERS, "bool", "float16", "float64"]
    )
    for name in ("complex64", "object", "U3", "S3", "datetime64[s]"):
        assert not metrics.is_comparable(np.dtype(name))
    if np.dtype(np.longdouble).itemsize > 8:
        assert not metrics.is_comparable(np.dtype(np.longdouble))


def test_memory_is_bounded():
    b = np.ones(64 * metrics.CHUNK, np.float16)
    a = b.copy()
    tracemalloc.start()
    for metric in (*METRICS, metrics.cosine, metrics.pattern_mismatch, metrics.argmax_agreement):
        metric(b.reshape(1, -1), a.reshape(1, -1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * metrics.CHUNK * 8 < b.size * 2


def test_mixed_dtypes_are_compared_by_value():
    assert metrics.max_abs(np.array([1, 2]), np.array([1.5, 2.0])) == 0.5
    assert metrics.max_abs(np.array([1.5, 2.0]), np.array([1, 2])) == 0.5
    half, brain = np.array([1.0, NAN], np.float16), np.array([1.5, NAN], BFLOAT16)
    assert metrics.max_abs(half, brain) == 0.5
    assert metrics.pattern_mismatch(half, brain) == (0, -1)


def test_the_first_of_equally_bad_elements_is_named():
    b = np.zeros(3 * metrics.CHUNK, np.float32)
    a = b.copy()
    a[[5, metrics.CHUNK + 5, -1]] = 1.0
    assert metrics.worst_index(b, a) == 5
