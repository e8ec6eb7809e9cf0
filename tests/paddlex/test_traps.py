"""Each trap is met by a config that would run into it, and not by one that would not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from converter.paddlex import tables
from converter.paddlex.modules import ConvertedModel
from converter.paddlex.targets import Target
from converter.paddlex.traps import TrapWarning, warnings_for
from tests.paddlex.rendering import model, render

DET = model("PP-OCRv5_mobile_det", om="x:1,3,960,960")
REC = model("PP-OCRv5_mobile_rec", om="x:1,3,48,640")
UVDOC = model("UVDoc")
BOTH = (DET, REC)

ONE = """pipeline_name: some
SubModules:
  It: {{model_name: {name}, model_dir: null}}
"""
TOP = """pipeline_name: OCR
use_hpip: True
SubModules:
  TextDetection: {model_name: PP-OCRv5_mobile_det, model_dir: null}
  TextRecognition: {model_name: PP-OCRv5_mobile_rec, model_dir: null}
"""


@dataclass(frozen=True)
class Case:
    """A config that meets the trap, one that does not, and a piece of the message."""

    trap: str
    says: str
    meets: dict[str, Any]
    misses: dict[str, Any]
    models: tuple[ConvertedModel, ...] = BOTH
    other: tuple[ConvertedModel, ...] = BOTH
    modules: tuple[str, ...] = field(default=())


OM = {"backend": "om"}
OCR = {"wrapper": "paddleocr"}
CANN = {"backend": "cann"}
LAYOUT = model("PP-DocLayoutV2", om="image:1,3,800,800;scale_factor:1,2")
RTDETR = model("RT-DETR-L", om="im_shape:1,2;image:1,3,640,640;scale_factor:1,2")
PICODET = model("PicoDet-S", om="image:1,3,320,320;scale_factor:1,2")

CASES = [
    Case("device-argument", 'create_pipeline("the.yaml")', OM, {}, (*BOTH, UVDOC), (*BOTH, UVDOC)),
    Case("paddleocr-device", "--wrapper paddlex", OM | OCR, OCR, (*BOTH, UVDOC), (*BOTH, UVDOC)),
    Case("paddleocr-default-device", 'device="npu:1"', OM | OCR | {"device": "npu:1"}, OM),
    Case("paddleocr-cann", 'device="cpu"', CANN | OCR, CANN),
    Case(
        "paddleocr-model-names",
        'text_detection_model_name="PP-OCRv5_mobile_det"',
        OCR,
        OCR | {"version": (3, 6)},
        modules=("TextDetection",),
    ),
    Case(
        "paddleocr-not-run",
        "concluded from their source",
        OCR | OM | {"version": (3, 1)},
        OCR | OM | {"version": (3, 2)},
    ),
    Case("hpi-plugin", "paddlex --install hpi-npu", OM, {}),
    Case("hpi-plugin", "paddlex --install hpi-cpu", {"version": (3, 4)}, {}),
    Case("onnxruntime-gpu", "onnxruntime-gpu", {"device": "gpu:0"}, {"device": "cpu"}),
    Case(
        "recognition-width",
        "squeezed to 320 pixels",
        OM,
        OM,
        (DET, replace(REC, om_input_shape="x:1,3,48,320")),
        modules=("TextRecognition",),
    ),
    Case("detection-stretch", "to 960 by 960", OM, {}, modules=("TextDetection",)),
    Case(
        "input-shape-without-om",
        "take input_shape out",
        {"base": TOP.replace("mobile_det,", "mobile_det, input_shape: [3, 960, 960],")},
        OM | {"base": TOP.replace("mobile_det,", "mobile_det, input_shape: [3, 9, 9],")},
        modules=("TextDetection",),
    ),
    Case(
        "arm-detection-hang",
        "--place PP-OCRv4_mobile_det=onnx",
        OM,
        OM,
        (replace(DET, name="x", model_name="PP-OCRv4_mobile_det"), REC),
    ),
    Case(
        "om-not-documented",
        "--backend onnx",
        OM,
        OM,
        other=(
            replace(DET, model_name="PP-OCRv4_server_det"),
            replace(REC, model_name="PP-OCRv4_server_rec"),
        ),
    ),
    Case(
        "om-data-dependent",
        "--place PicoDet-S=onnx",
        OM | {"base": ONE.format(name="PicoDet-S")},
        OM | {"base": ONE.format(name="RT-DETR-L")},
        (PICODET,),
        (RTDETR,),
    ),
    Case(
        "om-reading-order",
        "--precision_mode_v2=origin",
        OM | {"base": ONE.format(name="PP-DocLayoutV2")},
        {"base": ONE.format(name="PP-DocLayoutV2")},
        (LAYOUT,),
        (LAYOUT,),
    ),
    Case(
        "om-input-order",
        "--input_shape 'im_shape:1,2;image:1,3,640,640;scale_factor:1,2'",
        OM | {"base": ONE.format(name="RT-DETR-L")},
        OM | {"base": ONE.format(name="RT-DETR-L")},
        (replace(RTDETR, om_input_shape="image:1,3,640,640;im_shape:1,2;scale_factor:1,2"),),
        (RTDETR,),
    ),
    Case("cann-experimental", "npu_mem_limit", CANN, OM),
    Case(
        "cann-beside-om",
        "error 100002",
        OM | {"place": {"TextDetection": "cann"}},
        CANN,
        modules=("TextDetection",),
    ),
    Case(
        "paddle-device-argument",
        'create_pipeline("the.yaml", device="xpu:1")',
        {"backend": "paddle", "device": "xpu:1", "version": (3, 4)},
        {"backend": "paddle", "device": "xpu:1"},
    ),
    Case(
        "paddle-on-npu",
        "--backend auto",
        {"backend": "paddle", "device": "npu:0"},
        {"backend": "paddle", "device": "xpu:0"},
    ),
    Case(
        "left-to-paddlex",
        "convert PP-OCRv5_mobile_rec",
        {},
        {},
        (DET,),
        modules=("TextRecognition",),
    ),
    Case(
        "left-inherits",
        "inherit hpi from",
        {"base": TOP},
        {"base": TOP},
        (DET,),
        modules=("TextRecognition",),
    ),
]


def warnings(models: tuple[ConvertedModel, ...], options: dict[str, Any]) -> list[TrapWarning]:
    base = options.get("base")
    rest = {key: value for key, value in options.items() if key != "base"}
    rendered = render(models, base, **rest)
    target = Target(options.get("version", (3, 7)), options.get("wrapper", "paddlex"))
    return list(warnings_for(rendered, target, Path("the.yaml")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.trap)
def test_a_trap_is_noticed_where_it_is(case: Case) -> None:
    met = [w for w in warnings(case.models, case.meets) if w.id == case.trap]
    assert met
    assert any(case.says in f"{warning.message}\n{warning.fix}" for warning in met)
    assert all(warning.modules for warning in met)
    if case.modules:
        assert {module for warning in met for module in warning.modules} == set(case.modules)
    assert case.trap not in {w.id for w in warnings(case.other, case.misses)}


def test_dynamic_files_switch_hpi_off_in_3_4_only(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    models = (replace(DET, directory=tmp_path), REC)
    for version, met in (((3, 3), False), ((3, 4), True), ((3, 5), False)):
        found = {w.id: w for w in warnings(models, {"version": version, "backend": "om"})}
        assert ("dynamic-files" in found) is met
        if met:
            assert str(tmp_path) in found["dynamic-files"].fix


def test_every_trap_has_a_case_and_its_words() -> None:
    assert {case.trap for case in CASES} | {"dynamic-files"} == set(tables.trap_ids())
    for trap_id in tables.trap_ids():
        assert set(tables.trap(trap_id)) == {"message", "fix", "known"}


def test_a_config_without_traps_warns_of_nothing() -> None:
    assert warnings(BOTH, {}) == []


def test_modules_that_are_off_meet_no_traps() -> None:
    off = TOP.replace("use_hpip: True", "use_textline_orientation: False").replace(
        "  TextRecognition",
        "  TextLineOrientation: {model_name: PP-LCNet_x1_0_textline_ori, model_dir: null}\n"
        "  TextRecognition",
    )
    assert warnings(BOTH, {"base": off}) == []
    on = off.replace("orientation: False", "orientation: True")
    assert warnings(BOTH, {"base": on}) == []  # it was switched off for want of a model
