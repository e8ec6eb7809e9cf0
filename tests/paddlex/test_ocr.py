from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
import yaml

from converter.errors import InputError, InternalError
from converter.paddlex.modules import Backend, ConvertedModel
from converter.paddlex.ocr import OCR_MODULES, OcrOptions, check_parsed, check_pipeline, render_ocr
from converter.paddlex.template import render_template, yaml_scalar

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


def model(name: str, directory: str = "/models", om: str | None = None) -> ConvertedModel:
    return ConvertedModel(
        name,
        Path(directory),
        name,
        None,
        frozenset({"onnx", "om", "paddle"}),
        om_input_shape=om,
    )


MODELS = {
    "DocOrientationClassify": model("PP-LCNet_x1_0_doc_ori"),
    "DocUnwarping": model("UVDoc"),
    "TextDetection": model("PP-OCRv5_mobile_det", "/m/det", "x:1,3,736,736"),
    "TextLineOrientation": model("PP-LCNet_x0_25_textline_ori"),
    "TextRecognition": model("PP-OCRv5_mobile_rec", "/m/rec", "x:1,3,48,640"),
}
REQUIRED = {name: MODELS[name] for name in ("TextDetection", "TextRecognition")}


def test_onnx_config_is_exactly_this() -> None:
    assert yaml.safe_load(render_ocr(REQUIRED, OcrOptions())) == {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocessor": False,
        "use_textline_orientation": False,
        "engine": "onnxruntime",
        "SubModules": {
            "TextDetection": {
                "module_name": "text_detection",
                "model_name": "PP-OCRv5_mobile_det",
                "model_dir": "/m/det",
                "limit_side_len": 64,
                "limit_type": "min",
                "max_side_limit": 4000,
                "thresh": 0.3,
                "box_thresh": 0.6,
                "unclip_ratio": 1.5,
            },
            "TextRecognition": {
                "module_name": "text_recognition",
                "model_name": "PP-OCRv5_mobile_rec",
                "model_dir": "/m/rec",
                "batch_size": 6,
                "score_thresh": 0.0,
            },
        },
    }


def test_om_modules_have_the_form_that_all_paddlex_versions_read() -> None:
    config = yaml.safe_load(render_ocr(REQUIRED, OcrOptions(backend="om", device="npu:3")))
    hpi = {"auto_config": False, "backend": "om", "device_type": "npu", "device_id": 3}
    detection, recognition = config["SubModules"].values()
    assert "engine" not in config
    for module, shape in ((detection, [3, 736, 736]), (recognition, [3, 48, 640])):
        assert (module["use_hpip"], module["hpi_config"]) == (True, hpi)
        assert (module["batch_size"], module["input_shape"]) == (1, shape)


def test_an_om_shape_that_no_manifest_has_can_be_given() -> None:
    options = OcrOptions(backend="om", device="npu", shapes={"TextDetection": (3, 960, 960)})
    models = REQUIRED | {"TextDetection": model("PP-OCRv5_mobile_det")}
    config = yaml.safe_load(render_ocr(models, options))
    assert config["SubModules"]["TextDetection"]["input_shape"] == [3, 960, 960]
    assert config["SubModules"]["TextDetection"]["hpi_config"]["device_id"] == 0


def test_an_om_shape_that_nobody_knows_is_refused() -> None:
    """inference.yml does not tell: the recogniser's says 320 wherever it was compiled for 640."""
    unknown = replace(model("PP-OCRv5_mobile_rec"), image_shape=(3, 48, 320))
    with pytest.raises(InputError, match="not known what shape PP-OCRv5_mobile_rec") as caught:
        render_ocr(REQUIRED | {"TextRecognition": unknown}, OcrOptions(backend="om"))
    assert "--shape TextRecognition=C,H,W" in caught.value.hint
    render_ocr(REQUIRED | {"TextRecognition": unknown}, OcrOptions(backend="onnx"))


def test_a_shape_that_contradicts_the_om_file_is_refused() -> None:
    options = OcrOptions(backend="om", shapes={"TextDetection": (3, 640, 480)})
    with pytest.raises(InputError, match="was compiled for 3,736,736") as caught:
        render_ocr(REQUIRED, options)
    assert "--shape x=1,3,640,480" in caught.value.hint
    same = OcrOptions(backend="om", shapes={"TextDetection": (3, 736, 736)})
    assert render_ocr(REQUIRED, same) == render_ocr(REQUIRED, OcrOptions(backend="om"))


@pytest.mark.parametrize(
    "compiled",
    ["x:4,3,48,320", "x:1,3,48", "x:1,3,0,320", "x:1,3,-1,320", "a:1,2;x:1,3,48,320", ""],
)
def test_an_om_file_that_no_single_image_fits_is_refused(compiled: str) -> None:
    for name in ("TextRecognition", "TextLineOrientation"):
        models = REQUIRED | {name: replace(MODELS[name], om_input_shape=compiled)}
        with pytest.raises(InputError, match="but PaddleX feeds one image"):
            render_ocr(models, OcrOptions(backend="om"))


def test_a_module_without_input_shape_is_fed_as_its_yml_says() -> None:
    fed = replace(MODELS["TextLineOrientation"], image_shape=(3, 80, 160))
    wrong = replace(fed, om_input_shape="x:1,3,48,192")
    with pytest.raises(InputError, match="feeds TextLineOrientation 3,80,160") as caught:
        render_ocr(REQUIRED | {"TextLineOrientation": wrong}, OcrOptions(backend="om"))
    assert "--shape x=1,3,80,160" in caught.value.hint
    right = replace(fed, om_input_shape="x:1,3,80,160")
    text = render_ocr(REQUIRED | {"TextLineOrientation": right}, OcrOptions(backend="om"))
    module = yaml.safe_load(text)["SubModules"]["TextLineOrientation"]
    assert module["hpi_config"]["backend"] == "om"
    assert "input_shape" not in module


def test_unwarping_runs_on_the_cpu_beside_om() -> None:
    config = yaml.safe_load(render_ocr(MODELS, OcrOptions(backend="om")))
    document = config["SubPipelines"]["DocPreprocessor"]["SubModules"]
    assert document["DocUnwarping"]["hpi_config"] == {
        "auto_config": False,
        "backend": "onnxruntime",
        "device_type": "cpu",
    }
    assert "input_shape" not in document["DocUnwarping"]
    assert document["DocOrientationClassify"]["hpi_config"]["backend"] == "om"


@pytest.mark.parametrize("backend", ["onnx", "om", "paddle"])
def test_every_set_of_modules_renders_what_was_meant(backend: Backend) -> None:
    """``render_ocr`` compares text and intent itself; this reaches every branch of the template."""
    optional = [module.name for module in OCR_MODULES if not module.required]
    for count in range(len(optional) + 1):
        for names in itertools.combinations(optional, count):
            models = REQUIRED | {name: MODELS[name] for name in names}
            config = yaml.safe_load(render_ocr(models, OcrOptions(backend=backend)))
            assert config["use_textline_orientation"] == ("TextLineOrientation" in names)
            on_page = {"DocOrientationClassify", "DocUnwarping"} & set(names)
            assert config["use_doc_preprocessor"] == bool(on_page)
            assert ("SubPipelines" in config) == bool(on_page)


@pytest.mark.parametrize("path", NASTY)
def test_any_path_survives_quoting(path: str) -> None:
    models = REQUIRED | {"TextDetection": model("PP-OCRv5_mobile_det", path)}
    text = render_ocr(models, OcrOptions())
    assert yaml.safe_load(text)["SubModules"]["TextDetection"]["model_dir"] == path
    assert len(text.splitlines()) == len(render_ocr(REQUIRED, OcrOptions()).splitlines())


def test_relative_directories_become_absolute() -> None:
    models = REQUIRED | {"TextDetection": model("PP-OCRv5_mobile_det", "out/det")}
    config = yaml.safe_load(render_ocr(models, OcrOptions()))
    assert config["SubModules"]["TextDetection"]["model_dir"] == str(Path.cwd() / "out/det")


@pytest.mark.parametrize(
    ("detector", "limits"),
    [
        ("PP-OCRv5_mobile_det", (64, "min")),
        ("PP-OCRv6_medium_det", (64, "min")),
        ("PP-OCRv4_mobile_det", (960, "max")),
    ],
)
def test_side_limits_follow_the_detector(detector: str, limits: tuple[int, str]) -> None:
    models = REQUIRED | {"TextDetection": model(detector)}
    detection = yaml.safe_load(render_ocr(models, OcrOptions()))["SubModules"]["TextDetection"]
    assert (detection["limit_side_len"], detection["limit_type"]) == limits


@pytest.mark.parametrize("device", ["cpu", "npu:", "npu:a", "npu:0,1", "npu: 1"])
def test_wrong_devices(device: str) -> None:
    with pytest.raises(InputError, match="is not an NPU"):
        render_ocr(REQUIRED, OcrOptions(backend="om", device=device))


@pytest.mark.parametrize("shapes", [{"TextLineOrientation": (3, 80, 160)}, {"UVDoc": (3, 1, 1)}])
def test_shapes_of_other_modules_are_refused(shapes: dict[str, tuple[int, int, int]]) -> None:
    with pytest.raises(InputError, match="takes no shape"):
        render_ocr(REQUIRED, OcrOptions(backend="om", shapes=shapes))


def test_a_zero_extent_is_refused() -> None:
    options = OcrOptions(backend="om", shapes={"TextDetection": (3, 0, 480)})
    with pytest.raises(InputError, match="is not channels,height,width"):
        render_ocr(REQUIRED, options)


def test_undefined_variables_never_render() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_template("OCR.yaml.j2", {"backend": "onnx"})


def test_text_that_reads_otherwise_is_our_bug() -> None:
    with pytest.raises(InternalError, match="reads as"):
        check_parsed("a: yes", {"a": "yes"})
    with pytest.raises(InternalError, match="not YAML"):
        check_parsed("a: [", {})


@pytest.mark.parametrize("value", ["yes", "1e3", "", "~", "a: b", 1, 1.5, True, [3, 48, 320]])
def test_scalars_read_back_as_they_were(value: object) -> None:
    text = yaml_scalar(value)
    assert "\n" not in text
    assert yaml.safe_load(text) == value


def test_unknown_pipelines() -> None:
    check_pipeline("OCR")
    with pytest.raises(InputError) as caught:
        check_pipeline("ocr")
    assert caught.value.hint.startswith("did you mean OCR?")


def test_lines_are_turned_one_by_one() -> None:
    """PaddleX 3.7 turns a whole batch of lines by the angle of its first one."""
    config = yaml.safe_load(render_ocr(MODELS, OcrOptions()))
    assert config["SubModules"]["TextLineOrientation"]["batch_size"] == 1
