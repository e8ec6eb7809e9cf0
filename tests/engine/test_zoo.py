"""A whole zoo in one go: every model is right, or a failure that says what it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import command

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def paddle2om(*words, cwd):
    return command.paddle2om(*words, cwd=cwd, limit=None, PADDLE2OM_CACHE=str(cwd / "user"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The zoo's directory, what is expected of each model, and the build's process."""
    root = tmp_path_factory.mktemp("zoo")
    maker = [sys.executable, ROOT / "fixtures" / "build_zoo.py", root / "zoo"]
    subprocess.run(maker, check=True, capture_output=True)
    expected = json.loads((root / "zoo" / "zoo.json").read_text())
    recipe = ["schema: 1", "defaults: {opset: 11}", "models:"]
    recipe += [f"  - path: zoo/{name}" for name in expected]
    (root / "zoo.yaml").write_text("\n".join(recipe) + "\n")
    return root, expected, paddle2om("build", "zoo.yaml", "-o", "out", "--cache", "c", cwd=root)


def test_every_model_ends_as_it_must(built):
    root, expected, build = built
    models = {
        m["name"]: m for m in json.loads((root / "out" / "report.json").read_text())["models"]
    }
    assert len(expected) >= 60
    assert models.keys() == expected.keys()
    assert build.returncode == max(entry["exit_code"] for entry in expected.values()) == 2
    for name, wanted in expected.items():
        errors = [(s["stage"], s["error"]) for s in models[name]["stages"] if s["error"]]
        if not wanted["exit_code"]:
            assert errors == [], name
            assert (root / "out" / name / "inference.onnx").is_file(), name
            validated = next(s for s in models[name]["stages"] if s["stage"] == "validate")
            assert validated["status"] in ("ok", "degraded"), name
            assert validated["facts"]["cases"], name
            continue
        ((stage, error),) = errors
        assert (stage, error["exit_code"]) == (wanted["stage"], wanted["exit_code"]), name
        assert wanted["words"] in error["message"], name
        assert error["hint"], name
        assert not (root / "out" / name / "inference.onnx").exists(), name
    assert "Traceback" not in build.stderr


def test_a_second_build_converts_nothing(built):
    root, expected, build = built
    before = {p: p.read_bytes() for p in (root / "out").rglob("*.onnx")}
    again = paddle2om("build", "zoo.yaml", "-o", "out", "--cache", "c", cwd=root)

    assert again.returncode == build.returncode
    report = json.loads((root / "out" / "report.json").read_text())
    ran = {
        (model["name"], stage["stage"])
        for model in report["models"]
        for stage in model["stages"]
        if stage["status"] != "skipped" and not stage["cached"]
    }
    assert ran == set()
    assert {p: p.read_bytes() for p in (root / "out").rglob("*.onnx")} == before
    assert len(before) == sum(not entry["exit_code"] for entry in expected.values())
