"""AIPP files: the chip's arithmetic gives what PaddleX's normalisation gives."""

from __future__ import annotations

import re

import numpy as np
import pytest

from converter.atc.aipp import image_input, write_aipp
from converter.errors import InputError
from converter.model.normalisation import Normalisation
from converter.model.tensor import TensorSpec

IMAGENET = Normalisation(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
REC = Normalisation(1 / 255, (0.5,), (0.5,))
PLAIN = Normalisation(1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
RAW = Normalisation(1.0, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def read(text: str) -> dict[str, str]:
    return dict(re.findall(r"^    (\w+): (\S+)$", text, re.MULTILINE))


def aipp(image: np.ndarray, text: str) -> np.ndarray:
    """What the manual says AIPP computes of an NHWC image, as NCHW; parameters as on the chip."""
    values = read(text)
    channels = image[..., ::-1] if values["rbuv_swap_switch"] == "true" else image
    planes = []
    for channel in range(3):
        mean = np.uint8(values[f"mean_chn_{channel}"])
        least, factor = (
            np.float16(float(values[f"{name}_chn_{channel}"])) for name in ("min", "var_reci")
        )
        difference = channels[..., channel].astype(np.float64) - float(mean) - float(least)
        planes.append(difference * float(factor))
    return np.stack(planes, axis=1)


@pytest.mark.parametrize("how", [IMAGENET, REC, PLAIN, RAW])
@pytest.mark.parametrize(("fed", "wanted"), [("RGB", "RGB"), ("BGR", "RGB"), ("RGB", "BGR")])
def test_it_is_the_models_own_normalisation(how, fed, wanted):
    rgb = np.arange(256 * 3, dtype=np.uint16).reshape(1, 16, 16, 3).astype(np.uint8)
    rgb[..., 2] = 255 - rgb[..., 2]
    text = write_aipp(how, fed=fed, wanted=wanted, place=0, size=(16, 16))

    made = aipp(rgb if fed == "RGB" else rgb[..., ::-1], text)

    ordered = rgb if wanted == "RGB" else rgb[..., ::-1]
    mean, std = (np.broadcast_to(value, 3) for value in (how.mean, how.std))
    expected = ((ordered * how.scale - mean) / std).transpose(0, 3, 1, 2)
    # float16 has 11 bits: the factor is off by 2^-11 of itself, the offset by 2^-12 pixels.
    factor = (how.scale / std).max()
    bound = 2**-11 * np.abs(expected).max() + 2**-12 * factor + 1e-9
    assert np.abs(made - expected).max() <= bound


def test_the_file():
    text = write_aipp(IMAGENET, fed="BGR", wanted="RGB", place=1, size=(640, 480))
    values = read(text)
    assert values["aipp_mode"] == "static"
    assert values["input_format"] == "RGB888_U8"
    assert (values["src_image_size_w"], values["src_image_size_h"]) == ("480", "640")
    assert values["related_input_rank"] == "1"
    assert values["rbuv_swap_switch"] == "true"
    assert [values[f"mean_chn_{c}"] for c in range(3)] == ["123", "116", "103"]
    assert [float(values[f"min_chn_{c}"]) for c in range(3)] == pytest.approx([0.675, 0.28, 0.53])
    assert float(values["var_reci_chn_0"]) == pytest.approx(1 / 58.395)
    assert text.count("{") == text.count("}") == 1
    open_size = read(write_aipp(REC, fed="RGB", wanted="RGB", place=0, size=None))
    assert (open_size["src_image_size_w"], open_size["src_image_size_h"]) == ("0", "0")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (None, "does not say how"),
        (Normalisation(1 / 255, (0.5, 0.5), (0.5, 0.5)), "2 channels"),
        (Normalisation(1 / 255, (-0.5,), (0.5,)), "cannot subtract -127.5"),
        (Normalisation(1 / 255, (1.5,), (0.5,)), "cannot subtract 382.5"),
        (Normalisation(1.0, (0.0,), (1e-6,)), "multiply by 1e"),
        (Normalisation(0.0, (0.5,), (0.5,)), "cannot subtract inf"),
    ],
)
def test_what_aipp_cannot_compute(how, words):
    with pytest.raises(InputError, match=words) as refused:
        write_aipp(how, fed="RGB", wanted="RGB", place=0, size=(8, 8))
    assert refused.value.hint


def test_which_input_is_the_image():
    image = TensorSpec(name="image", dtype="float32", shape=("batch", 3, 640, 640))
    pair = TensorSpec(name="im_shape", dtype="float32", shape=("batch", 2))
    grey = TensorSpec(name="x", dtype="float32", shape=("batch", 1, 768, 768))
    assert image_input((pair, image)) == (1, image)
    for inputs in ((pair,), (grey,), (image, image)):
        with pytest.raises(InputError, match="one input must be an image"):
            image_input(inputs)
