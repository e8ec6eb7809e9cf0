"""Plans: which shapes and kinds; and the arrays drawn for them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.accuracy.gate import compare_case, gate
from converter.accuracy.inputs import InputCase, alternatives, make_inputs, narrower, plan_cases
from converter.accuracy.inputs.cases import LARGEST_ALTERNATIVE
from converter.accuracy.inputs.shapes import PIXEL_BUDGET
from converter.accuracy.inputs.values import INTEGER_LIMIT
from converter.errors import InputError, InternalError
from converter.model.tensor import ShapeHint, TensorSpec


def spec(name, *shape, dtype="float32"):
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def hint(low, best, high):
    return ShapeHint(min=low, opt=best, max=high)


IMAGE = spec("x", "batch", 3, "height", "width")
LINE = spec("x", "batch", 3, 48, "width")
DETECTOR = {"x": hint((1, 3, 32, 32), (1, 3, 736, 736), (1, 3, 4000, 4000))}
RECOGNISER = {"x": hint((1, 3, 48, 160), (1, 3, 48, 320), (8, 3, 48, 3200))}
YOLO = (
    spec("im_shape", "batch", 2),
    spec("image", "batch", 3, 320, 640),
    spec("scale_factor", "batch", 2),
)


def shapes(cases, name="x"):
    return [case.shapes[name] for case in cases]


def kinds_by_shape(cases):
    found = {}
    for case in cases:
        found.setdefault(tuple(case.shapes.items()), set()).add(case.kind)
    return found


def test_static_image():
    cases = plan_cases((spec("x", 1, 3, 224, 224),), {}, None)
    assert shapes(cases) == [(1, 3, 224, 224)] * 3
    assert [case.kind for case in cases] == ["text", "wide", "uniform"]
    assert [case.seed for case in cases] == [0, 1, 2]


def test_static_vector():
    cases = plan_cases((spec("x", 2, 10),), {}, None, seed=5)
    assert [case.kind for case in cases] == ["uniform", "wide", "uniform"]
    assert [case.seed for case in cases] == [5, 6, 7]


@pytest.mark.parametrize(
    "hints", [{}, DETECTOR, {"x": hint((1, 3, 32, 32), (1, 3, 640, 480), (4, 3, 2000, 2000))}]
)
def test_dynamic_image(hints):
    cases = plan_cases((IMAGE,), hints, (-1.0, 1.0))
    (b1, _, h1, w1), (b2, _, h2, w2) = shapes(cases)[:2]
    assert h1 < w1
    assert h2 > w2
    assert (b1, b2) == (1, 2)
    assert all(extent % 32 == 0 for extent in (h1, w1, h2, w2))
    assert all(b * h * w <= PIXEL_BUDGET for b, _, h, w in shapes(cases))
    assert len(cases) == 4
    assert list(kinds_by_shape(cases).values()) == [{"text", "uniform"}] * 2


@pytest.mark.parametrize(
    ("inputs", "hints"), [((LINE,), RECOGNISER), ((IMAGE,), RECOGNISER), ((LINE,), {})]
)
def test_text_line(inputs, hints):
    cases = plan_cases(inputs, hints, None)
    assert {shape[:3] for shape in shapes(cases)} == {(1, 3, 48), (2, 3, 48)}
    widths = {shape[3] for shape in shapes(cases)}
    assert widths == ({320, 160} if hints else {480, 224})
    assert all(len(kinds) == 2 for kinds in kinds_by_shape(cases).values())


@pytest.mark.parametrize("largest_batch", [1, 8])
def test_pinned_hint_leaves_only_the_batch(largest_batch):
    pinned = {"x": hint((1, 3, 488, 488), (1, 3, 488, 488), (largest_batch, 3, 488, 488))}
    assert set(shapes(plan_cases((IMAGE,), pinned, None))) == {(1, 3, 488, 488), (2, 3, 488, 488)}


def test_sequences():
    inputs = (
        spec("ids", "batch", "length", dtype="int64"),
        spec("mask", "batch", "length", dtype="bool"),
        spec("features", "batch", "length", 8),
    )
    cases = plan_cases(inputs, {}, None)
    assert [case.shapes["features"] for case in cases[:2]] == [(1, 16, 8), (2, 7, 8)]
    for case in cases:
        assert case.shapes["ids"] == case.shapes["mask"] == case.shapes["features"][:2]
    # Tame values first on every shape: what Paddle refuses there is the shape.
    assert [case.kind for case in cases] == ["uniform", "uniform", "signed", "signed"]
    long = {"features": hint((1, 20, 8), (1, 30, 8), (4, 40, 8))}
    assert {case.shapes["ids"][1] for case in plan_cases(inputs, long, None)} == {20}


def test_other_ranks():
    assert shapes(plan_cases((spec("x", "n"),), {}, None)) == [(1,), (2,), (2,), (1,)]
    assert shapes(plan_cases((spec("x"),), {}, None)) == [()] * 3
    video = plan_cases((spec("x", "batch", "frames", 3, "height", "width"),), {}, None)
    assert video[0].shapes["x"][1] != video[1].shapes["x"][1]
    assert all(math.prod(shape) <= 3 * PIXEL_BUDGET for shape in shapes(video))
    channels_last = plan_cases((spec("x", "batch", "h", "w", 3, dtype="uint8"),), {}, None)
    assert channels_last[0].shapes["x"][1:] == (192, 288, 3)
    assert channels_last[0].kind == "text"
    assert plan_cases((spec("x", 1, "c", 64, 64),), {}, None)[0].shapes["x"] == (1, 3, 64, 64)


def test_a_shared_dim_takes_the_intersection_of_the_hints():
    inputs = (spec("a", "batch", 4), spec("b", "batch", 5))
    hints = {"a": hint((1, 4), (1, 4), (8, 4)), "b": hint((3, 5), (3, 5), (9, 5))}
    batches = {case.shapes["a"][0] for case in plan_cases(inputs, hints, None)}
    assert batches == {3}
    assert all(case.shapes["a"][0] == case.shapes["b"][0] for case in plan_cases(inputs, {}, None))


def test_hints_of_another_rank_are_ignored():
    wrong = {"x": hint((1, 3), (1, 3), (1, 3)), "gone": hint((1,), (1,), (1,))}
    assert plan_cases((IMAGE,), wrong, None) == plan_cases((IMAGE,), {}, None)


def test_no_inputs():
    (case,) = plan_cases((), {}, None)
    assert make_inputs(case, (), None) == {}
    assert list(alternatives(case)) == []


@given(st.lists(st.integers(1, 2000), min_size=6, max_size=6), st.integers(1, 6))
def test_dynamic_extents_stay_inside_the_hint(extents, batch):
    (h0, h1, h2), (w0, w1, w2) = sorted(extents[:3]), sorted(extents[3:])
    hints = {"x": hint((1, 3, h0, w0), (1, 3, h1, w1), (batch, 3, h2, w2))}
    cases = plan_cases((IMAGE,), hints, None)
    for b, _, h, w in shapes(cases):
        assert b in (1, 2)
        assert h0 <= h <= h2
        assert w0 <= w <= w2
    if h0 < h2 and w0 < w2:
        first, second = shapes(cases)[:2]
        assert first[2:] != second[2:] or h2 - h0 < 32 or w2 - w0 < 32


def test_explicit_shapes():
    one = plan_cases((IMAGE,), {}, None, shapes=[{"x": (1, 3, 48, 320)}])
    assert shapes(one) == [(1, 3, 48, 320)] * 3
    two = plan_cases((IMAGE,), {}, None, shapes=[{"x": (1, 3, 48, 320)}, {"x": (4, 3, 64, 64)}])
    assert list(kinds_by_shape(two).values()) == [{"text", "wide"}] * 2
    # What was asked for is not replaced by something else.
    assert list(alternatives(one[0])) == []
    yolo = plan_cases(YOLO, {}, None, shapes=[{"image": (5, 3, 320, 640)}])
    assert yolo[0].shapes == {"im_shape": (5, 2), "image": (5, 3, 320, 640), "scale_factor": (5, 2)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "empty list"),
        ([{"y": (1,)}], "no input named 'y'"),
        ([{"image": (1, 3, 320)}], "does not fit"),
        ([{"image": (1, 3, 320, 320)}], "320 where 640 is 640"),
        ([{"image": (0, 3, 320, 640)}], "does not fit"),
        ([{"im_shape": (0, 2)}], "does not fit"),
    ],
)
def test_wrong_explicit_shapes(wrong, message):
    with pytest.raises(InputError, match=message):
        plan_cases(YOLO, {}, None, shapes=wrong)


def test_explicit_shapes_must_agree_on_shared_dims_within_a_shape():
    with pytest.raises(InputError, match="5 where n is 4"):
        plan_cases((spec("x", "n", "n"),), {}, None, shapes=[{"x": (4, 5)}])


def test_explicit_shapes_must_agree_on_shared_dims_between_inputs():
    with pytest.raises(InputError, match="where batch is 2"):
        plan_cases(YOLO, {}, None, shapes=[{"image": (2, 3, 320, 640), "im_shape": (3, 2)}])


@pytest.mark.parametrize("wrong", [(0.0, 0.0), (1.0, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_wrong_value_range(wrong):
    with pytest.raises(InputError, match="value range"):
        plan_cases((IMAGE,), {}, wrong)
    case = plan_cases((IMAGE,), {}, None)[0]
    with pytest.raises(InputError, match="value range"):
        make_inputs(case, (IMAGE,), wrong)


def test_alternatives():
    case = plan_cases((IMAGE,), {"x": hint((1, 3, 50, 50), (2, 3, 50, 90), (8, 3, 60, 90))}, None)[
        1
    ]
    others = list(alternatives(case))
    found = [other.shapes["x"] for other in others]
    assert len(set(found)) == len(found)
    assert case.shapes["x"] not in found
    assert {(2, 3, 224, 224), (2, 3, 48, 320), (1, 3, 640, 640)} <= set(found)
    assert found[0][2] % 32 == found[0][3] % 32 == 0
    batches = [shape[0] for shape in found]
    assert batches == sorted(batches, reverse=True)
    assert all((other.kind, other.seed) == (case.kind, case.seed) for other in others)
    assert all(
        make_inputs(other, (IMAGE,), None)["x"].shape == other.shapes["x"] for other in others
    )


def test_alternatives_change_only_dynamic_dims():
    assert list(alternatives(plan_cases((spec("x", 1, 3, 50, 50),), {}, None)[0])) == []
    for other in alternatives(plan_cases((LINE,), RECOGNISER, None)[0]):
        assert other.shapes["x"][:3] == (1, 3, 48)
    tokens = plan_cases((spec("x", "batch", "length"),), {}, None)[0]
    assert {other.shapes["x"] for other in alternatives(tokens)} >= {(1, 32), (1, 128)}


def test_alternatives_stay_affordable():
    video = spec("x", "batch", "frames", 3, "height", "width")
    found = list(alternatives(plan_cases((video,), {}, None)[0]))
    assert found
    assert all(math.prod(case.shapes["x"]) <= LARGEST_ALTERNATIVE for case in found)


def test_cases_are_light_and_survive_json():
    for case in plan_cases(YOLO, {}, None):
        assert InputCase.model_validate_json(case.model_dump_json()) == case
    labels = [case.label for case in plan_cases((IMAGE,), {}, None)]
    assert labels[0] == "text x=1x3x192x288 seed 0"
    assert len(set(labels)) == 4


@pytest.mark.parametrize("value_range", [None, (-1.0, 1.0), (-2.1, 2.6), (0.0, 255.0)])
def test_values_are_deterministic_and_in_range(value_range):
    low, high = value_range or (0.0, 1.0)
    cases = plan_cases((LINE,), RECOGNISER, value_range)
    for case in cases:
        once, again = (make_inputs(case, (LINE,), value_range)["x"] for _ in range(2))
        assert np.array_equal(once, again)
        assert once.dtype == np.float32
        assert once.shape == case.shapes["x"]
        if case.kind == "wide":
            assert value_range is None
            continue
        assert low <= once.min() < once.max() <= high + 1e-6
        assert np.ptp(once) > 0.5 * (high - low)
    first, last = (make_inputs(cases[i], (LINE,), value_range)["x"] for i in (0, 3))
    assert not np.array_equal(first, last)


def test_values_do_not_depend_on_the_order_of_inputs():
    inputs = (spec("a", 4), spec("b", 4))
    case = plan_cases(inputs, {}, None)[0]
    one, other = make_inputs(case, inputs, None), make_inputs(case, inputs[::-1], None)
    assert list(one) == ["a", "b"]
    assert all(np.array_equal(one[name], other[name]) for name in "ab")
    assert not np.array_equal(one["a"], one["b"])


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "bfloat16", "int8", "int64", "uint8", "bool"]
)
def test_dtypes(dtype):
    tensor = spec("x", 2, 50, dtype=dtype)
    values = make_inputs(plan_cases((tensor,), {}, None)[0], (tensor,), None)["x"]
    assert values.dtype.name == dtype
    assert len(set(values.ravel().tolist())) >= 2
    assert values.min() >= 0
    assert values.max() <= (INTEGER_LIMIT - 1 if "int" in dtype else 1)


@pytest.mark.parametrize(
    "inputs", [(IMAGE,), (spec("x", 2, 10),), (spec("x", "batch", "length", 8),), (spec("x", 2),)]
)
def test_without_a_known_range_every_shape_gets_wide_and_tame_values(inputs):
    found = {}
    for case in plan_cases(inputs, {}, None):
        values = make_inputs(case, inputs, None)["x"]
        found.setdefault(values.shape, []).append((values.min(), values.max()))
    for extremes in found.values():
        assert any(low < -5 and high > 5 for low, high in extremes)
        assert any(low >= 0 and high <= 1 for low, high in extremes)


def test_most_wide_values_are_moderate():
    tensor = spec("x", 1, 4096)
    case = plan_cases((tensor,), {}, None)[1]
    size = np.abs(make_inputs(case, (tensor,), None)["x"])
    assert case.kind == "wide"
    assert 0.9 < (size <= 3).mean() < 0.99
    assert (size > 5).sum() >= 64
    assert size.max() <= 10


def test_a_clip_at_the_wrong_bounds_fails_the_gate():
    """What paddle2onnx makes of ``hardtanh(x, -2, 3)``: the two agree on all of [0, 1)."""
    tensor = spec("x", "batch", 16)
    cases = []
    for case in plan_cases((tensor,), {}, None):
        x = make_inputs(case, (tensor,), None)["x"]
        outputs = ({"y": np.clip(x, -2, 3)}, {"y": np.clip(x, -1, 1)})
        cases.append(compare_case(case.label, case.shapes, case.seed, *outputs, None))
    assert {case.input_shapes["x"] for case in cases if case.passed} == {(1, 16), (2, 16)}
    assert {case.input_shapes["x"] for case in cases if not case.passed} == {(1, 16), (2, 16)}
    assert gate(cases)[0] is False


def test_the_range_of_images_is_not_that_of_other_inputs():
    inputs = (IMAGE, spec("features", "batch", 64), spec("scale_factor", "batch", 2))
    cases = plan_cases(inputs, {}, (0.0, 1.0))
    assert next(iter(kinds_by_shape(cases).values())) == {"text", "wide"}
    for case in cases:
        values = make_inputs(case, inputs, (0.0, 1.0))
        assert 0 <= values["x"].min() < values["x"].max() <= 1
        assert (values["features"].min() < -5) == (case.kind == "wide")
    assert {case.kind for case in plan_cases(inputs[::2], {}, (0.0, 1.0))} == {"text", "uniform"}


def test_signed_integers_and_what_to_fall_back_to():
    inputs = (spec("ids", 1, 100, dtype="int64"), spec("x", 1, 100), spec("b", 9, dtype="uint8"))
    case = plan_cases(inputs, {}, None)[1]
    ladder = [case, *narrower(case)]
    assert [each.kind for each in ladder] == ["signed", "wide", "uniform"]
    lows = [{n: v.min() for n, v in make_inputs(each, inputs, None).items()} for each in ladder]
    assert [low["ids"] < 0 for low in lows] == [True, False, False]
    assert [low["x"] < 0 for low in lows] == [True, True, False]
    assert all(low["b"] >= 0 for low in lows)
    assert [each.shapes for each in ladder] == [case.shapes] * 3
    limited = list(narrower(case, inputs))[2:]
    assert [each.kind for each in limited] == ["positive", "binary", "zero"]
    drawn = [make_inputs(each, inputs, None) for each in limited]
    for name in ("ids", "b"):
        assert [sorted({*each[name].flat})[::7] for each in drawn] == [[1], [0], [0]], name
        assert [each[name].max() <= high for each, high in zip(drawn, (7, 1, 0), strict=True)]
    assert all(0 < each["x"].max() < 1 for each in drawn)
    # Without integers there is nothing to limit.
    assert [each.kind for each in narrower(case, inputs[1:2])] == ["wide", "uniform"]
    assert len({each.label for each in ladder}) == 3


def test_bytes_of_an_image_use_the_whole_range():
    tensor = spec("x", 1, 64, 64, 3, dtype="uint8")
    case = plan_cases((tensor,), {}, None)[1]
    assert case.kind == "uniform"
    assert make_inputs(case, (tensor,), None)["x"].max() > 200


@pytest.mark.parametrize("dtype", ["complex64", "string", "object"])
def test_dtypes_that_cannot_be_drawn(dtype):
    tensor = spec("x", 2, dtype=dtype)
    case = plan_cases((tensor,), {}, None)[0]
    with pytest.raises(InputError, match="cannot draw"):
        make_inputs(case, (tensor,), None)


def test_a_case_for_another_model_is_refused():
    case = plan_cases((IMAGE,), {}, None)[0]
    with pytest.raises(InternalError, match="has no y"):
        make_inputs(case, (spec("y", 1),), None)


def test_zero_dimensional_input():
    tensor = spec("x")
    values = make_inputs(plan_cases((tensor,), {}, None)[0], (tensor,), None)["x"]
    assert isinstance(values, np.ndarray)
    assert (values.shape, values.dtype) == ((), np.float32)


@pytest.mark.parametrize(
    ("tensor", "axis"),
    [
        (spec("x", 2, 3, 320, 256), 1),
        (spec("x", 2, 1, 64, 256), 1),
        (spec("x", 2, 320, 256, 3), 3),
        (spec("x", 2, 48, 320, 1, dtype="uint8"), 3),
        (spec("x", 2, 3, 8, 8), 1),
        (spec("x", 2, 3, 1, 1), 1),
    ],
)
def test_text_pages(tensor, axis):
    case = plan_cases((tensor,), {}, None)[0]
    assert case.kind == "text"
    pages = make_inputs(case, (tensor,), None)["x"]
    assert pages.shape == case.shapes["x"]
    assert not np.array_equal(pages[0], pages[1])
    if math.prod(pages.shape) > 1000:
        white = 255 if tensor.dtype == "uint8" else 1
        grey = pages.astype(float).mean(axis=axis) / white
        # Mostly paper, with some ink.
        assert np.median(grey) > 0.8
        assert 0.03 < (grey < 0.5).mean() < 0.5


def test_detection_inputs_describe_the_image():
    for case in plan_cases(YOLO, {}, (-2.0, 2.0)):
        values = make_inputs(case, YOLO, (-2.0, 2.0))
        batch = case.shapes["image"][0]
        assert values["im_shape"].tolist() == [[320.0, 640.0]] * batch
        scale = [1.0, 1.0] if case.kind == "text" else [0.5, 0.75]
        assert values["scale_factor"].tolist() == [scale] * batch
        assert values["im_shape"].dtype == np.float32
    assert {case.shapes["image"][0] for case in plan_cases(YOLO, {}, None)} == {1, 2}


def test_im_shape_without_an_image_is_an_ordinary_input():
    tensor = spec("im_shape", 1, 2)
    values = make_inputs(plan_cases((tensor,), {}, None)[0], (tensor,), None)["im_shape"]
    assert values.max() <= 1


def test_a_small_square_hint_still_gives_landscape_and_portrait():
    small = {"x": hint((1, 3, 32, 32), (1, 3, 32, 32), (8, 3, 4096, 4096))}
    assert [shape[2:] for shape in shapes(plan_cases((IMAGE,), small, None))[:2]] == [
        (32, 64),
        (64, 32),
    ]


def test_one_dynamic_side():
    column = spec("x", "batch", 3, "height", 64)
    assert shapes(plan_cases((column,), {}, None))[:2] == [(1, 3, 320, 64), (2, 3, 160, 64)]
    giant = spec("x", "batch", 3, 4096, "width")
    assert shapes(plan_cases((giant,), {}, None))[:2] == [(1, 3, 4096, 32), (2, 3, 4096, 64)]


def test_a_range_too_narrow_for_two_multiples_of_32_still_gives_two_shapes():
    narrow = {"x": hint((1, 3, 100, 100), (1, 3, 100, 100), (1, 3, 110, 110))}
    assert set(shapes(plan_cases((IMAGE,), narrow, None))) == {(1, 3, 100, 110), (2, 3, 110, 100)}
    wider = {"x": hint((1, 3, 320, 64), (1, 3, 320, 64), (1, 3, 330, 64))}
    assert set(shapes(plan_cases((IMAGE,), wider, None))) == {(1, 3, 320, 64), (2, 3, 330, 64)}


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8])
def test_text_in_any_number_of_channels(channels):
    image = spec("x", "batch", "channels", "height", "width")
    shape = (2, channels, 8, 9)
    case = plan_cases((image,), {"x": hint(shape, shape, shape)}, None)[0]
    assert case.kind == "text"
    drawn = make_inputs(case, (image,), None)["x"]
    assert drawn.shape == shape
    assert drawn.std() > 0
