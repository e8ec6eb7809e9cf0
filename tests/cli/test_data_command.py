"""``--data``, ``--min-agreement`` and ``--sweep`` from the command line and from Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from converter import convert
from converter.errors import InputError
from tests.command import paddle2om

ROOT = Path(__file__).parents[2]
CLS = ROOT / "fixtures/ch_ppocr_mobile_v2.0_cls"


def facts_of(report: Path) -> dict:
    stages = json.loads(report.read_text("utf-8"))["models"][0]["stages"]
    return next(stage["facts"] for stage in stages if stage["stage"] == "validate")


YML = """\
Hpi:
  backend_configs:
    tensorrt:
      dynamic_shapes:
        x: [[1, 3, 48, 192], [1, 3, 48, 192], [8, 3, 48, 192]]
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - ClsResizeImg: {image_shape: [3, 48, 192]}
PostProcess: {name: ClsPostProcess, label_list: ['0', '180']}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier, with what PaddleX would say of it."""
    made = Path(shutil.copytree(CLS, tmp_path_factory.mktemp("model") / CLS.name))
    (made / "inference.yml").write_text(YML, "utf-8")
    return made


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Two lines as arrays, as the classifier takes them."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "lines"
    folder.mkdir()
    for index in range(2):
        array = rng.uniform(-1, 1, (1, 3, 48, 192)).astype(np.float32)
        np.savez(folder / f"{index}.npz", x=array)
    return folder


def test_data_and_a_sweep_are_compared_and_shown_everywhere(
    model: Path, lines: Path, tmp_path: Path
) -> None:
    """One conversion, for its time: data, sweep, agreement, and every view of them."""
    out, summary = tmp_path / "out", tmp_path / "summary.md"
    done = paddle2om(
        *("convert", model, "-o", out, "--data", lines, "--sweep", "--min-agreement", "1"),
        *("--markdown", summary),
    )

    assert done.returncode == 0, done.stderr
    facts = facts_of(out / "report.json")
    labels = [case["label"] for case in facts["cases"]]
    assert sum("0.npz" in label or "1.npz" in label for label in labels) == 2
    assert all(case["passed"] for case in facts["cases"])
    assert {shape["what"] for shape in facts["sweep"]} == {"min", "max", "batch 3"}
    assert {shape["case"] for shape in facts["sweep"]} <= set(labels)
    classes = sum(case["task"]["items"] for case in facts["cases"] if case["task"])
    assert classes >= 10
    said = f"{classes} of {classes} classes equal"
    page = (out / "report.html").read_text("utf-8")
    for text in (" ".join(done.stderr.split()), page, summary.read_text("utf-8")):
        assert said in text
    assert "3 of 3 shapes compared" in " ".join(done.stderr.split())
    assert "Sweep over shapes" in page
    assert "[8, 3, 48, 192]" in page


def test_one_wrong_case_of_the_users_data_fails_with_3(
    model: Path, lines: Path, tmp_path: Path
) -> None:
    """A tolerance that only the user's data misses: with larger values differences are larger."""
    np.savez(lines / "2.npz", x=np.full((1, 3, 48, 192), 3e4, np.float32))
    out = tmp_path / "out"
    done = paddle2om(
        "convert", model, "-o", out, "--data", lines, "--tolerance", "*:atol=0,rtol=0,min_cosine=0"
    )

    assert done.returncode == 3, done.stderr
    assert not (out / CLS.name / "inference.onnx").exists()
    assert (out / "rejected" / CLS.name / "inference.onnx").exists() or list(
        out.rglob("rejected/**/inference.onnx")
    )


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((1, 3, 48, 192)), "float64"),
        (np.zeros((1, 4, 48, 192), np.float32), "[1, 4, 48, 192]"),
        (np.zeros((3, 48, 192), np.float32), "[3, 48, 192]"),
    ],
)
def test_data_that_does_not_fit_is_told_before_anything_is_converted(
    model: Path, array: np.ndarray, told: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "bad.npz", x=array)
    done = paddle2om("convert", model, "-o", tmp_path / "out", "--data", tmp_path / "bad.npz")

    assert done.returncode == 2
    assert "bad.npz" in done.stderr
    assert told in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_data_that_is_not_there_is_an_error_before_workers_start(
    model: Path, tmp_path: Path
) -> None:
    done = paddle2om("convert", model, "-o", tmp_path / "out", "--data", tmp_path / "none.npz")

    assert done.returncode == 2
    assert "none.npz" in done.stderr
    assert not (tmp_path / "out").exists()


def test_python_takes_data_agreement_and_sweep(model: Path, lines: Path, tmp_path: Path) -> None:
    report = convert(model, tmp_path / "out", data=[lines / "0.npz"], min_agreement=1.0, sweep=True)

    assert report.exit_code == 0
    facts = report.models[0].facts("validate")
    assert len(facts.sweep) == 3
    assert any("0.npz" in case.label for case in facts.cases)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"data": 3}, "data is 3"),
        ({"data": [3]}, "not a path"),
        ({"data": "nowhere.npz"}, "nowhere.npz"),
        ({"min_agreement": 2.0}, "share"),
        ({"min_agreement": "all"}, "min_agreement"),
        ({"sweep": "all of them"}, "sweep"),
    ],
)
def test_python_refuses_what_makes_no_sense(arguments: dict, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        convert(CLS, tmp_path / "out", **arguments)


def test_a_sweep_is_of_two_models(model: Path, tmp_path: Path) -> None:
    record = paddle2om("validate", model, "--record", tmp_path / "cases", "--sweep")
    assert record.returncode == 2
    assert "--sweep" in record.stderr

    assert paddle2om("validate", model, "--record", tmp_path / "cases").returncode == 0
    swept = paddle2om("validate", model, tmp_path / "cases", "--sweep")
    assert swept.returncode == 2
    assert "cannot be run on other shapes" in swept.stderr
    both = paddle2om("validate", model, model, "--sweep")
    assert both.returncode == 0, both.stderr
    assert "text x=3x3x48x192 seed 102" in both.stdout
    assert "sweep: 3 of 3 shapes compared" in " ".join(both.stderr.split())
