"""What a model does in a PaddleX pipeline, told from its name and its post-processing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

#: Names of PaddleX modules, except that ``image_unwarping`` is ``doc_unwarping`` here.
Role: TypeAlias = Literal[
    "text_detection",
    "seal_text_detection",
    "text_recognition",
    "textline_orientation",
    "doc_orientation",
    "doc_unwarping",
    "layout_detection",
    "table_classification",
    "table_cells_detection",
    "table_structure_recognition",
    "formula_recognition",
]

#: Official model names, first match wins: a narrower pattern stands before a wider one.
_BY_NAME: tuple[tuple[str, Role], ...] = (
    (r"_seal_det$", "seal_text_detection"),
    (r"_textline_ori$", "textline_orientation"),
    (r"_doc_ori$", "doc_orientation"),
    (r"^UVDoc", "doc_unwarping"),
    (r"_table_cls$", "table_classification"),
    (r"_table_cell_det$", "table_cells_detection"),
    (r"^SLANe", "table_structure_recognition"),
    (r"^(PP-FormulaNet|LaTeX_OCR|UniMERNet)", "formula_recognition"),
    (r"layout|^PP-Doc(Block)?Layout", "layout_detection"),
    (r"(^|_)PP-OCRv\d.*_det$", "text_detection"),
    # Not every *_rec reads text: PP-ShiTuV2_rec recognises products.
    (r"(^|_)(PP-OCRv\d|ppocr_).*_rec(_|$)|SVTR.*_rec$", "text_recognition"),
)

_BY_POSTPROCESS: Mapping[str, Role] = {
    "DBPostProcess": "text_detection",
    "CTCLabelDecode": "text_recognition",
    "TableLabelDecode": "table_structure_recognition",
    "LaTeXOCRDecode": "formula_recognition",
    "UniMERNetDecode": "formula_recognition",
    "DocTrPostProcess": "doc_unwarping",
}

_BY_LABELS: Mapping[tuple[str, ...], Role] = {
    ("0", "90", "180", "270"): "doc_orientation",
    ("0_degree", "180_degree"): "textline_orientation",
    ("wired_table", "wireless_table"): "table_classification",
}


def role_of(model_name: str | None, postprocess: Mapping[str, Any]) -> Role | None:
    """Return the model's role, or None when neither its name nor its post-processing tells.

    The name goes first: seal detection has the post-processing of any text detection.
    ``postprocess`` is the ``PostProcess`` section of ``inference.yml``, or ``{}``.
    """
    for pattern, role in _BY_NAME:
        if model_name and re.search(pattern, model_name):
            return role
    name = postprocess.get("name")
    if isinstance(name, str) and name in _BY_POSTPROCESS:
        return _BY_POSTPROCESS[name]
    top = postprocess.get("Topk")
    labels = top.get("label_list") if isinstance(top, dict) else None
    if isinstance(labels, list) and all(isinstance(label, str | int) for label in labels):
        return _BY_LABELS.get(tuple(map(str, labels)))
    return None
