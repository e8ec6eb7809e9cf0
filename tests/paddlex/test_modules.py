from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.paddlex.modules import assign, read_models, scan_models
from converter.paddlex.ocr import OCR_MODULES

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


def test_assign_leaves_optional_modules_out(make_model: MakeModel, tmp_path: Path) -> None:
    make_model("PP-OCRv5_mobile_det", "det")
    make_model("PP-OCRv5_mobile_rec", "rec")
    models = assign(OCR_MODULES, scan_models(tmp_path / "models"), {})
    assert {module: model.name for module, model in models.items()} == {
        "TextDetection": "PP-OCRv5_mobile_det",
        "TextRecognition": "PP-OCRv5_mobile_rec",
    }


def test_two_candidates_need_a_choice(make_model: MakeModel, tmp_path: Path) -> None:
    make_model("PP-OCRv4_mobile_det", "det")
    make_model("PP-OCRv5_mobile_det", "det")
    make_model("PP-OCRv5_mobile_rec", "rec")
    models = scan_models(tmp_path / "models")
    with pytest.raises(InputError) as caught:
        assign(OCR_MODULES, models, {})
    assert caught.value.message == (
        "2 models fit TextDetection: PP-OCRv4_mobile_det and PP-OCRv5_mobile_det"
    )
    assert caught.value.hint == "choose one: --use TextDetection=PP-OCRv4_mobile_det"
    chosen = assign(OCR_MODULES, models, {"TextDetection": "PP-OCRv5_mobile_det"})
    assert chosen["TextDetection"].name == "PP-OCRv5_mobile_det"


def test_an_optional_module_can_be_switched_off(make_model: MakeModel, tmp_path: Path) -> None:
    make_model("PP-OCRv5_mobile_det", "det")
    make_model("PP-OCRv5_mobile_rec", "rec")
    make_model("PP-LCNet_x0_25_textline_ori", "plain")
    make_model("PP-LCNet_x1_0_textline_ori", "plain")
    models = scan_models(tmp_path / "models")
    with pytest.raises(InputError, match="2 models fit TextLineOrientation") as caught:
        assign(OCR_MODULES, models, {})
    assert caught.value.hint.endswith("(or =none)")
    assert "TextLineOrientation" not in assign(OCR_MODULES, models, {"TextLineOrientation": "none"})
    with pytest.raises(InputError, match="cannot be switched off"):
        assign(OCR_MODULES, models, {"TextDetection": "none", "TextLineOrientation": "none"})


@pytest.mark.parametrize(
    ("chosen", "message", "hint"),
    [
        ({"TextDetektion": "x"}, "no module TextDetektion", "did you mean TextDetection?"),
        (
            {"TextDetection": "PP-OCRv5_mobil_det"},
            "no model PP-OCRv5_mobil_det",
            "did you mean PP-OCRv5_mobile_det?",
        ),
        (
            {"TextDetection": "PP-OCRv5_mobile_rec"},
            "PP-OCRv5_mobile_rec does not fit TextDetection",
            "it is for text recognition",
        ),
    ],
)
def test_wrong_choices(
    make_model: MakeModel, tmp_path: Path, chosen: dict[str, str], message: str, hint: str
) -> None:
    make_model("PP-OCRv5_mobile_det", "det")
    make_model("PP-OCRv5_mobile_rec", "rec")
    with pytest.raises(InputError) as caught:
        assign(OCR_MODULES, scan_models(tmp_path / "models"), chosen)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_model_says_why_others_were_passed_over(
    make_model: MakeModel, tmp_path: Path
) -> None:
    make_model("PP-OCRv5_mobile_det", "det")
    broken = make_model("PP-OCRv5_mobile_rec", "rec")
    (broken / "inference.yml").unlink()
    with pytest.raises(InputError, match="no model for TextRecognition") as caught:
        assign(OCR_MODULES, scan_models(tmp_path / "models"), {})
    assert "PP-OCRv5_mobile_rec: it has no inference.yml" in caught.value.hint


def test_a_missing_artefact_is_named(make_model: MakeModel, tmp_path: Path) -> None:
    make_model("PP-OCRv5_mobile_det", "det")
    make_model("PP-OCRv5_mobile_rec", "rec")
    models = scan_models(tmp_path / "models")
    with pytest.raises(InputError, match="no model for TextDetection") as caught:
        assign(OCR_MODULES, models, {}, backend="om")
    assert "PP-OCRv5_mobile_det has no inference.om" in caught.value.hint
    with pytest.raises(InputError, match=r"PP-OCRv5_mobile_det has no inference\.om"):
        assign(OCR_MODULES, models, {"TextDetection": "PP-OCRv5_mobile_det"}, backend="om")


def test_unwarping_stays_on_onnx_beside_om(make_model: MakeModel, tmp_path: Path) -> None:
    make_model("PP-OCRv5_mobile_det", "det", files=("inference.om",))
    make_model("PP-OCRv5_mobile_rec", "rec", files=("inference.om",))
    make_model("UVDoc", "plain", files=("inference.onnx",))
    models = assign(OCR_MODULES, scan_models(tmp_path / "models"), {}, backend="om")
    assert models["DocUnwarping"].name == "UVDoc"


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
