"""Rendering our own OCR config, which has one of everything, and configs of users' own."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
import yaml

from converter.errors import InputError, InternalError
from converter.paddlex import forms
from converter.paddlex.base import own_base
from converter.paddlex.modules import ConvertedModel
from converter.paddlex.targets import parse_device, parse_version
from converter.paddlex.template import render_template, yaml_scalar
from converter.paddlex.yaml_edit import YamlEdit
from tests.paddlex.rendering import model, modules_of, parsed, render

NASTY = [
    "/models/with space/det",
    "/models/中文 目录/det",
    '/models/it\'s "quoted"/det',
    "/models/a: b #c/det",
    "/models/{{ x }}{% y %}/det",
    "/models/back\\slash\\n/det",
    "/models/new\nline: yes/det",
    "/models/tab\tdel\x7fnel\x85ls\u2028/det",
    "/models/emoji \U0001f600/det",
    "/models/" + "long " * 60,
    "/models/- ? | > & * ! % @ `/det",
    "/models/trailing space ",
    "/models/latin-1 \udce9",  # how Python names a file that is not UTF-8
]

DETECTOR = model("PP-OCRv5_mobile_det", "/m/det", "x:1,3,736,736")
RECOGNISER = model("PP-OCRv5_mobile_rec", "/m/rec", "x:1,3,48,640")
REQUIRED = (DETECTOR, RECOGNISER)
OPTIONAL = {
    "DocPreprocessor.DocOrientationClassify": model("PP-LCNet_x1_0_doc_ori"),
    "DocPreprocessor.DocUnwarping": model("UVDoc"),
    "TextLineOrientation": model("PP-LCNet_x0_25_textline_ori"),
}
ALL = (*REQUIRED, *OPTIONAL.values())


def with_shape(name: str, shape: str) -> ConvertedModel:
    return replace(OPTIONAL[name], om_input_shape=shape)


def test_onnx_config_is_exactly_this() -> None:
    config = yaml.safe_load(own_base().data)
    config["use_doc_preprocessor"] = config["use_textline_orientation"] = False
    for key, directory in (("TextDetection", "/m/det"), ("TextRecognition", "/m/rec")):
        config["SubModules"][key] |= {"model_dir": directory, "engine": "onnxruntime"}
    assert parsed(render(REQUIRED)) == config


@pytest.mark.parametrize("version", [(3, minor) for minor in range(8)])
@pytest.mark.parametrize("wrapper", ["paddlex", "paddleocr"])
def test_om_modules_have_the_form_that_all_paddlex_versions_read(
    version: tuple[int, int], wrapper: str
) -> None:
    options = {"backend": "om", "device": "npu:3", "version": version, "wrapper": wrapper}
    config = parsed(render(REQUIRED, **options))  # type: ignore[arg-type]
    hpi = {"auto_config": False, "backend": "om", "device_type": "npu", "device_id": 3}
    modules = config["SubModules"]
    assert "engine" not in config
    for name, shape in (("TextDetection", [3, 736, 736]), ("TextRecognition", [3, 48, 640])):
        module = modules[name]
        assert (module["use_hpip"], module["hpi_config"]) == (True, hpi)
        assert (module["batch_size"], module["input_shape"]) == (1, shape)


@pytest.mark.parametrize("version", [(3, 0), (3, 4)])
def test_before_3_5_onnx_goes_through_high_performance_inference(version: tuple[int, int]) -> None:
    module = parsed(render(REQUIRED, version=version))["SubModules"]["TextDetection"]
    assert "engine" not in module
    assert (module["use_hpip"], module["hpi_config"]) == (
        True,
        {"auto_config": False, "backend": "onnxruntime", "device_type": "cpu"},
    )


def test_onnx_on_a_gpu() -> None:
    module = parsed(render(REQUIRED, device="gpu:1"))["SubModules"]["TextDetection"]
    assert module["engine_config"] == {"onnxruntime": {"device_type": "gpu", "device_id": 1}}
    old = parsed(render(REQUIRED, device="gpu:1", version=(3, 4)))["SubModules"]["TextDetection"]
    assert (old["hpi_config"]["device_type"], old["hpi_config"]["device_id"]) == ("gpu", 1)


def test_cann_names_its_provider_and_the_fallback() -> None:
    module = parsed(render(REQUIRED, backend="cann", device="npu:2"))["SubModules"]["TextDetection"]
    assert module["engine"] == "onnxruntime"
    assert module["engine_config"] == {
        "onnxruntime": {
            "providers": ["CANNExecutionProvider", "CPUExecutionProvider"],
            "provider_options": [{"device_id": 2}, {}],
        }
    }
    with pytest.raises(InputError, match=r"PaddleX 3\.4 cannot run ONNX with CANN"):
        render(REQUIRED, backend="cann", version=(3, 4))


@pytest.mark.parametrize("device", ["cpu", "gpu:1", "npu:2", "xpu:3"])
def test_native_paddle_gets_its_device(device: str) -> None:
    module = parsed(render(REQUIRED, backend="paddle", device=device))["SubModules"][
        "TextDetection"
    ]
    kind, _, number = device.partition(":")
    options = {"device_id": int(number)} if number else {"run_mode": "paddle"}
    assert module["engine"] == "paddle_static"
    assert module["engine_config"] == {"paddle_static": {"device_type": kind, **options}}
    old = render(REQUIRED, backend="paddle", device=device, version=(3, 4))
    added = {change.key for change in old.changes if change.path[-1:] == ("TextDetection",)}
    assert added == {"model_dir"}  # no key could say it


def test_auto_takes_what_there_is() -> None:
    models = (DETECTOR, model("PP-OCRv5_mobile_rec", files="onnx"), model("UVDoc", files="paddle"))
    routes = {
        s.match.module.key: s.match.placement.route
        for s in render(models, backend="auto").served
        if s.match.placement
    }
    assert routes == {"TextDetection": "om", "TextRecognition": "onnx", "DocUnwarping": "paddle"}
    on_cpu = render(models, backend="auto", device="cpu").served
    assert {s.match.placement.route for s in on_cpu if s.match.placement} == {"onnx", "paddle"}


def test_auto_asks_the_chooser() -> None:
    """The seam through which measurements can decide."""
    asked = []

    def choose(candidate: ConvertedModel, device: object) -> tuple[str, str]:
        asked.append((candidate.name, device))
        return "onnx", "it was slower as an OM file"

    rendered = render(REQUIRED, backend="auto", choose=choose)
    assert asked == [(candidate.name, None) for candidate in REQUIRED]
    placements = [s.match.placement for s in rendered.served if s.match.placement]
    assert {(p.route, p.reason) for p in placements} == {("onnx", "it was slower as an OM file")}


def test_one_model_can_be_placed_elsewhere() -> None:
    place = {"PP-OCRv5_mobile_det": "onnx"}
    modules = parsed(render(REQUIRED, backend="om", place=place))["SubModules"]
    assert modules["TextDetection"]["hpi_config"]["backend"] == "onnxruntime"
    assert "input_shape" not in modules["TextDetection"]
    assert modules["TextRecognition"]["hpi_config"]["backend"] == "om"
    same = render(REQUIRED, backend="om", place={"TextDetection": "onnx"})
    assert same.text == render(REQUIRED, backend="om", place=place).text
    with pytest.raises(InputError, match="UVDoc cannot be an OM file") as caught:
        render(ALL, backend="onnx", place={"UVDoc": "om"})
    assert caught.value.hint.startswith("--place UVDoc=onnx, or --use DocPrepro")
    with pytest.raises(InputError, match="no such module or model") as caught:
        render(REQUIRED, place={"TextDetektion": "om"})
    assert caught.value.hint.startswith("did you mean TextDetection?")


def test_every_missing_file_is_named_at_once() -> None:
    models = [replace(item, backends=frozenset({"onnx"})) for item in REQUIRED]
    with pytest.raises(InputError) as caught:
        render(models, backend="om")
    assert caught.value.message == (
        "PP-OCRv5_mobile_det has no inference.om; PP-OCRv5_mobile_rec has no inference.om"
    )
    assert caught.value.hint.startswith("make it with paddle2om convert --soc")


def test_a_missing_file_of_an_optional_module_can_be_done_without() -> None:
    models = (*REQUIRED, model("UVDoc", files="om"))
    with pytest.raises(InputError) as caught:
        render(models, backend="om")
    assert caught.value.message.startswith("UVDoc has no inference.onnx (it is to run as onnx, bec")
    assert caught.value.hint.endswith("or --use DocPreprocessor.DocUnwarping=none")
    render(models, backend="om", use={"DocUnwarping": "none"})


def test_an_om_shape_that_no_manifest_has_can_be_given() -> None:
    models = (model("PP-OCRv5_mobile_det"), RECOGNISER)
    rendered = render(models, backend="om", shapes={"TextDetection": (3, 960, 960)})
    module = parsed(rendered)["SubModules"]["TextDetection"]
    assert module["input_shape"] == [3, 960, 960]
    assert module["hpi_config"]["device_id"] == 0


def test_an_om_shape_that_nobody_knows_is_refused() -> None:
    """inference.yml does not tell: the recogniser's says 320 wherever it was compiled for 640."""
    unknown = replace(model("PP-OCRv5_mobile_rec"), image_shape=(3, 48, 320))
    with pytest.raises(InputError, match="not known what shape PP-OCRv5_mobile_rec") as caught:
        render((DETECTOR, unknown), backend="om")
    assert "--shape TextRecognition=C,H,W" in caught.value.hint
    render((DETECTOR, unknown), backend="onnx")


def test_a_shape_that_contradicts_the_om_file_is_refused() -> None:
    with pytest.raises(InputError, match="was compiled for 3,736,736") as caught:
        render(REQUIRED, backend="om", shapes={"TextDetection": (3, 640, 480)})
    assert "--shape x=1,3,640,480" in caught.value.hint
    same = render(REQUIRED, backend="om", shapes={"TextDetection": (3, 736, 736)})
    assert same.text == render(REQUIRED, backend="om").text


@pytest.mark.parametrize(
    "compiled",
    ["x:4,3,48,320", "x:1,3,48", "x:1,3,0,320", "x:1,3,-1,320", "a:1,2;x:1,3,48,320", ""],
)
def test_an_om_file_that_no_single_image_fits_is_refused(compiled: str) -> None:
    with pytest.raises(InputError, match="but PaddleX feeds one image"):
        render((DETECTOR, replace(RECOGNISER, om_input_shape=compiled)), backend="om")
    with pytest.raises(InputError, match="but PaddleX feeds one image"):
        render((*REQUIRED, with_shape("TextLineOrientation", compiled)), backend="om")


LAYOUT = """pipeline_name: layout_parsing
SubModules:
  LayoutDetection: {model_name: RT-DETR-H_layout_3cls, model_dir: null}
"""


def test_a_detection_model_takes_more_than_the_image() -> None:
    inputs = "im_shape:1,2;image:1,3,640,640;scale_factor:1,2"
    layout = model("RT-DETR-H_layout_3cls", om=inputs)
    fed = replace(layout, image_shape=(3, 640, 640))
    module = parsed(render([fed], LAYOUT, backend="om"))["SubModules"]["LayoutDetection"]
    assert module["batch_size"] == 1 and "input_shape" not in module
    with pytest.raises(InputError, match="feeds LayoutDetection 3,800,800") as caught:
        render([replace(layout, image_shape=(3, 800, 800))], LAYOUT, backend="om")
    assert "--shape image=1,3,800,800" in caught.value.hint
    batch = replace(fed, om_input_shape=inputs.replace("scale_factor:1", "scale_factor:8"))
    with pytest.raises(InputError, match="PaddleX feeds one image"):
        render([batch], LAYOUT, backend="om")


def test_a_module_without_input_shape_is_fed_as_its_yml_says() -> None:
    fed = replace(OPTIONAL["TextLineOrientation"], image_shape=(3, 80, 160))
    wrong = replace(fed, om_input_shape="x:1,3,48,192")
    with pytest.raises(InputError, match="feeds TextLineOrientation 3,80,160") as caught:
        render((*REQUIRED, wrong), backend="om")
    assert "--shape x=1,3,80,160" in caught.value.hint
    right = replace(fed, om_input_shape="x:1,3,80,160")
    module = parsed(render((*REQUIRED, right), backend="om"))["SubModules"]["TextLineOrientation"]
    assert module["hpi_config"]["backend"] == "om"
    assert "input_shape" not in module


def test_unwarping_runs_on_the_cpu_beside_om() -> None:
    modules = modules_of(parsed(render(ALL, backend="om")))
    unwarping = modules["DocPreprocessor.DocUnwarping"]
    assert unwarping["hpi_config"] == {
        "auto_config": False,
        "backend": "onnxruntime",
        "device_type": "cpu",
    }
    assert "input_shape" not in unwarping
    orientation = modules["DocPreprocessor.DocOrientationClassify"]
    assert orientation["hpi_config"]["backend"] == "om"


@pytest.mark.parametrize("backend", ["onnx", "om", "paddle", "cann", "auto"])
def test_optional_modules_without_a_model_are_switched_off(backend: str) -> None:
    for count in range(len(OPTIONAL) + 1):
        for names in itertools.combinations(OPTIONAL, count):
            models = (*REQUIRED, *(OPTIONAL[name] for name in names))
            config = parsed(render(models, backend=backend))
            assert config["use_textline_orientation"] == ("TextLineOrientation" in names)
            on_page = [name for name in names if name.startswith("DocPreprocessor")]
            assert config["use_doc_preprocessor"] == bool(on_page)
            document = config["SubPipelines"]["DocPreprocessor"]
            if on_page:
                switches = {
                    "DocOrientationClassify": document["use_doc_orientation_classify"],
                    "DocUnwarping": document["use_doc_unwarping"],
                }
                for name, on in switches.items():
                    assert on == (f"DocPreprocessor.{name}" in names)


STRUCTURE = """pipeline_name: PP-StructureV3
use_doc_preprocessor: False
SubModules:
  LayoutDetection: {model_name: PP-DocLayout_plus-L, model_dir: null}
SubPipelines:
  DocPreprocessor:
    pipeline_name: doc_preprocessor
    SubModules:
      DocUnwarping: {model_name: UVDoc, model_dir: null}
  GeneralOCR:
    pipeline_name: OCR
    SubModules:
      TextDetection: {model_name: PP-OCRv5_mobile_det, model_dir: null}
      TextRecognition: {model_name: PP-OCRv5_mobile_rec, model_dir: null}
"""


def test_structure_v3_needs_three_switches_for_one_part() -> None:
    """It creates the preprocessor unless all three are False, whatever its config says."""
    config = parsed(render(REQUIRED, STRUCTURE))
    for key in ("use_doc_preprocessor", "use_doc_orientation_classify", "use_doc_unwarping"):
        assert config[key] is False
    kept = parsed(render(ALL, STRUCTURE))
    assert "use_doc_unwarping" not in kept


@pytest.mark.parametrize("path", NASTY)
def test_any_path_survives_quoting(path: str) -> None:
    rendered = render((model("PP-OCRv5_mobile_det", path), RECOGNISER))
    assert parsed(rendered)["SubModules"]["TextDetection"]["model_dir"] == path
    assert len(rendered.text.splitlines()) == len(render(REQUIRED).text.splitlines())


@pytest.mark.parametrize(
    ("detector", "limits"),
    [
        ("PP-OCRv5_mobile_det", (64, "min")),
        ("PP-OCRv6_medium_det", (64, "min")),
        ("PP-OCRv4_mobile_det", (960, "max")),
    ],
)
def test_side_limits_follow_the_detector(detector: str, limits: tuple[int, str]) -> None:
    detection = parsed(render((model(detector), RECOGNISER)))["SubModules"]["TextDetection"]
    assert (detection["limit_side_len"], detection["limit_type"]) == limits
    # Limits that somebody chose stay.
    chosen = own_base().data.replace(b"limit_side_len: 64", b"limit_side_len: 1280")
    detection = parsed(render((model(detector), RECOGNISER), chosen))["SubModules"]["TextDetection"]
    assert (detection["limit_side_len"], detection["limit_type"]) == (1280, "min")


@pytest.mark.parametrize("device", ["cpu:0", "npu:", "npu:a", "npu:0,1", "npu: 1", "tpu", ""])
def test_wrong_devices(device: str) -> None:
    with pytest.raises(InputError, match="is not a device"):
        parse_device(device)


@pytest.mark.parametrize(
    ("backend", "device"), [("om", "cpu"), ("om", "gpu:0"), ("onnx", "npu:0"), ("cann", "cpu")]
)
def test_a_backend_on_a_device_that_it_cannot_use(backend: str, device: str) -> None:
    with pytest.raises(InputError, match=f"--backend {backend} does not run on {device}") as caught:
        render(REQUIRED, backend=backend, device=device)
    assert ("--backend cann" in caught.value.hint) == (backend == "onnx")


def test_versions() -> None:
    assert parse_version("3.7.2") == parse_version(" v3.7 ") == (3, 7)
    assert parse_version("3.0.0rc1") == (3, 0)
    for text in ("2.9", "3.8", "4", "three", ""):
        with pytest.raises(InputError, match="is not known") as caught:
            parse_version(text)
        assert "3.0 to 3.7" in caught.value.hint


@pytest.mark.parametrize("name", ["TextLineOrientation", "DocUnwarping", "UVDoc"])
def test_shapes_of_other_modules_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"takes no shape|has no module UVDoc") as caught:
        render(REQUIRED, backend="om", shapes={name: (3, 80, 160)})
    assert "only for TextDetection and TextRecognition" in caught.value.hint


def test_a_zero_extent_is_refused() -> None:
    with pytest.raises(InputError, match="is not channels,height,width"):
        render(REQUIRED, backend="om", shapes={"TextDetection": (3, 0, 480)})


def test_lines_are_turned_one_by_one() -> None:
    """PaddleX 3.5 and later turn a whole batch of lines by the angle of its first one."""
    base = own_base().data.replace(b"    batch_size: 1\n", b"    batch_size: 6\n")
    for version, size in (((3, 4), 6), ((3, 5), 1)):
        config = parsed(render(ALL, base, version=version))
        assert config["SubModules"]["TextLineOrientation"]["batch_size"] == size
    # A key that is not there means 1.
    without = own_base().data.replace(b"    batch_size: 1\n", b"")
    assert "batch_size" not in parsed(render(ALL, without))["SubModules"]["TextLineOrientation"]


def test_undefined_variables_never_render() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_template("modules/om.yaml.j2", {})


@pytest.mark.parametrize("value", ["yes", "1e3", "", "~", "a: b", 1, 1.5, True, [3, 48, 320]])
def test_scalars_read_back_as_they_were(value: object) -> None:
    text = yaml_scalar(value)
    assert "\n" not in text
    assert yaml.safe_load(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "has no pipeline_name"),
        ("pipeline_name: OCR", "has no SubModules"),
        ("pipeline_name: OCR\nSubModules: [1]", "has no SubModules"),
        ("pipeline_name: 3\nSubModules: {A: {model_name: x}}", "has no pipeline_name"),
        ("pipeline_name: OCR\nSubModules: {A: {model_name: x}}", "none of the models serves"),
        ("pipeline_name: OCR\nSubModules: {A: {module_name: chat_bot}}", "none of the models"),
        ("pipeline_name: OCR\nSubModules: {1: {model_name: x}, A: {model_name: [x]}}", "none of"),
    ],
)
def test_configs_that_hold_nothing_for_us(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        render(REQUIRED, text)


def test_a_config_of_ours_is_a_base_like_any_other(tmp_path: Path) -> None:
    from converter.paddlex.config_file import write_config

    first = render(REQUIRED)
    write_config(tmp_path / "a.yaml", first.text)
    again = render(REQUIRED, (tmp_path / "a.yaml").read_bytes())
    assert again.text == first.text


def test_text_that_reads_otherwise_is_our_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(YamlEdit, "text", lambda self: self.source.text)
    with pytest.raises(InternalError, match="does not read as it should"):
        render(REQUIRED)
    monkeypatch.setattr(YamlEdit, "text", lambda self: "a: [")
    with pytest.raises(InternalError, match="cannot be read"):
        render(REQUIRED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"device_type": "cpu"},
        {"device_id": 7},
        {"auto_config": True},
        {"backend": "onnxruntime"},
    ],
)
def test_a_form_that_paddlex_reads_otherwise_is_our_bug(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]
) -> None:
    """A config that would run on the CPU in silence does not leave the house."""
    made = forms._fragment

    def spoil(*arguments: object) -> dict[str, object]:
        wanted = made(*arguments)  # type: ignore[arg-type]
        wanted["hpi_config"] |= wrong
        return wanted

    monkeypatch.setattr(forms, "_fragment", spoil)
    with pytest.raises(InternalError, match=r"TextDetection would run with"):
        render(REQUIRED, backend="om")
