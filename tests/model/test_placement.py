"""Which file of a model PaddleX should run: every reason is tried, and each has its words."""

from __future__ import annotations

import json

import pytest

from converter.model.artefacts import MANIFEST, read_placement, write_manifest
from converter.model.placement import PrecisionForecast, place
from converter.model.result import CompileFacts, ErrorInfo, Message, Placement, StageResult, Status

VALIDATED = StageResult(stage="validate", status=Status.OK)


def compiled(shape="x:1,3,48,320", *, status=Status.OK, om_bytes=9, argv=(), **more):
    facts = CompileFacts(
        soc_version="Ascend310P3", argv=("atc", *argv), input_shape=shape, om_bytes=om_bytes
    )
    return StageResult(stage="compile", status=status, facts=facts, **more)


FAILED = compiled(
    status=Status.FAILED,
    om_bytes=None,
    error=ErrorInfo(message="no parser for Loop", hint="h", exit_code=1),
)
WITHOUT_ATC = compiled(
    status=Status.SKIPPED,
    om_bytes=None,
    messages=(Message(level="info", text="atc not found"),),
)
NOT_ASKED = StageResult(
    stage="compile",
    status=Status.SKIPPED,
    messages=(Message(level="info", text="no soc_version asked for"),),
)
POOR = PrecisionForecast(acceptable=False, reason="output y is expected to be off by 10 %")


def test_an_om_file_that_fits():
    placed = place([VALIDATED, compiled()])
    assert placed == Placement(
        backend="om", reason="atc made an OM file for Ascend310P3 and x:1,3,48,320"
    )


@pytest.mark.parametrize("model", [compiled(status=Status.DEGRADED), compiled("x:1,96,1")])
def test_other_om_files_that_fit(model):
    assert place([VALIDATED, model]).backend == "om"


@pytest.mark.parametrize(
    ("stages", "more", "reason"),
    [
        ([VALIDATED], {}, "no OM file was asked for"),
        ([VALIDATED, NOT_ASKED], {}, "no OM file was asked for"),
        ([VALIDATED, FAILED], {}, "atc made no OM file: no parser for Loop"),
        ([VALIDATED, WITHOUT_ATC], {}, "there is no OM file yet: atc not found"),
        ([VALIDATED, compiled("img:1,3,512,512")], {"role": "doc_unwarping"}, "in its own size"),
        ([compiled(argv=("--dynamic_dims=48,320;48,640",))], {}, "takes several shapes"),
        ([compiled(argv=("--insert_op_conf=aipp.cfg",))], {}, "takes images (AIPP)"),
        ([compiled("x:-1,3,48,320")], {}, "takes several shapes"),
        ([compiled("x:1,3,32~64,320")], {}, "takes several shapes"),
        ([compiled("x:8,3,48,320")], {}, "fewer than a whole batch"),
        ([compiled("image:1,3,640,640;im_shape:1,2")], {}, "in that of the alphabet"),
        ([compiled()], {"forecast": POOR}, "in atc's precision output y is expected to be off"),
        ([compiled()], {"wish": "onnx"}, "asked for"),
    ],
)
def test_onnx_and_why(stages, more, reason):
    placed = place(stages, **more)
    assert placed.backend == "onnx"
    assert reason in placed.reason
    assert placed.granted


@pytest.mark.parametrize("status", [Status.FAILED, Status.CRASHED, Status.TIMEOUT])
def test_a_model_that_did_not_pass_is_not_placed(status):
    assert place([StageResult(stage="validate", status=status), NOT_ASKED]) is None


def test_a_wish_is_granted_where_it_can_be():
    assert place([compiled()], wish="om").granted
    refused = place([FAILED], wish="om")
    assert (refused.backend, refused.granted, refused.wish) == ("onnx", False, "om")


def test_a_poor_forecast_yields_to_a_wish_and_is_told():
    placed = place([compiled()], wish="om", forecast=POOR)
    assert placed.backend == "om"
    assert placed.cautions == ("in atc's precision output y is expected to be off by 10 %",)


def test_a_good_forecast_is_told_and_is_no_promise():
    fine = PrecisionForecast(acceptable=True, reason="2 operators stay in float32")
    (caution,) = place([compiled()], forecast=fine).cautions
    assert caution.startswith("2 operators stay in float32, which no chip has shown")


@pytest.mark.parametrize(
    ("role", "name", "caution"),
    [
        ("text_recognition", None, "into 320x48: lines more than 6.7 times as long as high"),
        ("text_detection", None, "stretches every page to 320x48"),
        ("text_detection", "PP-OCRv4_mobile_det", "on ARM hosts"),
    ],
)
def test_cautions(role, name, caution):
    placed = place([compiled()], role=role, model_name=name)
    assert placed.backend == "om"
    assert any(caution in text for text in placed.cautions)


def test_it_is_kept_with_the_model(tmp_path):
    assert read_placement(tmp_path) is None
    placed = place([compiled()], role="text_recognition")
    write_manifest(tmp_path, {}, placement=placed)
    assert read_placement(tmp_path) == placed
    for damaged in (None, 1, {"backend": "gpu", "reason": ""}):
        (tmp_path / MANIFEST).write_text(json.dumps({"placement": damaged}))
        assert read_placement(tmp_path) is None
