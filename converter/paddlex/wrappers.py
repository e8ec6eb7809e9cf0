"""PaddleOCR's classes for PaddleX pipelines, and the arguments they cannot do without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def wrapper_arguments(config: Mapping[str, Any]) -> dict[str, str]:
    """What ``PaddleOCR(paddlex_config=...)`` must be told again so that it keeps the config.

    PaddleOCR 3.7 writes its default model names over the config's unless one of the names of the
    detector and the recogniser, or their directories, is given; both are given here.
    """
    if config.get("pipeline_name") != "OCR":
        return {}
    modules = config.get("SubModules") or {}
    names = {
        "text_detection_model_name": (modules.get("TextDetection") or {}).get("model_name"),
        "text_recognition_model_name": (modules.get("TextRecognition") or {}).get("model_name"),
    }
    return {argument: str(name) for argument, name in names.items() if name}
