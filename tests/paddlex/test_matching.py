from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.paddlex.modules import scan_models
from tests.paddlex.rendering import model, render

MakeModel = Callable[..., Path]

DET = model("PP-OCRv5_mobile_det")
REC = model("PP-OCRv5_mobile_rec")

TWICE = """pipeline_name: layout_parsing
use_seal_recognition: True
SubModules:
  LayoutDetection: {model_name: PP-DocLayout_plus-L, model_dir: null}
  RegionDetection: {model_name: PP-DocBlockLayout, model_dir: null}
SubPipelines:
  GeneralOCR:
    pipeline_name: OCR
    SubModules:
      TextDetection: {model_name: PP-OCRv5_server_det, model_dir: null}
      TextRecognition: {model_name: PP-OCRv5_server_rec, model_dir: null}
  SealRecognition:
    pipeline_name: seal_recognition
    SubPipelines:
      SealOCR:
        pipeline_name: OCR
        SubModules:
          TextDetection: {model_name: PP-OCRv4_server_seal_det, model_dir: null}
          TextRecognition: {model_name: PP-OCRv5_server_rec, model_dir: null}
"""


def test_one_model_serves_several_places() -> None:
    rendered = render([model("PP-OCRv5_server_rec")], TWICE)
    assert rendered.models == {
        "GeneralOCR.TextRecognition": "PP-OCRv5_server_rec",
        "SealRecognition.SealOCR.TextRecognition": "PP-OCRv5_server_rec",
    }


def test_the_configs_own_model_goes_before_one_of_its_kind() -> None:
    rendered = render([DET, REC, model("PP-OCRv5_server_rec")], TWICE)
    assert rendered.models == {
        "GeneralOCR.TextDetection": "PP-OCRv5_mobile_det",
        "GeneralOCR.TextRecognition": "PP-OCRv5_server_rec",
        "SealRecognition.SealOCR.TextRecognition": "PP-OCRv5_server_rec",
    }
    how = {s.match.module.name: s.match.how for s in rendered.served}
    assert how["GeneralOCR.TextDetection"] == "role"
    assert how["GeneralOCR.TextRecognition"] == "name"


def test_models_whose_labels_count_do_not_stand_for_each_other() -> None:
    """PP-DocBlockLayout finds regions, PP-DocLayout-L other classes than the config's numbers."""
    rendered = render([model("PP-DocBlockLayout"), DET], TWICE)
    assert rendered.models == {
        "RegionDetection": "PP-DocBlockLayout",
        "GeneralOCR.TextDetection": "PP-OCRv5_mobile_det",
    }
    (left,) = [s.match for s in rendered.served if s.match.module.name == "LayoutDetection"]
    assert (left.reason, left.fix) == (
        "there is no converted PP-DocLayout_plus-L",
        "convert PP-DocLayout_plus-L into the same directory",
    )
    use = {"LayoutDetection": "PP-DocLayout-L"}
    chosen = render([model("PP-DocLayout-L"), DET], TWICE, use=use)
    assert chosen.models["LayoutDetection"] == "PP-DocLayout-L"


def test_a_choice_is_for_every_module_that_ends_so_and_the_longest_counts() -> None:
    models = [DET, REC, model("PP-OCRv4_mobile_rec")]
    use = {"TextRecognition": "PP-OCRv5_mobile_rec"}
    both = render(models, TWICE, use=use).models
    assert both["GeneralOCR.TextRecognition"] == "PP-OCRv5_mobile_rec"
    assert both["SealRecognition.SealOCR.TextRecognition"] == "PP-OCRv5_mobile_rec"
    split = render(models, TWICE, use=use | {"SealOCR.TextRecognition": "PP-OCRv4_mobile_rec"})
    assert split.models["GeneralOCR.TextRecognition"] == "PP-OCRv5_mobile_rec"
    assert split.models["SealRecognition.SealOCR.TextRecognition"] == "PP-OCRv4_mobile_rec"
    # A text detector is not meant for seals, whose module ends the same.
    det = render([DET, REC], TWICE, use={"TextDetection": "PP-OCRv5_mobile_det"}).models
    assert "SealRecognition.SealOCR.TextDetection" not in det
    seal = model("PP-OCRv4_server_seal_det")
    own = render([DET, REC, seal], TWICE, use={"TextDetection": "PP-OCRv5_mobile_det"}).models
    assert own["SealRecognition.SealOCR.TextDetection"] == "PP-OCRv4_server_seal_det"


def test_two_candidates_need_a_choice() -> None:
    models = [model("PP-OCRv4_mobile_det"), DET, REC]
    server = TWICE.replace("  LayoutDetection", "  #").replace("  RegionDetection", "  #")
    with pytest.raises(InputError) as caught:
        render(models, server)
    assert caught.value.message == (
        "2 models fit GeneralOCR.TextDetection: PP-OCRv4_mobile_det and PP-OCRv5_mobile_det"
    )
    assert caught.value.hint == "choose one: --use GeneralOCR.TextDetection=PP-OCRv4_mobile_det"
    recognisers = [DET, REC, model("PP-OCRv4_mobile_rec")]
    with pytest.raises(
        InputError, match=r"and several fit SealRecognition\.SealOCR\.TextRecognition"
    ):
        render(recognisers, TWICE)


def test_of_two_directories_of_one_model_the_one_with_the_file_is_taken() -> None:
    onnx = replace(model("PP-OCRv5_mobile_det", "/a", files="onnx"), name="a")
    om = replace(model("PP-OCRv5_mobile_det", "/b", "x:1,3,640,480", files="om"), name="b")
    rec = model("PP-OCRv5_mobile_rec", om="x:1,3,48,320")
    assert render([onnx, om, rec]).models["TextDetection"] == "a"
    assert render([onnx, om, rec], backend="om").models["TextDetection"] == "b"
    with pytest.raises(InputError, match="2 models fit TextDetection: a and b"):
        render([onnx, replace(om, backends=onnx.backends), rec])
    with pytest.raises(InputError, match="2 models are called PP-OCRv5_mobile_det: a, b"):
        render([onnx, om, rec], use={"TextDetection": "PP-OCRv5_mobile_det"})


def test_parts_are_switched_off_by_name() -> None:
    models = [DET, REC]
    off = render(models, TWICE, use={"SealRecognition": "none"})
    assert "use_seal_recognition: False" in off.text
    assert {s.match.module.name for s in off.served if not s.enabled} == {
        "SealRecognition.SealOCR.TextDetection",
        "SealRecognition.SealOCR.TextRecognition",
    }
    line = render(
        [*models, model("PP-LCNet_x0_25_textline_ori")], use={"TextLineOrientation": "none"}
    )
    assert "use_textline_orientation: False" in line.text
    for name in ("TextDetection", "GeneralOCR.TextDetection", "LayoutDetection"):
        with pytest.raises(InputError, match=f"{name} cannot be switched off") as caught:
            render(models, TWICE, use={name: "none"})
        assert "SealRecognition" in caught.value.hint
    with pytest.raises(InputError, match="no module SealReconition") as caught:
        render(models, TWICE, use={"SealReconition": "none"})
    assert caught.value.hint.startswith("did you mean SealRecognition?")


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
def test_wrong_choices(chosen: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        render([DET, REC], use=chosen)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_unusable_model_is_named(make_model: MakeModel, tmp_path: Path) -> None:
    make_model("PP-OCRv5_mobile_det", "det")
    broken = make_model("PP-OCRv5_mobile_rec", "rec")
    (broken / "inference.yml").write_text("a: [")
    models = scan_models(tmp_path / "models")
    (left,) = [s.match for s in render(models).served if s.match.module.key == "TextRecognition"]
    assert "is not YAML" in left.reason
    with pytest.raises(InputError, match=r"PP-OCRv5_mobile_rec cannot be used|does not fit"):
        render(models, use={"TextRecognition": "PP-OCRv5_mobile_rec"})


def test_models_of_roles_that_we_have_no_word_for_are_matched(
    make_model: MakeModel, tmp_path: Path
) -> None:
    make_model("PicoDet-S", "plain")
    text = "pipeline_name: object_detection\nSubModules: {D: {model_name: PicoDet-S}}\n"
    rendered = render(scan_models(tmp_path / "models"), text)
    assert rendered.models == {"D": "PicoDet-S"}
    assert f"model_dir: {tmp_path / 'models' / 'PicoDet-S'}" in rendered.text


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{module_name: chat_bot, model_name: ernie-3.5-8k}", "chat service"),
        ("{module_name: retriever, model_name: embedding-v1}", "embedding service"),
        ("{Text: {module_name: prompt_engneering, task_type: x}}", "text of a prompt"),
        ("{module_name: doc_vlm, model_name: PP-DocBee2-3B}", "vision-language"),
        ("{model_name: PP-Chart2Table}", "vision-language"),
        ("{model_name: PaddleOCR-VL-1.5-0.9B}", "vision-language"),
        ("{model_name: whisper_large}", "speech recognition"),
        ("{other: 1}", "names no model"),
        ("{}", "names no model"),
        ("{model_name: null}", "names no model"),
    ],
)
def test_what_cannot_be_converted_is_left_with_the_reason(entry: str, reason: str) -> None:
    text = f"pipeline_name: x\nSubModules:\n  A: {{model_name: {DET.name}}}\n  B: {entry}\n"
    everything = [DET, model("PP-DocBee2-3B"), model("whisper_large"), model("PP-Chart2Table")]
    rendered = render(everything, text)
    (left,) = [s.match for s in rendered.served if s.match.module.name == "B"]
    assert (left.how, left.model) == ("skipped", None)
    assert reason in left.reason
    assert rendered.text.splitlines()[-1] == f"  B: {entry}"


def test_a_long_list_is_left_out_where_the_name_is_probably_known():
    from converter.paddlex.matching import suggest

    many = ["OCR", *(f"pipeline{number}" for number in range(20))]
    assert suggest("OCRR", many, "there are") == "did you mean OCR? there are 20 others"
    assert suggest("zzz", many, "there are") == f"there are {', '.join(many)}"
    assert suggest("OCRR", many[:3], "there are").endswith("there are OCR, pipeline0, pipeline1")
