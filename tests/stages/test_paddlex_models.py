"""Models of PaddleX's pipelines through the whole pipeline at the opset that every atc takes.

``fixtures/build_paddlex_models.py`` builds them; the small ones here, the others on demand
(docs/reference/models.md has the table).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from converter import convert
from converter.model.comparison import ValidateFacts
from converter.model.inference_yml import read_inference_yml
from converter.model.result import ExportFacts, ModelReport, Status

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("paddlex")]

BUILDER = Path(__file__).parents[2] / "fixtures" / "build_paddlex_models.py"

#: Name, and the lowerings that its export at opset 11 has to report.
MODELS = {
    "PP-LCNet_x0_25_textline_ori": set(),
    # A loop that writes each step's answer into a slice, and ends early.
    "SLANet": {"lower-set_value_with_tensor_", "lower-while"},
}


@pytest.fixture(scope="module")
def paddlex() -> None:
    pytest.importorskip("paddlex")


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BUILDER, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("paddlex_models")
    done = build("-o", directory, *MODELS)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def reports(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelReport]:
    out = tmp_path_factory.mktemp("converted") / "out"
    report = convert([built / name for name in MODELS], out, opset=11, simplify=False)
    return {model.name: model for model in report.models}


@pytest.mark.parametrize("name", MODELS)
def test_is_right_at_opset_11(name: str, reports: dict[str, ModelReport]) -> None:
    report = reports[name]
    failed = [stage.error.message for stage in report.stages if stage.error]
    assert report.status is Status.OK, failed
    exported, validated = report.facts("export"), report.facts("validate")
    assert isinstance(exported, ExportFacts)
    assert isinstance(validated, ValidateFacts)
    assert exported.opset == exported.opset_requested == 11
    assert MODELS[name] <= {repair.name for repair in exported.repairs}
    # A weak comparison would say so in the reason.
    assert all(out.reason == "" for case in validated.cases for out in case.outputs)
    assert len({str(case.input_shapes) for case in validated.cases}) >= 2


@pytest.mark.parametrize("name", MODELS)
def test_is_laid_out_as_paddlex_has_it(name: str, built: Path) -> None:
    files = {path.name for path in (built / name).iterdir()}
    assert files == {"inference.json", "inference.pdiparams", "inference.yml"}
    assert read_inference_yml(built / name / "inference.yml").model_name == name


def test_the_builder_makes_the_same_files_again(built: Path, tmp_path: Path) -> None:
    name = next(iter(MODELS))
    assert build("-o", tmp_path, name).returncode == 0
    for file in (tmp_path / name).iterdir():
        assert file.read_bytes() == (built / name / file.name).read_bytes(), file.name


def test_the_builder_lists_what_it_knows_and_refuses_the_rest() -> None:
    listed = build("--list")
    assert listed.returncode == 0
    names = [line.split("\t")[0] for line in listed.stdout.splitlines()]
    assert {*MODELS, "UVDoc", "PP-DocLayout_plus-L", "SLANeXt_wired"} <= set(names)
    refused = build("no-such-model")
    assert refused.returncode == 2
    assert "no-such-model" in refused.stderr
