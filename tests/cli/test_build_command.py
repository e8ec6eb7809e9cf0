"""``paddle2om build`` and ``paddle2om cache`` as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from converter.engine.build import plan_build
from converter.engine.pool import Pool
from converter.engine.recipe.load import load_recipe
from converter.engine.run import Settings
from converter.paddlex.base import own_base
from tests import command

ENV: dict[str, str] = {}


def paddle2om(*words, cwd: Path) -> subprocess.CompletedProcess[str]:
    return command.paddle2om(*words, cwd=cwd, **ENV)


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_pir):
    """A recipe with two opsets of a model and a broken one, built once."""
    root = tmp_path_factory.mktemp("built")
    ENV.update(PADDLE2OM_CACHE=str(root / "user"))
    shutil.copytree(tiny_pir, root / "models" / "tiny")
    shutil.copytree(tiny_pir, root / "models" / "broken")
    (root / "models" / "broken" / "inference.pdiparams").write_bytes(b"cut")
    (root / "zoo.yaml").write_text(
        "schema: 1\nmodels:\n  - path: models/*\n    variants: {opset: [13, 14]}\n"
    )
    return root, paddle2om("build", "zoo.yaml", "-o", "out", "--json", cwd=root)


def test_every_model_is_a_row_and_the_broken_one_a_named_failure(built):
    root, ran = built
    report = json.loads(ran.stdout)
    rows = {model["name"]: model for model in report["models"]}

    assert ran.returncode == 2, ran.stderr
    assert rows["tiny-opset13"]["status"] == "ok"
    assert rows["tiny-opset13"]["variant"] == {"opset": "13"}
    assert rows["tiny-opset14"]["model"] == "tiny"
    assert rows["broken-opset13"]["status"] == "failed"
    assert (root / "out" / "tiny-opset14" / "inference.onnx").is_file()
    assert (root / "user" / "results" / "CACHEDIR.TAG").is_file()


def test_a_second_build_runs_nothing_and_says_the_same(built, monkeypatch):
    root, first = built
    second = paddle2om("build", "zoo.yaml", "-o", "out", "--json", cwd=root)
    models = json.loads(second.stdout)["models"]

    assert second.returncode == first.returncode
    assert "not tried again" in second.stderr
    assert all(stage["cached"] for m in models for stage in m["stages"] if stage["facts"])
    before = {m["name"]: m for m in json.loads(first.stdout)["models"]}
    for model in models:
        errors = [stage["error"] for stage in model["stages"]]
        assert errors == [stage["error"] for stage in before[model["name"]]["stages"]]


def test_a_plan_starts_nothing_and_writes_nothing(built, tmp_path, monkeypatch):
    root, _ = built
    monkeypatch.setattr(Pool, "_ensure_host", lambda self: pytest.fail("a worker was started"))
    settings = Settings(cache=root / "user" / "results", failures=True)

    plan = plan_build(load_recipe(root / "zoo.yaml"), tmp_path / "out", settings)

    states = {model.name: model for model in plan.models}
    assert set(states["tiny-opset13"].stages.values()) == {"cached"}
    assert states["broken-opset13"].stages["inspect"] == "failed"
    assert not any(model.runs for model in plan.models)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("defaults: {seed: 3}\n", "run simplify, validate ("),
        ("defaults: {tolerance: {max_abs: 0.1}}\n", "run validate"),
    ],
)
def test_a_plan_says_what_runs_and_why(built, tmp_path, change, words):
    root, _ = built
    recipe = root / f"changed{len(change)}.yaml"
    recipe.write_text("schema: 1\n" + change + (root / "zoo.yaml").read_text()[10:])

    told = paddle2om("build", recipe.name, "--plan", cwd=root).stdout

    line = next(line for line in told.splitlines() if line.startswith("tiny-opset13"))
    assert words in line
    assert "option" in line
    assert "→" in line


def test_a_plan_with_a_chip_says_what_is_new_and_not_that_it_takes_no_time(built):
    root, _ = built
    text = (root / "zoo.yaml").read_text()[10:]
    (root / "chip.yaml").write_text("schema: 1\ndefaults: {soc: Ascend310P3}\n" + text)

    told = paddle2om("build", "chip.yaml", "--plan", cwd=root).stdout.splitlines()

    (line,) = [line for line in told if line.startswith("tiny-opset13")]
    assert re.search(r"run compile \(time of compile not known, \d+ MB\): ", line)
    assert line.endswith("compile: soc Ascend310P3 (was none)")
    assert told[-1].endswith("; time of compile not known")


def test_a_plan_says_what_the_build_will_refuse(built, tmp_path):
    root, _ = built
    recipe, out = root / "refused.yaml", tmp_path / "out"
    pipelines = "pipelines:\n  - {name: OCR, backend: onnx, out: p.yaml}\n"
    recipe.write_text((root / "zoo.yaml").read_text() + pipelines)
    shutil.copytree(root / "out", out)
    (out / "tiny-opset13" / "inference.onnx").write_bytes(b"mine")
    (out / "p.yaml").write_text("mine")

    told = paddle2om("build", recipe.name, "-o", out, "--plan", cwd=root).stdout
    planned = paddle2om("build", recipe.name, "-o", out, "--plan", "--json", cwd=root).stdout
    built_there = paddle2om("build", recipe.name, "-o", out, "--json", cwd=root)

    why = f"the output is occupied: {out}/tiny-opset13/inference.onnx exists and was not made by "
    assert f"tiny-opset13    refused: {why}" in told
    assert "tiny-opset14    cached" in told
    assert f"pipeline p.yaml  refused: {out}/p.yaml exists" in told
    assert "4 conversions: 0 to run, 1 cached, 2 failed before, 1 refused" in told
    plan = {model["name"]: model for model in json.loads(planned)["models"]}
    report = json.loads(built_there.stdout)
    for model in report["models"]:
        refused = [s["error"]["message"] for s in model["stages"] if s["stage"] == "publish"]
        assert refused == [plan[model["name"]]["why"]] * plan[model["name"]]["refused"]
    assert report["pipelines"][0]["error"]["message"] == json.loads(planned)["refused"]["p.yaml"]

    forced = paddle2om("build", recipe.name, "-o", out, "--plan", "--force", cwd=root).stdout
    assert "refused" not in forced
    (out / "report.html").write_text("mine")
    ended = paddle2om("build", recipe.name, "-o", out, "--plan", cwd=root)
    assert ended.returncode == 2
    assert f"{out}/report.html exists" in ended.stderr


def test_a_plan_reckons_only_the_stages_that_run(built, tmp_path):
    root, first = built
    ran = next(m for m in json.loads(first.stdout)["models"] if m["name"] == "tiny-opset13")
    took = {stage["stage"]: stage for stage in ran["stages"]}
    recipe = root / "reckoned.yaml"
    text = (root / "zoo.yaml").read_text()[10:]
    recipe.write_text("schema: 1\ndefaults: {tolerance: {max_abs: 0.3}}\n" + text)

    plan = plan_build(
        load_recipe(recipe), tmp_path / "out", Settings(cache=root / "user" / "results")
    )

    (tiny,) = [model for model in plan.models if model.name == "tiny-opset13"]
    assert [stage for stage, state in tiny.stages.items() if state == "run"] == ["validate"]
    assert tiny.measured
    assert tiny.seconds == pytest.approx(took["validate"]["seconds"], abs=0.06)
    assert tiny.seconds < sum(stage["seconds"] for stage in took.values()) - 0.06
    assert tiny.peak_memory == took["validate"]["peak_memory"]


def test_a_failure_is_tried_again_when_asked(built):
    root, _ = built
    told = paddle2om("build", "zoo.yaml", "--plan", "--retry-failed", cwd=root).stdout

    assert re.search(
        "broken-opset13  run inspect.*: inspect: failed before; --retry-failed$", told, re.M
    )


def test_shards_say_which_they_are(built):
    root, _ = built
    ran = paddle2om("build", "zoo.yaml", "-o", "part", "--shard", "1/2", "--json", cwd=root)
    report = json.loads(ran.stdout)

    assert report["shard"]["index"] == 1
    assert len(report["shard"]["models"]) == 4
    assert len(report["models"]) == 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nowhere.yaml"], "nowhere.yaml"),
        (["zoo.yaml", "--shard", "3/2"], "3/2"),
        (["zoo.yaml", "--total-memory", "lots"], "lots"),
        (["zoo.yaml", "--cache", "c", "--no-cache"], "--no-cache"),
        (["zoo.yaml", "--cache", "zoo.yaml"], "cannot be written"),
        (["zoo.yaml", "--cache", "models"], "not a cache"),
        (["zoo.yaml", "-o", "models/tiny"], "lies in the model directory"),
        (["zoo.yaml", "--cache", "models/tiny/cache"], "lies in the model directory"),
        (["zoo.yaml", "-o", "c/out", "--cache", "c"], "lies in the cache c"),
        (["zoo.yaml", "-o", "c", "--cache", "c"], "lies in the cache c"),
        (["zoo.yaml", "-o", "c", "--cache", "c/tiny-opset13"], "which the results are written to"),
        (["zoo.yaml", "-o", "c", "--cache", "c/logs/x"], "which the results are written to"),
    ],
)
def test_what_is_wrong_is_one_error(built, words, error):
    root, _ = built
    ran = paddle2om("build", *words, cwd=root)

    assert ran.returncode == 2
    assert error in ran.stderr
    assert "hint:" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_cache_is_looked_after(built):
    root, _ = built
    where = ("--cache", "user/results")

    assert json.loads(paddle2om("cache", "info", "--json", *where, cwd=root).stdout)["entries"] > 5
    assert "would remove" in paddle2om("cache", "gc", "--dry-run", *where, cwd=root).stdout
    assert paddle2om("cache", "verify", *where, cwd=root).returncode == 0
    refused = paddle2om("cache", "gc", "--max-age", "old", *where, cwd=root)
    assert refused.returncode == 2
    assert "no age" in refused.stderr


def test_a_full_disk_costs_the_cache_and_not_the_build(built, tmp_path):
    root, _ = built
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        ran = paddle2om(
            "build", "zoo.yaml", "-o", tmp_path / "out", "--cache", small / "c", "--json", cwd=root
        )
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)

    rows = {model["name"]: model for model in json.loads(ran.stdout)["models"]}
    assert rows["tiny-opset13"]["status"] == "ok"
    assert (tmp_path / "out" / "tiny-opset13" / "inference.onnx").is_file()
    notes = [m["text"] for row in rows.values() for s in row["stages"] for m in s["messages"]]
    assert any("not kept in the cache: No space left" in note for note in notes)


@pytest.mark.slow
def test_pipelines_are_written_from_what_passed(built, real_models, tmp_path):
    for name in ("PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec"):
        shutil.copytree(real_models[name], tmp_path / name)
    (tmp_path / "ocr.yaml").write_text(
        "schema: 1\nmodels: [{path: 'PP-OCRv5_mobile_*'}]\n"
        "pipelines: [{name: OCR, use: {TextLineOrientation: none}}]\n"
    )

    ran = paddle2om("build", "ocr.yaml", "-o", "out", "--json", cwd=tmp_path)

    report = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    (pipeline,) = report["pipelines"]
    assert pipeline["config"] == "OCR.yaml"
    assert "PP-OCRv5_mobile_det" in pipeline["modules"].values()
    config = (tmp_path / "out" / "OCR.yaml").read_text()
    assert "model_dir" in config

    # One of its models fails: PaddleX must not be told to download and run another.
    weights = tmp_path / "PP-OCRv5_mobile_rec" / "inference.pdiparams"
    weights.write_bytes(weights.read_bytes()[:-1000])
    ran = paddle2om("build", "ocr.yaml", "-o", "out", "--json", cwd=tmp_path)

    assert ran.returncode == 2
    (pipeline,) = json.loads(ran.stdout)["pipelines"]
    assert "TextRecognition lacks PP-OCRv5_mobile_rec" in pipeline["error"]["message"]
    assert (tmp_path / "out" / "OCR.yaml").read_text() == config


@pytest.mark.slow
def test_a_failed_gate_keeps_its_exit_code_when_a_pipeline_lacks_the_model(real_models, tmp_path):
    (tmp_path / "ocr.yaml").write_text(
        "schema: 1\nmodels:\n"
        f"  - path: {real_models['PP-OCRv5_mobile_det']}\n"
        f"  - path: {real_models['PP-OCRv5_mobile_rec']}\n"
        "    tolerance: {atol: 0, rtol: 0}\n"
        "pipelines: [{name: OCR}]\n"
    )

    ran = paddle2om("build", "ocr.yaml", "-o", "out", "--json", cwd=tmp_path)

    (pipeline,) = json.loads(ran.stdout)["pipelines"]
    assert ran.returncode == 3 == pipeline["error"]["exit_code"]


@pytest.mark.slow
def test_another_model_of_its_kind_does_not_stand_for_one_that_failed(real_models, tmp_path):
    """Two recognisers: the config names one of them, and only the other one converts."""
    for name in ("PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec", "PP-OCRv4_mobile_rec"):
        shutil.copytree(real_models[name], tmp_path / name)
    weights = tmp_path / "PP-OCRv5_mobile_rec" / "inference.pdiparams"
    weights.write_bytes(weights.read_bytes()[:-1000])
    (tmp_path / "base.yaml").write_bytes(own_base().data)
    (tmp_path / "ocr.yaml").write_text(
        "schema: 1\nmodels: [{path: 'PP-OCRv*'}]\npipelines: [{name: OCR, base: base.yaml}]\n"
    )

    ran = paddle2om("build", "ocr.yaml", "-o", "out", "--json", cwd=tmp_path)

    (pipeline,) = json.loads(ran.stdout)["pipelines"]
    told = pipeline["error"]["message"]
    assert "lacks PP-OCRv5_mobile_rec" in told and told.endswith("would run PP-OCRv4_mobile_rec")
    assert not (tmp_path / "out" / "OCR.yaml").exists()


@pytest.mark.slow
def test_what_paddlex_downloads_itself_is_named(real_models, tmp_path):
    shutil.copytree(real_models["PP-OCRv5_mobile_det"], tmp_path / "det")
    (tmp_path / "ocr.yaml").write_text(
        "schema: 1\nmodels: [{path: det}]\npipelines: [{name: OCR}]\n"
    )

    ran = paddle2om("build", "ocr.yaml", "-o", "out", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert "PaddleX's own models: " in ran.stderr
    assert "TextRecognition (PP-OCRv" in ran.stderr


def test_models_that_left_the_recipe_are_named(built, tmp_path):
    root, _ = built
    shutil.copytree(root / "out", tmp_path / "out")
    one = "schema: 1\nmodels:\n  - {path: models/tiny, name: tiny-opset14, opset: 14}\n"
    (root / "one.yaml").write_text(one)
    ran = paddle2om("build", "one.yaml", "-o", tmp_path / "out", cwd=root)
    assert ran.returncode == 0, ran.stderr
    told = f"note: {tmp_path}/out also holds 1 model that the recipe does not ask for: tiny-opset13"
    assert told in ran.stderr.splitlines()
    assert (tmp_path / "out" / "tiny-opset13" / "inference.onnx").is_file()
    again = paddle2om("build", "zoo.yaml", "-o", tmp_path / "out", "--shard", "1/2", cwd=root)
    assert "also holds" not in again.stderr


def test_mistakes_are_json_for_who_asked_for_it(tmp_path):
    (tmp_path / "bad.yaml").write_text("schema: 1\nmodels:\n  - path: nope\n  - opsett: 3\n")
    ran = paddle2om("build", "bad.yaml", "--json", cwd=tmp_path)
    told = json.loads(ran.stdout)
    assert ran.returncode == told["exit_code"] == 2
    assert [each["message"] for each in told["errors"]] == [
        line.removeprefix("error: ") for line in ran.stderr.splitlines()[::2]
    ]
    assert len(told["errors"]) > 1 and all(each["hint"] for each in told["errors"])


def test_two_documents_do_not_share_standard_output(tmp_path):
    ran = paddle2om("build", "zoo.yaml", "--json", "--markdown", "-", cwd=tmp_path)
    assert ran.returncode == 2
    assert "--json and --markdown - both write to standard output" in ran.stderr


def test_a_scheduler_that_is_not_there(built, tmp_path):
    root, _ = built
    pytest.importorskip("distributed")
    begun = time.monotonic()
    ran = paddle2om(
        *("build", "zoo.yaml", "-o", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1"), cwd=root
    )
    assert ran.returncode == 4
    assert time.monotonic() - begun < 40
    lines = [line for line in ran.stderr.splitlines() if "distributed" not in line]
    assert lines[0] == "waiting for the Dask scheduler at tcp://127.0.0.1:1"
    assert "error: no Dask scheduler answers at tcp://127.0.0.1:1, after 10 s" in lines
