"""The PaddleX OCR pipeline config: rendered from our template, read back and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from converter.errors import InputError, InternalError
from converter.paddlex.modules import Backend, ConvertedModel, Module
from converter.paddlex.om_shape import check_fixed_shape, fed_shape
from converter.paddlex.template import render_template

#: The modules of the OCR pipeline, in the order in which a page passes through them.
OCR_MODULES = (
    Module("DocOrientationClassify", "doc_orientation", required=False),
    Module("DocUnwarping", "doc_unwarping", required=False, static_shape=False),
    Module("TextDetection", "text_detection", required=True),
    Module("TextLineOrientation", "textline_orientation", required=False),
    Module("TextRecognition", "text_recognition", required=True),
)

#: PaddleX's name for what a module does; its own configs use these.
_MODULE_NAMES = {
    "DocOrientationClassify": "doc_text_orientation",
    "DocUnwarping": "image_unwarping",
    "TextDetection": "text_detection",
    "TextLineOrientation": "textline_orientation",
    "TextRecognition": "text_recognition",
}

#: Images per call on a CPU. PaddleX 3.7 turns all lines of a batch by the angle of its first one
#: (ClasRunnerPredictor returns class_ids as an array, which BasePredictor.apply does not split).
_BATCH_SIZES = {"TextLineOrientation": 1, "TextRecognition": 6}

#: Only these two modules read ``input_shape``; PaddleX ignores the key elsewhere.
SHAPED_MODULES = ("TextDetection", "TextRecognition")

_DEVICE = re.compile(r"npu(?::(\d+))?")


@dataclass(frozen=True)
class OcrOptions:
    """How to render: the backend, the NPU, and (channels, height, width) of the OM files.

    ``shapes`` is for OM files whose manifest does not say what they were compiled for.
    """

    backend: Backend = "onnx"
    device: str = "npu:0"
    shapes: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


def check_pipeline(name: str) -> None:
    """Raise ``InputError`` unless ``name`` is a pipeline that can be rendered."""
    if name != "OCR":
        meant = "did you mean OCR? " if name.lower() in ("ocr", "pp-ocr", "paddleocr") else ""
        raise InputError(
            f"there is no template for the pipeline {name}",
            hint=f"{meant}OCR is the only pipeline that can be rendered",
        )


def render_ocr(models: Mapping[str, ConvertedModel], options: OcrOptions) -> str:
    """Render the config for these models (the result of ``assign``).

    Post-condition: the text parses as YAML and holds exactly the values that were asked for.
    """
    values = _values(models, options)
    text = render_template("OCR.yaml.j2", values)
    check_parsed(text, _expected(values))
    return text


def check_parsed(text: str, expected: object) -> None:
    """Raise ``InternalError`` unless ``text`` is YAML that reads as ``expected``."""
    import yaml

    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InternalError(
            f"the rendered config is not YAML: {error}", hint="report this, with the model's path"
        ) from error
    if parsed != expected:
        raise InternalError(
            f"the rendered config reads as {parsed!r}, not as {expected!r}",
            hint="report this, with the model's path",
        )


def _values(models: Mapping[str, ConvertedModel], options: OcrOptions) -> dict[str, object]:
    """What the template gets."""
    for name in options.shapes:
        if name not in SHAPED_MODULES:
            raise InputError(
                f"{name} takes no shape",
                hint=f"PaddleX reads input_shape only for {' and '.join(SHAPED_MODULES)}",
            )
    modules: dict[str, dict[str, object]] = {}
    for module in OCR_MODULES:
        model = models.get(module.name)
        if model is None:
            if module.required:
                raise InputError(
                    f"no model for {module.name}", hint="the OCR pipeline cannot run without it"
                )
            continue
        on_npu = module.backend(options.backend) == "om"
        modules[module.name] = {
            "module_name": _MODULE_NAMES[module.name],
            "model_name": model.model_name,
            "model_dir": str(model.directory.absolute()),
            "on_npu": on_npu,
            "input_shape": _input_shape(module.name, model, options) if on_npu else None,
        }
    side, limit = _side_limit(models["TextDetection"].model_name)
    return {
        "backend": options.backend,
        "device_id": _device_id(options.device),
        "modules": modules,
        "limit_side_len": side,
        "limit_type": limit,
    }


def _input_shape(module: str, model: ConvertedModel, options: OcrOptions) -> list[int] | None:
    """What the config tells PaddleX to feed the OM file; None where PaddleX would not read it."""
    if module in SHAPED_MODULES:
        return list(fed_shape(module, model, options.shapes.get(module)))
    check_fixed_shape(module, model)
    return None


def _side_limit(detector: str) -> tuple[int, str]:
    # PaddleX's own configs: OCR (v5, v6) keeps pages as they are; those that use a v3 or v4
    # detector (PP-ChatOCRv4-doc) shrink them to 960, the size it was trained at.
    return (960, "max") if "PP-OCRv4" in detector or "PP-OCRv3" in detector else (64, "min")


def _device_id(device: str) -> int:
    match = _DEVICE.fullmatch(device)
    if match is None:
        raise InputError(
            f"{device!r} is not an NPU", hint="give npu or npu:N, N as npu-smi counts; OM needs one"
        )
    return int(match[1] or 0)


def _expected(values: Mapping[str, object]) -> dict[str, object]:
    """The config as data, built without the template: what its text has to read back as."""
    modules = values["modules"]
    assert isinstance(modules, dict)
    backend = values["backend"]
    parts = {name: _expected_module(name, modules[name], values) for name in modules}
    document = {
        name: parts.pop(name)
        for name in ("DocOrientationClassify", "DocUnwarping")
        if name in parts
    }
    config: dict[str, object] = {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocessor": bool(document),
        "use_textline_orientation": "TextLineOrientation" in parts,
        "SubModules": parts,
    }
    if backend == "onnx":
        config["engine"] = "onnxruntime"
    elif backend == "paddle":
        config["engine"] = "paddle_static"
        config["engine_config"] = {"paddle_static": {"run_mode": "paddle"}}
    if document:
        config["SubPipelines"] = {
            "DocPreprocessor": {
                "pipeline_name": "doc_preprocessor",
                "use_doc_orientation_classify": "DocOrientationClassify" in document,
                "use_doc_unwarping": "DocUnwarping" in document,
                "SubModules": document,
            }
        }
    return config


def _expected_module(
    name: str, module: Mapping[str, object], values: Mapping[str, object]
) -> dict[str, object]:
    config = {key: module[key] for key in ("module_name", "model_name", "model_dir")}
    if name == "TextDetection":
        config |= {
            "limit_side_len": values["limit_side_len"],
            "limit_type": values["limit_type"],
            "max_side_limit": 4000,
            "thresh": 0.3,
            "box_thresh": 0.6,
            "unclip_ratio": 1.5,
        }
    if name == "TextRecognition":
        config |= {"score_thresh": 0.0}
    if module["on_npu"]:
        if name in SHAPED_MODULES:
            config["input_shape"] = module["input_shape"]
        hpi: dict[str, object] = {"backend": "om", "device_type": "npu"}
        hpi["device_id"] = values["device_id"]
        config |= {"batch_size": 1}
    elif values["backend"] == "om":
        hpi = {"backend": "onnxruntime", "device_type": "cpu"}
    else:
        if name in _BATCH_SIZES:
            config["batch_size"] = _BATCH_SIZES[name]
        return config
    return config | {"use_hpip": True, "hpi_config": {"auto_config": False} | hpi}
