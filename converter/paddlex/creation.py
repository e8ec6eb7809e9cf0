"""How a config becomes a pipeline, in PaddleX itself or through one of PaddleOCR's classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converter.errors import InputError
from converter.paddlex.intent import device_meant, engine_meant, loads_model
from converter.paddlex.pipeline import Pipeline
from converter.paddlex.targets import parse_device

#: PaddleX pipeline -> the class of PaddleOCR 3.x that runs it.
WRAPPERS: Mapping[str, str] = {
    "OCR": "PaddleOCR",
    "PP-StructureV3": "PPStructureV3",
    "PP-ChatOCRv4-doc": "PPChatOCRv4Doc",
    "PP-DocTranslation": "PPDocTranslation",
    "doc_preprocessor": "DocPreprocessor",
    "doc_understanding": "DocUnderstanding",
    "formula_recognition": "FormulaRecognitionPipeline",
    "seal_recognition": "SealRecognition",
    "table_recognition_v2": "TableRecognitionPipelineV2",
    "PaddleOCR-VL": "PaddleOCRVL",
}

#: The command of PaddleOCR's command line for the same.
WRAPPER_COMMANDS: Mapping[str, str] = {
    "PaddleOCR": "ocr",
    "PPStructureV3": "pp_structurev3",
    "PPChatOCRv4Doc": "pp_chatocrv4_doc",
    "PPDocTranslation": "pp_doctranslation",
    "DocPreprocessor": "doc_preprocessor",
    "DocUnderstanding": "doc_understanding",
    "FormulaRecognitionPipeline": "formula_recognition_pipeline",
    "SealRecognition": "seal_recognition",
    "TableRecognitionPipelineV2": "table_recognition_v2",
    "PaddleOCRVL": "doc_parser",
}


@dataclass(frozen=True)
class Creation:
    """How to create the pipeline of a config: PaddleOCR's class, or None for PaddleX itself.

    ``device`` is None where passing one would override what the config says. ``names`` are
    arguments that PaddleOCR has to be given again so that it keeps the config's models.
    """

    wrapper: str | None
    device: str | None
    names: Mapping[str, str]

    def arguments(self) -> dict[str, object]:
        """The keyword arguments besides the config."""
        return {**self.names, **({} if self.device is None else {"device": self.device})}


def creation(pipeline: Pipeline, *, wrapper: bool, device: str | None = None) -> Creation:
    """Decide on it. ``device`` is the user's, for modules to which the config gives none.

    Raises ``InputError`` for a device that some module could not bear, for modules on several
    devices in PaddleOCR, which gives all of them one, and for pipelines that it has not.
    """
    modules = [module for module in pipeline.modules if loads_model(module)]
    asked = parse_device(device) if device is not None else None
    own = {meant for meant in map(device_meant, modules) if meant is not None}
    if asked is not None:
        onnx = next((m for m in modules if engine_meant(m) == "onnxruntime"), None)
        if onnx is not None and asked.kind not in ("cpu", "gpu"):
            raise InputError(
                f"{onnx.name} runs on ONNX Runtime, which PaddleX refuses on {asked}",
                hint="leave out the device; ONNX models run on the CPU of an NPU's host",
            )
        if own - {str(asked)}:
            raise InputError(
                f"the device {asked} would override those that the config gives its modules",
                hint="leave out the device",
            )
    if not wrapper:
        # PaddleX takes each module's own, as long as nobody passes another.
        return Creation(None, str(asked) if asked and not own else None, {})
    if pipeline.name not in WRAPPERS:
        raise InputError(
            f"PaddleOCR has no class for the pipeline {pipeline.name}",
            hint=f"run it with PaddleX; PaddleOCR has {', '.join(WRAPPERS)}",
        )
    if len(own) > 1:
        raise InputError(
            f"the config has modules on {' and '.join(sorted(own))}, and PaddleOCR gives all of "
            "them one device",
            hint="run it with PaddleX, or render all modules for one device",
        )
    # Without a device PaddleOCR takes a GPU if there is one.
    at = next(iter(own), str(asked) if asked else "cpu")
    return Creation(WRAPPERS[pipeline.name], at, _names(pipeline))


def _names(pipeline: Pipeline) -> dict[str, str]:
    """PaddleOCR 3.7 writes its default models over the config's, unless it is told any of these."""
    if pipeline.name != "OCR":
        return {}
    models = {module.name: module.model_name for module in pipeline.modules}
    return {
        "text_detection_model_name": models["TextDetection"],
        "text_recognition_model_name": models["TextRecognition"],
    }
