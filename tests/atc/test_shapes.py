"""Where the static shape of an OM input comes from."""

from __future__ import annotations

import pytest

from converter.atc.profiles import fixed
from converter.atc.shapes import Hints, known_shapes, static_shapes
from converter.errors import InputError
from converter.model.tensor import ShapeHint, TensorSpec

X = TensorSpec(name="x", dtype="float32", shape=("batch", 3, "height", "width"))
FIXED = TensorSpec(name="scale_factor", dtype="float32", shape=(1, 2))
HINT = ShapeHint(min=(1, 3, 32, 32), opt=(1, 3, 736, 736), max=(1, 3, 4000, 4000))
EVERYTHING = Hints(hpi={"x": HINT}, size=(48, 320), model_name="PP-OCRv4_mobile_det")


@pytest.mark.parametrize(
    ("asked", "hints", "shape", "source"),
    [
        ({"x": (1, 3, 48, 640)}, EVERYTHING, (1, 3, 48, 640), "asked"),
        ({}, EVERYTHING, (1, 3, 736, 736), "hpi"),
        (
            {},
            Hints(size=(48, 320), model_name="PP-OCRv4_mobile_det"),
            (1, 3, 48, 320),
            "preprocess",
        ),
        ({}, Hints(model_name="PP-OCRv4_mobile_det"), (1, 3, 640, 480), "known model"),
        ({}, Hints(model_name="korean_PP-OCRv5_mobile_rec"), (1, 3, 48, 320), "known model"),
    ],
)
def test_the_first_that_knows_a_shape_counts(asked, hints, shape, source):
    found = static_shapes((X,), asked, hints)
    assert (found.shapes, found.sources) == ({"x": shape}, {"x": source})


def test_static_and_almost_static_inputs():
    batch = TensorSpec(name="im_shape", dtype="float32", shape=("batch", 2))
    found = static_shapes((batch, FIXED), {})
    assert found.shapes == {"im_shape": (1, 2), "scale_factor": (1, 2)}
    assert found.sources == {"im_shape": "batch of 1", "scale_factor": "model"}


def test_the_size_of_the_preprocessing_is_only_an_images():
    vector = TensorSpec(name="v", dtype="float32", shape=("batch", "length"))
    with pytest.raises(InputError, match="no static shape for input v"):
        static_shapes((vector,), {}, Hints(size=(48, 320)))
    tall = TensorSpec(name="x", dtype="float32", shape=("batch", 3, 32, "width"))
    with pytest.raises(InputError, match="no static shape for input x"):
        static_shapes((tall,), {}, Hints(size=(48, 320)))


def test_a_known_model_whose_input_has_another_name():
    renamed = X.model_copy(update={"name": "input.1"})
    assert static_shapes((renamed,), {}, Hints(model_name="PP-OCRv4_server_rec")).shapes == {
        "input.1": (1, 3, 48, 320)
    }
    two = (renamed, renamed.model_copy(update={"name": "input.2"}))
    with pytest.raises(InputError, match="no static shape"):
        static_shapes(two, {}, Hints(model_name="PP-OCRv4_server_rec"))


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (
            "RT-DETR-L",
            {"im_shape": (1, 2), "image": (1, 3, 640, 640), "scale_factor": (1, 2)},
        ),
        ("PP-LCNet_x0_25_textline_ori", {"x": (1, 3, 80, 160)}),
        ("PP-FormulaNet_plus-L", {"x": (1, 1, 768, 768)}),
        ("UVDoc", {}),  # its input is the page as it is
        ("somebody's model", {}),
        (None, {}),
    ],
)
def test_the_table_of_known_models(name, shapes):
    assert known_shapes(name) == shapes


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "no static shape for input x"),
        ({"y": (1,)}, "'y', which is not an input"),
        ({"x": (1, 3, 48)}, "does not fit"),
        ({"x": (1, 4, 48, 320)}, "does not fit"),
        ({"x": (1, 3, -1, 320)}, "does not fit"),
        ({"x": (0, 3, 48, 320)}, "does not fit"),
        ({"x": (1, 3, 48, 10**18)}, "more elements than fit into any memory"),
    ],
)
def test_what_is_missing_or_wrong_is_said(asked, words):
    with pytest.raises(InputError, match=words) as refused:
        static_shapes((X,), asked)
    assert refused.value.hint


def test_input_shape_text():
    shapes = {"im_shape": (1, 2), "image": (1, 3, 640, 640), "s": ()}
    assert fixed(shapes).input_shape == "im_shape:1,2;image:1,3,640,640;s:"
