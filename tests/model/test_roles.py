from __future__ import annotations

from typing import Any

import pytest

from converter.model.roles import role_of


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("PP-OCRv5_mobile_det", "text_detection"),
        ("PP-OCRv4_server_det", "text_detection"),
        ("PP-OCRv4_mobile_seal_det", "seal_text_detection"),
        ("PP-OCRv5_mobile_rec", "text_recognition"),
        ("en_PP-OCRv4_mobile_rec", "text_recognition"),
        ("PP-OCRv4_server_rec_doc", "text_recognition"),
        ("ch_SVTRv2_rec", "text_recognition"),
        ("PP-LCNet_x1_0_doc_ori", "doc_orientation"),
        ("PP-LCNet_x0_25_textline_ori", "textline_orientation"),
        ("PP-LCNet_x1_0_table_cls", "table_classification"),
        ("RT-DETR-L_wired_table_cell_det", "table_cells_detection"),
        ("RT-DETR-H_layout_17cls", "layout_detection"),
        ("PicoDet_layout_1x_table", "layout_detection"),
        ("PP-DocLayoutV2", "layout_detection"),
        ("PP-DocBlockLayout", "layout_detection"),
        ("SLANet_plus", "table_structure_recognition"),
        ("SLANeXt_wired", "table_structure_recognition"),
        ("PP-FormulaNet_plus-M", "formula_recognition"),
        ("LaTeX_OCR_rec", "formula_recognition"),
        ("UniMERNet", "formula_recognition"),
        ("UVDoc", "doc_unwarping"),
        ("ch_RepSVTR_rec", "text_recognition"),
        ("ch_ppocr_mobile_v2.0_rec", "text_recognition"),
        ("PP-ShiTuV2_rec", None),
        ("ResNet50", None),
        (None, None),
    ],
)
def test_official_names(name: str | None, role: str | None) -> None:
    assert role_of(name, {}) == role


@pytest.mark.parametrize(
    ("postprocess", "role"),
    [
        ({"name": "DBPostProcess"}, "text_detection"),
        ({"name": "CTCLabelDecode"}, "text_recognition"),
        ({"name": "UniMERNetDecode"}, "formula_recognition"),
        ({"Topk": {"label_list": ["0", "90", "180", "270"]}}, "doc_orientation"),
        ({"Topk": {"label_list": [0, 90, 180, 270]}}, "doc_orientation"),
        ({"Topk": {"label_list": ["0_degree", "180_degree"]}}, "textline_orientation"),
        ({"Topk": {"label_list": ["cat", "dog"]}}, None),
        ({"Topk": None}, None),
        ({"name": ["DBPostProcess"]}, None),
        ({}, None),
    ],
)
def test_post_processing_tells_when_the_name_does_not(
    postprocess: dict[str, Any], role: str | None
) -> None:
    assert role_of("my_model", postprocess) == role


def test_the_name_goes_before_the_post_processing() -> None:
    assert role_of("x_seal_det", {"name": "DBPostProcess"}) == "seal_text_detection"
