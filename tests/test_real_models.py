"""The five official models: exactly the opset asked for, and Paddle's numbers."""

from __future__ import annotations

import onnx
import pytest

from converter import convert
from converter.model.comparison import ValidateFacts
from converter.model.result import ExportFacts, RunReport, Status
from tests.conftest import REAL_MODELS

pytestmark = pytest.mark.slow

#: On drawn text the steep outputs of these models differ from Paddle's by float32 rounding: up to
#: 4.3e-5 was seen (docs/explanation/tolerances.md).
_TEXT_LIMIT = 1e-4

#: On noise all stay below 1e-5 on the machine this was written on. Recognition comes near it
#: (9.3e-6), and another CPU rounds differently: plain Paddle is up to 3e-5 from float64.
_NOISE_LIMIT = {"PP-OCRv5_mobile_rec": 2e-5}


@pytest.fixture(scope="module")
def report(real_models, tmp_path_factory) -> RunReport:
    out = tmp_path_factory.mktemp("real") / "out"
    return convert(list(real_models.values()), out, opset=11, soc="Ascend310P3", seed=0)


@pytest.mark.parametrize("name", REAL_MODELS)
def test_a_real_model(report, name, tmp_path):
    (model,) = (model for model in report.models if model.name == name)
    by_stage = {stage.stage: stage for stage in model.stages}
    assert model.failure is None
    for stage in ("inspect", "export", "simplify", "validate"):
        assert by_stage[stage].status is Status.OK

    exported = by_stage["export"].facts
    assert isinstance(exported, ExportFacts)
    (artefact,) = by_stage["simplify"].artefacts
    written = onnx.load(f"{report.out_dir}/{artefact.path}")
    assert [(entry.domain, entry.version) for entry in written.opset_import] == [("", 11)]

    validated = by_stage["validate"].facts
    assert isinstance(validated, ValidateFacts)
    assert {case.input_shapes["x"][0] for case in validated.cases} == {1, 2}
    assert len({case.input_shapes["x"] for case in validated.cases}) == 2
    for case in validated.cases:
        (output,) = case.outputs
        assert output.elements > 0
        limit = _NOISE_LIMIT.get(name, 1e-5) if case.label.startswith("uniform") else _TEXT_LIMIT
        assert output.max_abs < limit, case.label
        assert output.cosine > 0.9999 or output.max_abs < 1e-6


def test_the_repairs_that_each_model_needs(report):
    repairs = {
        model.name: {repair.name for repair in model.facts("export").repairs}
        for model in report.models
    }
    assert repairs == {
        "PP-OCRv5_mobile_det": set(),
        "PP-OCRv5_mobile_rec": set(),
        "PP-OCRv4_mobile_det": {"double-attributes"},
        "PP-OCRv4_mobile_rec": {"kept-slice-axes"},
        "ch_ppocr_mobile_v2.0_cls": {"kept-slice-axes"},
    }


def test_the_shapes_for_atc_come_from_inference_yml(report):
    shapes = {model.name: model.facts("compile").input_shape for model in report.models}
    assert shapes["PP-OCRv5_mobile_det"] == "x:1,3,736,736"
    assert shapes["PP-OCRv5_mobile_rec"] == "x:1,3,48,320"
