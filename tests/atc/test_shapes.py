"""Where the static shape of an OM input comes from."""

from __future__ import annotations

import pytest

from converter.atc.shapes import format_input_shape, static_shapes
from converter.errors import InputError
from converter.model.tensor import ShapeHint, TensorSpec

X = TensorSpec(name="x", dtype="float32", shape=("batch", 3, "height", "width"))
FIXED = TensorSpec(name="scale_factor", dtype="float32", shape=(1, 2))
HINT = ShapeHint(min=(1, 3, 32, 32), opt=(1, 3, 736, 736), max=(1, 3, 4000, 4000))


def test_asked_wins_over_the_hint_and_the_hint_over_nothing():
    assert static_shapes((X,), {"x": (1, 3, 48, 320)}, {"x": HINT}) == {"x": (1, 3, 48, 320)}
    assert static_shapes((X,), {}, {"x": HINT}) == {"x": (1, 3, 736, 736)}
    assert static_shapes((FIXED,), {}, {}) == {"scale_factor": (1, 2)}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "no static shape for input x"),
        ({"y": (1,)}, "'y', which is not an input"),
        ({"x": (1, 3, 48)}, "does not fit"),
        ({"x": (1, 4, 48, 320)}, "does not fit"),
        ({"x": (1, 3, -1, 320)}, "does not fit"),
        ({"x": (0, 3, 48, 320)}, "does not fit"),
    ],
)
def test_what_is_missing_or_wrong_is_said(asked, words):
    with pytest.raises(InputError, match=words) as refused:
        static_shapes((X,), asked, {})
    assert refused.value.hint


def test_input_shape_text():
    shapes = {"im_shape": (1, 2), "image": (1, 3, 640, 640), "s": ()}
    assert format_input_shape(shapes) == "im_shape:1,2;image:1,3,640,640;s:"
