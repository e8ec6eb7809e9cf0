"""Which flag a list of shape profiles becomes."""

from __future__ import annotations

import pytest

from converter.atc.profiles import fixed, from_profiles
from converter.errors import InputError
from converter.model.tensor import TensorSpec


def image(height: int, width: int, batch: int = 1) -> dict[str, tuple[int, ...]]:
    return {"x": (batch, 3, height, width)}


def test_one_profile_is_static():
    assert from_profiles([image(48, 320)]).as_flags() == {"input_shape": "x:1,3,48,320"}


def test_ranges_and_scalars():
    assert fixed({"x": (-1, 3, (32, 640)), "s": ()}).input_shape == "x:-1,3,32~640;s:"


@pytest.mark.parametrize(
    ("profiles", "flags"),
    [
        (
            [image(48, 320, n) for n in (1, 2, 8)],
            {
                "input_shape": "x:-1,3,48,320",
                "input_format": "NCHW",
                "dynamic_batch_size": "1,2,8",
            },
        ),
        (
            [{"a": (n, 2), "b": (n, 3, 4, 4), "c": ()} for n in (1, 4)],
            {
                "input_shape": "a:-1,2;b:-1,3,4,4;c:",
                "input_format": "ND",
                "dynamic_batch_size": "1,4",
            },
        ),
        (
            [image(48, 320), image(48, 640)],
            {
                "input_shape": "x:1,3,-1,-1",
                "input_format": "NCHW",
                "dynamic_image_size": "48,320;48,640",
            },
        ),
        (
            [image(48, 320, 1), image(48, 640, 4)],
            {
                "input_shape": "x:-1,3,-1,-1",
                "input_format": "ND",
                "dynamic_dims": "1,48,320;4,48,640",
            },
        ),
        (
            [{"ids": (1, 16), "mask": (1, 16)}, {"ids": (1, 32), "mask": (1, 32)}],
            {
                "input_shape": "ids:1,-1;mask:1,-1",
                "input_format": "ND",
                "dynamic_dims": "16,16;32,32",
            },
        ),
        (
            [{"a": (1, 2), "b": (2, 2)}, {"a": (2, 2), "b": (4, 2)}],
            {"input_shape": "a:-1,2;b:-1,2", "input_format": "ND", "dynamic_dims": "1,2;2,4"},
        ),
    ],
)
def test_the_flag_is_chosen(profiles, flags):
    assert from_profiles(profiles).as_flags() == flags


def test_an_axis_that_the_model_fixes_stays():
    x = TensorSpec(name="x", dtype="float32", shape=("n", 3, 48, "w"))
    flags = from_profiles([image(48, 320), image(48, 640)], signature=(x,)).as_flags()
    assert flags == {"input_shape": "x:1,3,48,-1", "input_format": "ND", "dynamic_dims": "320;640"}


@pytest.mark.parametrize(
    ("profiles", "arguments", "words"),
    [
        ([], {}, "no shape profile"),
        ([image(1, 2), image(1, 2)], {}, "E10039"),
        ([image(1, 2), {"y": (1, 3, 1, 2)}], {}, "different inputs"),
        ([image(1, 2), {"x": (1, 3, 1)}], {}, "E10037"),
        ([image(1, 2, 1), image(2, 2, 2)], {"aipp": True}, "dynamic_dims.*E10001"),
        ([image(1, 2), image(1, 3)], {"wanted": "dynamic_batch_size"}, "E10018"),
        ([image(1, 2, 1), image(1, 2, 2)], {"wanted": "dynamic_image_size"}, "E10019"),
    ],
)
def test_profiles_that_cannot_be(profiles, arguments, words):
    with pytest.raises(InputError, match=words) as refused:
        from_profiles(profiles, **arguments)
    assert refused.value.hint
