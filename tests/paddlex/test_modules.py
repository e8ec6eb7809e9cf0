from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.paddlex.modules import read_models, scan_models

MakeModel = Callable[..., Path]


def test_scan_reads_role_and_artefacts(make_model: MakeModel, tmp_path: Path) -> None:
    make_model("PP-OCRv5_mobile_det", "det", files=("inference.onnx", "inference.om"))
    make_model("PP-OCRv5_mobile_rec", "rec", files=("inference.json", "inference.pdiparams"))
    make_model("UVDoc", "plain")
    make_model("PP-LCNet_x1_0_doc_ori", "plain")
    make_model("PP-LCNet_x0_25_textline_ori", "plain")
    found = {model.name: model for model in scan_models(tmp_path / "models")}
    assert {name: model.role for name, model in found.items()} == {
        "PP-OCRv5_mobile_det": "text_detection",
        "PP-OCRv5_mobile_rec": "text_recognition",
        "UVDoc": "doc_unwarping",
        "PP-LCNet_x1_0_doc_ori": "doc_orientation",
        "PP-LCNet_x0_25_textline_ori": "textline_orientation",
    }
    assert found["PP-OCRv5_mobile_det"].backends == {"onnx", "om"}
    assert found["PP-OCRv5_mobile_rec"].backends == {"paddle"}
    assert found["PP-OCRv5_mobile_rec"].image_shape == (3, 48, 320)


def test_scan_reads_what_the_om_file_was_compiled_for(
    make_model: MakeModel, tmp_path: Path
) -> None:
    make_model("PP-OCRv5_mobile_det", "det", om_input_shape="x:1,3,736,736")
    make_model("PP-OCRv5_mobile_rec", "rec")
    found = {model.name: model.om_input_shape for model in scan_models(tmp_path / "models")}
    assert found == {"PP-OCRv5_mobile_det": "x:1,3,736,736", "PP-OCRv5_mobile_rec": None}


def test_scan_accepts_a_single_model_and_skips_hidden(
    make_model: MakeModel, tmp_path: Path
) -> None:
    path = make_model("PP-OCRv5_mobile_det", "det")
    make_model("PP-OCRv5_mobile_rec", "rec", directory=".work")
    assert [model.name for model in scan_models(path)] == ["PP-OCRv5_mobile_det"]
    assert [model.name for model in scan_models(tmp_path / "models")] == ["PP-OCRv5_mobile_det"]


@pytest.mark.parametrize("make", [False, True])
def test_scan_of_nothing_is_an_error(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "none" / "notes").mkdir(parents=True)
    with pytest.raises(InputError):
        scan_models(tmp_path / "none")


def test_a_broken_yml_is_a_problem_of_that_model_only(
    make_model: MakeModel, tmp_path: Path
) -> None:
    path = make_model("PP-OCRv5_mobile_det", "det")
    (path / "inference.yml").write_text("a: [")
    (model,) = read_models({"renamed": path})
    assert (model.name, model.role) == ("renamed", None)
    assert "is not YAML" in model.problem


@pytest.mark.parametrize(
    ("file", "content"),
    [("inference.om", b"not om"), ("inference.om", b""), ("inference.onnx", b"")],
)
def test_a_file_that_holds_no_model_is_none(make_model, tmp_path, file, content):
    make_model("PP-OCRv5_mobile_det", "det", files=(file,))
    (tmp_path / "models" / "PP-OCRv5_mobile_det" / file).write_bytes(content)

    (found,) = scan_models(tmp_path / "models")

    assert found.backends == frozenset()
