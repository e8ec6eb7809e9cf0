"""Commands that others published, built from a signature, a soc_version and shapes."""

from __future__ import annotations

import shlex

import pytest

from converter.atc.command import AtcCommand
from converter.atc.model_facts import ModelFacts
from converter.atc.profiles import fixed, from_profiles
from converter.errors import InputError
from converter.model.tensor import TensorSpec
from tests.simulators import atc_simulator, atc_syntax

X = TensorSpec(name="x", dtype="float32", shape=("batch", 3, "height", "width"))
OCR = ModelFacts(inputs=(X,), outputs=("fetch_name_0",), opset=11)
RT_DETR = ModelFacts(
    inputs=(
        TensorSpec(name="im_shape", dtype="float32", shape=("batch", 2)),
        TensorSpec(name="image", dtype="float32", shape=("batch", 3, 640, 640)),
        TensorSpec(name="scale_factor", dtype="float32", shape=("batch", 2)),
    )
)


def flags_of(line: str) -> dict[str, str]:
    """A published line as atc reads it; the order of flags and a last semicolon mean nothing."""
    words = shlex.split(line)[1:]
    values = atc_syntax.read(words, atc_simulator.flags_known("9.2"))
    return {name: text.removesuffix(";") for name, text in values.items()}


@pytest.mark.parametrize(
    ("published", "signature", "shape", "more"),
    [
        (
            "atc --model=inference.onnx --framework=5 --output=inference "
            '--soc_version=Ascend910B2 --input_shape "x:1,3,640,480"',
            OCR,
            {"x": (1, 3, 640, 480)},
            {},
        ),
        (
            "atc --model=inference.onnx --framework=5 --output=inference "
            '--soc_version=Ascend910B2 --input_shape "x:1,3,48,320"',
            OCR,
            {"x": (1, 3, 48, 320)},
            {},
        ),
        (
            "atc --model=inference.onnx --framework=5 --output=inference --soc_version=Ascend910B2 "
            '--input_shape "x:1,3,48,320" --precision_mode_v2=origin',
            OCR,
            {"x": (1, 3, 48, 320)},
            {"precision_mode_v2": "origin"},
        ),
        (
            "atc --model=inference.onnx --framework=5 --output=inference --soc_version=Ascend910B2 "
            '--input_shape "im_shape:1,2;image:1,3,640,640;scale_factor:1,2"',
            RT_DETR,
            {"im_shape": (1, 2), "image": (1, 3, 640, 640), "scale_factor": (1, 2)},
            {},
        ),
    ],
    ids=["det", "rec", "rec-origin", "rt-detr"],
)
def test_paddlex(published, signature, shape, more):
    """Word for word, but for the space that --input_shape may have instead of the equals sign."""
    command = AtcCommand("inference.onnx", "inference", "Ascend910B2", fixed(shape), **more)
    expected = shlex.split(published.replace("--input_shape ", "--input_shape="))
    assert list(command.argv(model=signature)) == expected
    assert command.advice() == ()


@pytest.mark.parametrize(
    ("published", "profiles"),
    [
        (
            "atc --model=ch_ppocr_mobile_v2.0_cls_infer.onnx --framework=5 "
            '--input_shape="x:-1,3,48,192" --input_format=ND --dynamic_dims="1;4;8;16;32;" '
            "--soc_version=Ascend310P3 --output=output --log=error",
            [{"x": (n, 3, 48, 192)} for n in (1, 4, 8, 16, 32)],
        ),
        (
            "atc --model=ch_PP-OCRv3_det_infer.onnx --framework=5 --input_shape=x:1,3,-1,-1 "
            '--input_format=ND --dynamic_dims="1248,640;1280,800;" '
            "--soc_version=Ascend310P3 --output=output --log=error",
            [{"x": (1, 3, 1248, 640)}, {"x": (1, 3, 1280, 800)}],
        ),
        (
            "atc --framework=5 --model=rec.onnx --output=output --soc_version=Ascend310P3 "
            '--log=error --input_format=ND --input_shape="x:1,3,-1,-1" '
            '--dynamic_dims="48,320;48,620"',
            [{"x": (1, 3, 48, 320)}, {"x": (1, 3, 48, 620)}],
        ),
    ],
    ids=["mindocr-cls", "mindocr-det", "modelzoo-rec"],
)
def test_dynamic_dims(published, profiles):
    expected = flags_of(published)
    shapes = from_profiles(profiles, signature=(X,), wanted="dynamic_dims")
    command = AtcCommand(expected["model"], "output", "Ascend310P3", shapes, log="error")
    assert flags_of(shlex.join(command.argv(model=OCR))) == expected


def test_advice_on_what_atc_takes():
    shapes = from_profiles(
        [{"x": (1, 3, 48, width)} for width in (80, 160, 320, 640, 960)], wanted="dynamic_dims"
    )
    command = AtcCommand(
        "m.onnx",
        "m",
        "Ascend310P3",
        shapes,
        precision_mode_v2="origin",
        keep_dtype="keep.cfg",
        op_select_implmode="high_precision",
    )
    command.argv(model=OCR)
    deprecated, useless, many = command.advice()
    assert "--op_select_implmode is deprecated" in deprecated
    assert "--keep_dtype changes nothing" in useless
    assert "5 profiles" in many


def test_further_flags():
    shapes = fixed({"x": (1, 3, 48, 320)})
    more = (("deterministic", "1"),)
    command = AtcCommand("m.onnx", "m", "Ascend310P3", shapes, more=more)
    assert command.argv()[-1] == "--deterministic=1"
    for wrong in ((("soc_version", "x"),), (("determinstic", "1"),)):
        with pytest.raises(InputError):
            AtcCommand("m.onnx", "m", "Ascend310P3", shapes, more=wrong).argv()


def test_profiles_name_every_input():
    shapes = from_profiles([{"image": (n, 3, 640, 640)} for n in (1, 2)])
    with pytest.raises(InputError, match="im_shape"):
        AtcCommand("m.onnx", "m", "Ascend310P3", shapes).argv(model=RT_DETR)
