"""Each step gives what PaddleX's own classes give, to the last bit, on images of odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.preprocess import lines, pixels, resizes
from converter.accuracy.preprocess.picture import Picture
from converter.model.normalisation import Normalisation

pytest.importorskip("cv2", reason="needs the paddlex extra")
pytest.importorskip("paddlex", reason="needs the paddlex extra")

SIZES = [(1, 1), (7, 201), (48, 320), (51, 333), (97, 4111), (333, 255), (641, 479), (1201, 37)]


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def picture(request) -> Picture:
    drawn = np.random.default_rng(request.param).integers(0, 256, (*request.param, 3), np.uint8)
    return Picture(drawn, request.param)


def same(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(3, 48, 320), (3, 32, 100)], ids=str)
def test_lines_for_recognition(picture, shape):
    from paddlex.inference.models.text_recognition.processors import OCRReisizeNormImg

    theirs = OCRReisizeNormImg(rec_image_shape=list(shape))([picture.pixels])[0]

    same(lines.recognition(picture, {"image_shape": shape}).pixels, theirs)


@pytest.mark.parametrize("name", ["PP-OCRv5_mobile_det", "PP-OCRv4_server_seal_det", None])
@pytest.mark.parametrize(
    "options",
    [
        {"resize_long": 960},
        {"resize_long": 352, "limit_type": "resize_long"},
        {"limit_type": "max"},
        {},
        {"image_shape": [96, 160]},
        {"image_shape": [96, 160], "keep_ratio": True},
    ],
    ids=str,
)
def test_pages_for_text_detection(picture, options, name):
    from paddlex.inference.models.text_detection import predictor
    from paddlex.inference.models.text_detection.processors import DetResizeForTest

    if options.get("keep_ratio") and picture.pixels.shape[1] > 40 * picture.pixels.shape[0]:
        pytest.skip("an image of this form would become too wide")
    limit, kind = predictor._get_text_det_resize_defaults(name, options)
    rest = {key: value for key, value in options.items() if key != "limit_type"}
    step = DetResizeForTest(limit_side_len=limit, limit_type=kind, **rest)
    theirs, shapes = step([picture.pixels])

    ours = resizes.text_detection(picture, options, name)

    same(ours.pixels, theirs[0])
    if sum(picture.size) >= 64:
        np.testing.assert_allclose(ours.scale, shapes[0][2:], rtol=1e-15)


@pytest.mark.parametrize("order", ["hwc", ""])
def test_normalised_for_text_detection(picture, order):
    from paddlex.inference.models.text_detection.processors import NormalizeImage

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    theirs = NormalizeImage(mean=mean, std=std, scale="1./255.", order=order)([picture.pixels])[0]

    same(pixels.normalise(picture, Normalisation(1 / 255, mean, std)).pixels, theirs)


def test_normalised_for_classification(picture):
    from paddlex.inference.models.common.vision import Normalize

    theirs = Normalize(scale=1 / 255, mean=0.5, std=0.25)([picture.pixels])[0]

    same(pixels.normalise(picture, Normalisation(1 / 255, (0.5,), (0.25,))).pixels, theirs)


def test_shortest_side_and_crop_for_classification(picture):
    from paddlex.inference.models.common.vision import ResizeByShort, ToCHWImage
    from paddlex.inference.models.image_classification.processors import Crop

    if max(picture.size) > 40 * min(picture.size):
        pytest.skip("an image of this form would become too wide")
    theirs = ResizeByShort(target_short_edge=64)([picture.pixels])
    theirs = ToCHWImage()(Crop(crop_size=[56, 40])(theirs))[0]

    ours = resizes.classification(picture, {"resize_short": 64})
    ours = pixels.channels_first(pixels.crop(ours, {"size": [56, 40]}))

    same(ours.pixels, theirs)
    assert ours.size == (40, 56)


def test_a_size_for_classification_is_width_first(picture):
    from paddlex.inference.models.common.vision import Resize

    theirs = Resize(target_size=[160, 80])([picture.pixels])[0]

    same(resizes.classification(picture, {"size": [160, 80]}).pixels, theirs)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("interp", [1, 2])
def test_detection_sizes_and_scale_factors(picture, keep, interp):
    from paddlex.inference.models.object_detection.processors import Resize, ToBatch

    if keep and max(picture.size) > 40 * min(picture.size):
        pytest.skip("the short side would vanish")
    step = Resize([161, 97], keep_ratio=keep, interp={1: "LINEAR", 2: "BICUBIC"}[interp])
    data = step([{"img": picture.pixels}])
    size, scale = ToBatch(("img_size", "scale_factors"))(data)

    options = {"target_size": [97, 161], "keep_ratio": keep, "interp": interp}
    ours = resizes.detection(picture, options)

    same(ours.pixels, data[0]["img"])
    same(np.array([ours.size], np.float32), size)
    same(np.array([ours.scale], np.float32), scale)


def test_padding_for_detection(picture):
    from paddlex.inference.models.object_detection.processors import DetPad, PadStride

    if max(picture.size) > 700:
        pytest.skip("larger than what it is padded to")
    fill = [114.0, 1.5, 0.0]
    theirs = DetPad(size=[700, 720], fill_value=fill)([{"img": picture.pixels}])[0]["img"]
    same(pixels.pad(picture, {"size": [700, 720], "fill_value": fill}).pixels, theirs)

    turned = pixels.channels_first(picture)
    theirs = PadStride(32)([{"img": turned.pixels}])[0]["img"]
    same(pixels.pad_to_stride(turned, {"stride": 32}).pixels, theirs)
