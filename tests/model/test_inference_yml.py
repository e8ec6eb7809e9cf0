from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.errors import InputError
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.normalisation import parse_fraction
from tests.model.builders import flipped

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
IMAGENET_RANGE = (-0.485 / 0.229, (1 - 0.406) / 0.225)

DETECTOR = """\
Global:
  model_name: PP-OCRv5_mobile_det
Hpi:
  backend_configs:
    paddle_infer:
      trt_dynamic_shapes: &id001
        x:
        - [1, 3, 32, 32]
        - [1, 3, 736, 736]
        - [1, 3, 4000, 4000]
    tensorrt:
      dynamic_shapes: *id001
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - DetLabelEncode: null
  - DetResizeForTest: {resize_long: 960}
  - NormalizeImage:
      mean: [0.485, 0.456, 0.406]
      order: hwc
      scale: 1./255.
      std: [0.229, 0.224, 0.225]
  - ToCHWImage: null
PostProcess:
  name: DBPostProcess
"""


def read(tmp_path: Path, content: Any) -> InferenceYml:
    path = tmp_path / "inference.yml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        path.write_text(text, encoding="utf-8")
    return read_inference_yml(path)


def steps(*transform_ops: Any) -> dict[str, Any]:
    return {"PreProcess": {"transform_ops": list(transform_ops)}}


def fails(tmp_path: Path, content: Any, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    for word in ("inference.yml", *words):
        assert word in caught.value.message
    assert caught.value.hint


def test_a_detector_as_paddlex_writes_it(tmp_path: Path) -> None:
    yml = read(tmp_path, DETECTOR)
    assert yml.model_name == "PP-OCRv5_mobile_det"
    assert yml.role == "text_detection"
    assert yml.shape_hints["x"].min == (1, 3, 32, 32)
    assert yml.shape_hints["x"].opt == (1, 3, 736, 736)
    assert yml.shape_hints["x"].max == (1, 3, 4000, 4000)
    assert yml.value_range == pytest.approx(IMAGENET_RANGE)
    assert yml.input_size is None


def test_a_recogniser(tmp_path: Path) -> None:
    yml = read(
        tmp_path,
        {
            **steps({"RecResizeImg": {"image_shape": [3, 48, 320]}}),
            "PostProcess": {"name": "CTCLabelDecode", "character_dict": ["你", "NO", "1"]},
        },
    )
    assert (yml.role, yml.value_range, yml.input_size) == (
        "text_recognition",
        (-1.0, 1.0),
        (48, 320),
    )


def test_an_angle_classifier_of_before_paddlex(tmp_path: Path) -> None:
    yml = read(tmp_path, steps({"ClsResizeImg": {"image_shape": [3, 48, 192]}}))
    assert (yml.value_range, yml.input_size) == ((-1.0, 1.0), (48, 192))


@pytest.mark.parametrize(
    ("ops", "size"),
    [
        ([{"ResizeImage": {"size": [160, 80]}}], (80, 160)),  # [width, height]
        ([{"ResizeImage": {"resize_short": 256}}, {"CropImage": {"size": 224}}], (224, 224)),
        ([{"ResizeImage": {"size": 256}}, {"CropImage": {"size": [224, 200]}}], (200, 224)),
        ([{"PaddingTableImage": {"size": [512, 512]}}], (512, 512)),
        ([{"DetResizeForTest": {"image_shape": [736, 1280]}}], (736, 1280)),
        ([{"ResizeImage": {"size": "big"}}, {"CropImage": None}], None),
        ([{"RecResizeImg": {"image_shape": [48]}}], None),
        ([{"ResizeImage": {"size": [-1, True]}}], None),
    ],
)
def test_input_sizes_are_height_and_width(
    tmp_path: Path, ops: list[Any], size: tuple[int, int] | None
) -> None:
    assert read(tmp_path, steps(*ops)).input_size == size


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({**IMAGENET, "scale": "1./255."}, IMAGENET_RANGE),
        ({**IMAGENET, "scale": 1 / 255}, IMAGENET_RANGE),
        ({}, IMAGENET_RANGE),
        ({"mean": [0.5], "std": [0.5], "scale": "1/255"}, (-1.0, 1.0)),
        ({"mean": [127.5] * 3, "std": [127.5] * 3, "scale": 1}, (-1.0, 1.0)),
        ({"mean": 0.0, "std": 1.0, "scale": "1/255"}, (0.0, 1.0)),
        ({"mean": [0, 0], "std": [1], "scale": 1}, None),
        ({"mean": [0], "std": [0], "scale": 1}, None),
        ({"mean": ["x"], "std": [1], "scale": 1}, None),
        ({**IMAGENET, "scale": "__import__('os')"}, None),
        ({**IMAGENET, "scale": "1/0"}, None),
    ],
)
def test_value_ranges(tmp_path: Path, options: Any, expected: tuple[float, float] | None) -> None:
    assert read(tmp_path, steps({"NormalizeImage": options})).value_range == (
        expected and pytest.approx(expected)
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mean": [0.0] * 3, "std": [1.0] * 3, "norm_type": "none"}, (0.0, 1.0)),
        ({**IMAGENET, "is_scale": True, "norm_type": "mean_std"}, IMAGENET_RANGE),
        ({"mean": [127.5], "std": [127.5], "is_scale": False}, (-1.0, 1.0)),
        ({**IMAGENET, "norm_type": "minmax"}, (0.0, 1.0)),
    ],
)
def test_detection_layout(tmp_path: Path, options: Any, expected: tuple[float, float]) -> None:
    yml = read(
        tmp_path,
        {
            "Preprocess": [
                {"type": "Resize", "target_size": [800, 608], "keep_ratio": False},
                {"type": "NormalizeImage", **options},
                {"type": "Permute"},
            ],
            "Global": {"model_name": "PP-DocLayout_plus-L"},
        },
    )
    assert yml.value_range == pytest.approx(expected)
    assert yml.input_size == (800, 608)
    assert yml.role == "layout_detection"


def test_segmentation_layout(tmp_path: Path) -> None:
    yml = read(
        tmp_path,
        {
            "Deploy": {
                "transforms": [{"type": "Resize", "target_size": [640, 480]}, {"type": "Normalize"}]
            }
        },
    )
    assert yml.value_range == pytest.approx((-1.0, 1.0))
    assert yml.input_size == (480, 640)


def test_tensorrt_shapes_win_and_both_lists_are_read(tmp_path: Path) -> None:
    one, two = [[1, 2]] * 3, [[3, 4]] * 3
    configs = {
        "paddle_infer": {"trt_dynamic_shapes": {"a": one, "b": one}},
        "tensorrt": {"dynamic_shapes": {"a": two}},
    }
    hints = read(tmp_path, {"Hpi": {"backend_configs": configs}}).shape_hints
    assert {name: hint.min for name, hint in hints.items()} == {"a": (3, 4), "b": (1, 2)}


@pytest.mark.parametrize(
    "shapes",
    [7, [], [[1], [1]], [[1], [1], "x"], [[1], [1], [1, 2]], [[0], [1], [1]], [[1], [True], [1]]],
)
def test_bad_shape_hints(tmp_path: Path, shapes: Any) -> None:
    configs = {"tensorrt": {"dynamic_shapes": {"image": shapes}}}
    fails(tmp_path, {"Hpi": {"backend_configs": configs}}, "image", "positive integers")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"Global": None},
        {"Global": {"model_name": 7}, "Hpi": [], "PreProcess": "x", "PostProcess": None},
        {"PreProcess": {"transform_ops": [None, "x", {"NormalizeImage": None, 3: 4}]}},
        {"Preprocess": {"type": "Resize"}, "Deploy": {"transforms": 3}},
    ],
)
def test_missing_and_strange_keys_leave_facts_unknown(tmp_path: Path, content: Any) -> None:
    yml = read(tmp_path, content)
    assert yml.model_name is None
    assert yml.role is None
    assert yml.shape_hints == {}
    assert yml.input_size is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Global:\n  model_name: [unclosed\nHpi: }", ["not YAML", "line 3"]),
        ("a: b: c", ["not YAML", "line 1"]),
        ("- a\n- b\n", ["no keys"]),
        ("just text", ["no keys"]),
        ("# nothing\n", ["no keys"]),
        ("a: &x [*y]", ["not YAML"]),
        ("when: 2020-99-99", ["not YAML"]),
        ("a: !!python/object/apply:os.system ['true']", ["not YAML"]),
        ("a: !!int ''", ["not YAML"]),
        ("a: !!bool maybe", ["not YAML"]),
        ("[" * 200_000, ["not YAML", "nests deeper"]),
        ("- " * 100_000, ["not YAML", "nests deeper"]),
        (b"a: \xff\xfe", ["not YAML"]),
        (b"a: \x01", ["not YAML"]),
        (b"", ["empty"]),
        (b"version https://git-lfs.github.com/spec/v1\noid x\n", ["Git LFS"]),
    ],
)
def test_bad_files(tmp_path: Path, content: Any, words: list[str]) -> None:
    fails(tmp_path, content, *words)


def test_repeated_aliases_stay_cheap(tmp_path: Path) -> None:
    levels = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 20))
    bomb = f"l0: &l0 [x]\n{levels}\nPostProcess: {{Topk: {{label_list: *l19}}}}\n"
    assert read(tmp_path, f"{bomb}Preprocess: [{{type: *l19}}]\n").role is None


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        read_inference_yml(tmp_path / "inference.yml")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1./255.", 1 / 255),
        (" 1 / 255 ", 1 / 255),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("-2/4", -0.5),
        (3, 3.0),
        (0.25, 0.25),
        ("1/0", None),
        ("1/2/3", None),
        ("1+1", None),
        ("", None),
        ("1e999", None),
        (10**400, None),
        (float("nan"), None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_fractions(value: object, number: float | None) -> None:
    assert parse_fraction(value) == (number if number is None else pytest.approx(number))


@pytest.mark.parametrize("plausible", [False, True])
def test_flipped_bytes_never_escape(tmp_path: Path, plausible: bool) -> None:
    outcomes = {True: 0, False: 0}
    for changed in flipped(DETECTOR.encode(), 300, seed=6, plausible=plausible):
        try:
            outcomes[isinstance(read(tmp_path, changed), InferenceYml)] += 1
        except InputError as error:
            assert error.hint
            outcomes[False] += 1
    assert outcomes[True] > 0
    assert outcomes[False] > 0
