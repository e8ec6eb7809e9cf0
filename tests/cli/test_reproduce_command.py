"""``paddle2om reproduce`` as a user runs it: on a build with an OM file of the simulated atc."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from converter.cli.app import app
from converter.errors import InputError
from converter.model.artefacts import MANIFEST
from converter.model.run_manifest import read_run
from tests import command

pytestmark = pytest.mark.slow

SIMULATOR = Path(__file__).parent.parent / "simulators" / "atc_simulator.py"

RECIPE = """\
schema: 1
models:
  - path: models/tiny
    opset: 13
    soc: Ascend310P3
    shapes: [1, 3, 32, 32]
  - path: models/broken
"""


def paddle2om(root: Path, *words, atc: bool = True) -> subprocess.CompletedProcess[str]:
    paths = [str(root / "bin")] if atc else []
    return command.paddle2om(
        *words,
        cwd=root,
        PATH=os.pathsep.join([*paths, os.environ["PATH"]]),
        ATC_SIMULATOR_MODE="faithful",
        ATC_SIMULATOR_CALLS=str(root / "calls"),
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_pir):
    """The directory with the recipe; its run is in ``out``."""
    root = tmp_path_factory.mktemp("reproduced")
    shutil.copytree(tiny_pir, root / "models" / "tiny")
    shutil.copytree(tiny_pir, root / "models" / "broken")
    (root / "models" / "broken" / "inference.pdiparams").write_bytes(b"cut")
    (root / "zoo.yaml").write_text(RECIPE)
    (root / "bin").mkdir()
    atc = root / "bin" / "atc"
    atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
    atc.chmod(0o755)
    ran = paddle2om(root, "build", "zoo.yaml", "-o", "out", "--no-cache", "-q")
    assert ran.returncode == 2, ran.stderr  # the broken one
    assert (root / "out" / "tiny" / "inference.om").is_file()
    return root


def state_of(directory: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_every_byte_is_made_again_and_the_run_is_left_alone(built):
    before = state_of(built / "out")

    again = paddle2om(built, "reproduce", "out", "-o", "again", "--json")

    told = json.loads(again.stdout)
    assert again.returncode == told["exit_code"] == 0, again.stdout + again.stderr
    verdicts = {file["path"]: file["verdict"] for file in told["files"]}
    assert set(verdicts.values()) == {"equal"}
    assert {"tiny/inference.onnx", "tiny/inference.om", "tiny/atc.sh"} <= set(verdicts)
    # What is told is what is on the disk.
    for name in verdicts:
        assert (built / "again" / name).read_bytes() == (built / "out" / name).read_bytes()
    assert {m["name"]: (m["recorded"], m["now"]) for m in told["models"]} == {
        "tiny": ("ok", "ok"),
        "broken": ("failed", "failed"),
    }
    assert state_of(built / "out") == before


def test_the_manifest_of_two_equal_runs_differs_in_the_reports_digests_only(built):
    ours, again = (json.loads((built / d / MANIFEST).read_bytes()) for d in ("out", "again"))

    assert ours["files"] != again["files"]  # the reports have times in them
    for run in (ours["run"], again["run"]):
        run.pop("command")
        run.pop("recipe")  # a reproduction knows no recipe
    assert ours["run"] == again["run"]


def test_without_atc_an_om_file_is_said_to_be_not_reproduced(built):
    again = paddle2om(built, "reproduce", "out", "--model", "tiny", "--json", atc=False)

    told = json.loads(again.stdout)
    assert again.returncode == told["exit_code"] == 1
    files = {file["path"]: file for file in told["files"]}
    assert files["tiny/inference.om"]["verdict"] == "not reproduced"
    assert files["tiny/inference.om"]["why"] == ["atc not found"]
    assert files["tiny/inference.onnx"]["verdict"] == "equal"
    assert told["kept"]
    shutil.rmtree(Path(told["directory"]).parent)


def test_a_changed_source_is_told_before_and_named_as_the_reason(built, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(built / "models", moved)
    weights = moved / "tiny" / "inference.pdiparams"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 0x40
    weights.write_bytes(data)
    words = ("reproduce", "out", "--moved", f"models={moved}", "--model", "tiny")

    plan = paddle2om(built, *words, "--plan")
    assert plan.returncode == 0
    assert plan.stdout == f"differs: source {weights} changed, of tiny\n"

    again = paddle2om(built, *words, "-o", tmp_path / "made")
    assert again.returncode == 3, again.stderr
    assert again.stderr.startswith(plan.stdout)
    lines = again.stdout.splitlines()
    at = lines.index("different  tiny/inference.onnx")
    assert re.search(r"1 of \d+ initializers \(", lines[at + 1])
    assert lines[at + 2].strip() == f"source {weights} changed"
    assert lines[-1].startswith("not reproduced: ")


def test_an_edited_file_of_the_run_is_told_and_fails(built, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(built / "out", run)
    with (run / "tiny" / "inference.onnx").open("ab") as file:
        file.write(b"hi\n")

    quiet = paddle2om(built, "reproduce", run, "--model", "tiny", "-q", "-o", tmp_path / "quiet")
    assert quiet.returncode == 3
    assert re.fullmatch(r"not reproduced: \d files: 1 edited, \d equal\n", quiet.stdout), (
        quiet.stdout
    )

    told = paddle2om(built, "reproduce", run, "--model", "tiny", "-o", tmp_path / "told")
    assert told.returncode == 3
    assert "differs: tiny/inference.onnx was edited since the run made it" in told.stderr
    lines = told.stdout.splitlines()
    assert lines[:2] == [
        "edited  tiny/inference.onnx",
        "        the run's own file was edited since it was made",
    ]


def test_two_reports_of_one_run_give_one_manifest(built):
    written = paddle2om(built, "report", "write", "out", "manifest")
    recorded = json.loads((built / "out" / MANIFEST).read_bytes())["run"]

    assert json.loads(written.stdout) == recorded
    assert "started" not in written.stdout
    (built / "m.json").write_text(written.stdout)
    assert read_run(built / "m.json")[0] == read_run(built / "out" / "report.json")[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "nothing does not exist"),
        (("out/tiny",), "says nothing of how they were made"),
        (("models",), "does not exist"),
        (("zoo.yaml",), "is not valid JSON"),
        (("out", "--model", "other"), "the run has no model other"),
        (("out", "-o", "out/again"), "where the run is that is to be reproduced"),
        (("out", "-o", "models"), "is not an empty directory"),
        (("out", "--moved", "models"), "is not OLD=NEW"),
        (("out", "--moved", "models=gone"), "does not exist any more: tiny was made from it"),
    ],
)
def test_wrong_input_is_told_before_anything_runs(built, monkeypatch, words, message):
    before = state_of(built / "out")
    monkeypatch.chdir(built)

    ended = CliRunner().invoke(app, ["reproduce", *words])

    assert isinstance(ended.exception, InputError)
    assert message in ended.exception.message
    assert ended.exception.hint
    assert state_of(built / "out") == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "manifest schema 2"),
        ({"models": 3}, "is not a complete manifest"),
        ({"tool": "other"}, "is not a complete manifest|not made by paddle2om"),
    ],
)
def test_a_damaged_manifest_is_refused(built, tmp_path, change, message):
    manifest = read_run(built / "out")[0]
    (tmp_path / "m.json").write_text(json.dumps(manifest.content() | change))

    with pytest.raises(InputError, match=message):
        read_run(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("models", 0, "name"), "../tiny", "is no name of a model"),
        (("models", 0, "name"), "broken", "has broken twice, and one directory cannot hold both"),
        (("models", 0, "artefacts", 0, "path"), "../x", "is not a path in the output directory"),
        (("models", 0, "artefacts", 0, "path"), "/x", "is not a path in the output directory"),
    ],
)
def test_a_manifest_cannot_lead_out_of_the_directory(built, tmp_path, place, value, message):
    content = read_run(built / "out")[0].content()
    *way, last = place
    inner = content
    for step in way:
        inner = inner[step]
    inner[last] = value
    (tmp_path / "m.json").write_text(json.dumps(content))

    with pytest.raises(InputError, match=message):
        read_run(tmp_path / "m.json")


def test_a_convert_of_two_models(built, cls_model):
    words = ("models/tiny", cls_model.resolve(), "--opset", "13", "-o", "two", "-q")
    assert paddle2om(built, "convert", *words).returncode == 0

    again = paddle2om(built, "reproduce", "two", "-q")

    assert again.returncode == 0
    assert again.stdout == "reproduced: 2 files, every byte equal\n"


def test_a_build_of_real_models_and_their_pipeline(real_models, tmp_path):
    models = [real_models[name] for name in ("PP-OCRv5_mobile_det", "PP-OCRv4_mobile_rec")]
    listed = "".join(f"  - path: {json.dumps(str(model))}\n" for model in models)
    (tmp_path / "zoo.yaml").write_text(
        f"schema: 1\nmodels:\n{listed}"
        "pipelines:\n  - {name: OCR, paddlex: '3.7', scripts: true}\n"
    )
    ran = paddle2om(tmp_path, "build", "zoo.yaml", "-o", "out", "--no-cache", "-q")
    assert ran.returncode == 0, ran.stderr

    again = paddle2om(tmp_path, "reproduce", "out", "--json")

    told = json.loads(again.stdout)
    assert again.returncode == 0, again.stdout
    paths = {file["path"] for file in told["files"]}
    assert {"PP-OCRv5_mobile_det/inference.onnx", "OCR.yaml", "OCR.run.py"} <= paths
    # The config names the directory it was made for, and is compared as if made there.
    assert str(tmp_path / "out") in (tmp_path / "out" / "OCR.yaml").read_text()
    assert not told["kept"]
    assert not Path(told["directory"]).exists()
