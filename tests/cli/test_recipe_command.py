"""``paddle2om recipe``: what a new user types, and what comes out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from converter import load_recipe
from converter.engine.recipe.draft import draft_recipe
from converter.errors import InputError
from converter.model.recipe import json_schema
from tests.command import paddle2om

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return paddle2om(*arguments, cwd=cwd, PATH="/usr/bin:/bin", HOME=str(cwd))


@pytest.fixture
def zoo(tmp_path: Path, cls_model: Path, tiny_pir: Path) -> Path:
    for group, source in (("a", cls_model), ("b", cls_model), ("b", tiny_pir)):
        shutil.copytree(source, tmp_path / "models" / group / source.name)
    named = tmp_path / "models" / "文 字: det"
    shutil.copytree(tiny_pir, named)
    (named / "inference.yml").write_text("Global: {model_name: PP-OCRv5_mobile_det}\n")
    broken = tmp_path / "models" / "broken"
    broken.mkdir()
    (broken / "inference.pdiparams").write_bytes(b"weights")
    return tmp_path


def test_init_leaves_out_what_is_damaged(zoo: Path) -> None:
    (zoo / "models" / "a" / "ch_ppocr_mobile_v2.0_cls" / "inference.pdiparams").write_bytes(b"cut")
    (zoo / "models" / "b" / "tiny_pir" / "inference.json").write_text("{bad")
    made = run("recipe", "init", "models", "-o", "zoo.yaml", cwd=zoo)
    assert made.returncode == 0
    assert "left out models/a/ch_ppocr_mobile_v2.0_cls: " in made.stderr
    assert "left out models/b/tiny_pir: " in made.stderr
    text = (zoo / "zoo.yaml").read_text("utf-8")
    assert "#   models/b/tiny_pir: " in text
    assert len(load_recipe(zoo / "zoo.yaml").models) == 2


def test_init_leaves_out_nothing_without_a_word(zoo: Path, tiny_pir: Path) -> None:
    models = zoo / "models"
    for name in ("empty", "weights/step1", "onnx", "pictures", ".git/empty", "made", "b/logs"):
        (models / name).mkdir(parents=True)
    for name in ("weights/step1/m.pdparams", "onnx/m.onnx", "pictures/a.png", "made/m.onnx"):
        (models / name).write_bytes(b"x")
    (models / "made" / "paddle2om.manifest.json").write_text("{}")
    # Beside or in a model it is no surprise.
    (models / "b" / "tiny_pir" / "was.pdparams").write_bytes(b"x")
    (models / "b" / "tiny_pir" / "onnx").mkdir()
    (models / "b" / "m.onnx").write_bytes(b"x")
    (models / "two").mkdir()
    for stem in ("student", "teacher"):
        for suffix in (".json", ".pdiparams"):
            shutil.copy(tiny_pir / f"inference{suffix}", models / "two" / f"{stem}{suffix}")

    made = run("recipe", "init", "models", "-o", "zoo.yaml", cwd=zoo)

    told = [line.removeprefix("warning: left out models/") for line in made.stderr.splitlines()]
    weights = "these are training weights: export the model with paddle.jit.save first"
    assert told[0] == "b/logs: the directory is empty"
    assert told[1].startswith("broken: no Paddle model in")
    assert told[2:] == [
        "empty: the directory is empty",
        "onnx: no Paddle model in it: it is converted already: name the Paddle model it was made "
        "from",
        f"weights/step1: no Paddle model in it: {weights}",
        "note: models/two holds 2 programs, and each is a model: student.json, teacher.json",
        "6 models, 5 left out",
    ]
    text = (zoo / "zoo.yaml").read_text("utf-8")
    assert "#   models/empty: the directory is empty\n" in text
    assert "models/two/teacher.json # one of 2 programs in its directory\n" in text


@pytest.fixture
def ocr(tmp_path: Path, tiny_pir: Path) -> Path:
    """Two models of each kind that the OCR pipeline needs."""
    for version in ("v4", "v5"):
        for kind in ("det", "rec"):
            name = f"PP-OCR{version}_mobile_{kind}"
            shutil.copytree(tiny_pir, tmp_path / "models" / name)
            yml = tmp_path / "models" / name / "inference.yml"
            yml.write_text(f"Global: {{model_name: {name}}}\n")
    return tmp_path


def test_the_pipeline_that_init_suggests_checks(ocr: Path) -> None:
    assert run("recipe", "init", "models", "-o", "zoo.yaml", cwd=ocr).returncode == 0
    text = (ocr / "zoo.yaml").read_text()
    assert "#       TextDetection: PP-OCRv5_mobile_det # or PP-OCRv4_mobile_det\n" in text
    before, mark, pipelines = text.partition("# pipelines:")
    lines = [line.removeprefix("# ") for line in (mark + pipelines).splitlines()]
    (ocr / "zoo.yaml").write_text("\n".join([before, *lines]).replace("#   ", "  "))

    checked = run("recipe", "check", "zoo.yaml", cwd=ocr)

    assert checked.stderr == "4 conversions of 4 models; pipelines: OCR\n"
    (pipeline,) = load_recipe(ocr / "zoo.yaml").pipelines
    assert pipeline.use["TextRecognition"] == "PP-OCRv5_mobile_rec"


@pytest.mark.parametrize(
    ("pipeline", "place", "message", "hint"),
    [
        (
            "{name: OCR}",
            "3:13",
            "2 models fit TextDetection: PP-OCRv4_mobile_det and PP-OCRv5_mobile_det; and several "
            "fit TextRecognition",
            "choose one: use: {TextDetection: PP-OCRv4_mobile_det}",
        ),
        (
            "{name: OCR, use: {TextDetectio: PP-OCRv5_mobile_det}}",
            "3:30",
            "this pipeline has no module TextDetectio",
            "did you mean TextDetection? ",
        ),
        (
            "{name: OCR, backend: om, use: {TextDetection: PP-OCRv5_mobile_dett}}",
            "3:43",
            "there is no model PP-OCRv5_mobile_dett for TextDetection",
            "did you mean PP-OCRv5_mobile_det? ",
        ),
    ],
)
@pytest.mark.parametrize("command", [("recipe", "check"), ("build", "--plan")])
def test_what_no_pipeline_can_be_made_of_is_a_mistake(
    ocr: Path, command: tuple[str, ...], pipeline: str, place: str, message: str, hint: str
) -> None:
    (ocr / "zoo.yaml").write_text(
        f"schema: 1\nmodels: [{{path: models/*}}]\npipelines: [{pipeline}]\n"
    )
    refused = run(*command, "zoo.yaml", cwd=ocr)
    assert refused.returncode == 2
    first, second = refused.stderr.splitlines()
    assert first == f"error: zoo.yaml:{place}: {message}"
    assert second.startswith(f"hint: {hint}")


def test_a_model_that_cannot_be_read_makes_no_mistake_of_a_pipeline(ocr: Path) -> None:
    (ocr / "models" / "odd").mkdir()
    (ocr / "zoo.yaml").write_text(
        "schema: 1\nmodels: [{path: models/*}]\n"
        "pipelines: [{name: OCR, use: {TextDetection: PP-OCRv3_mobile_det, "
        "TextRecognition: PP-OCRv5_mobile_rec, }, backend: om}]\n"
    )
    assert run("recipe", "check", "zoo.yaml", cwd=ocr).returncode == 0


def test_init_makes_the_directory_that_a_recipe_goes_to(zoo: Path) -> None:
    made = run("recipe", "init", "models", "-o", "new/er/zoo.yaml", cwd=zoo)
    assert (made.returncode, made.stdout) == (0, "new/er/zoo.yaml\n")
    assert len(load_recipe(zoo / "new" / "er" / "zoo.yaml").models) == 4
    refused = run("recipe", "init", "models", "-o", "new/er/zoo.yaml/x.yaml", cwd=zoo)
    assert refused.returncode == 2
    assert ".tmp" not in refused.stderr
    assert "hint:" in refused.stderr


def test_init_writes_a_recipe_that_checks(zoo: Path) -> None:
    made = run("recipe", "init", "models", "-o", "zoo.yaml", cwd=zoo)
    assert (made.returncode, made.stdout) == (0, "zoo.yaml\n")
    assert "left out models/broken: no Paddle model" in made.stderr
    assert made.stderr.endswith("\n4 models, 1 left out\n")
    text = (zoo / "zoo.yaml").read_text("utf-8")
    assert "# text detection, PP-OCRv5_mobile_det" in text
    recipe = load_recipe(zoo / "zoo.yaml")
    assert {model.source.name for model in recipe.models} >= {"文 字: det", "tiny_pir"}
    assert len({model.name for model in recipe.models}) == 4
    assert draft_recipe(zoo / "models", zoo / "zoo.yaml").text == text

    checked = run("recipe", "check", "zoo.yaml", cwd=zoo)
    assert checked.returncode == 0
    assert [line.split("\t")[0] for line in checked.stdout.splitlines()] == [
        model.name for model in recipe.models
    ]
    assert checked.stderr == "4 conversions of 4 models\n"
    (zoo / "one.yaml").write_text(
        "schema: 1\nmodels: [{path: models/b/tiny_pir, variants: {opset: [11, 13]}}]\n"
    )
    assert run("recipe", "check", "one.yaml", cwd=zoo).stderr == "2 conversions of 1 model\n"
    whole = json.loads(run("recipe", "check", "zoo.yaml", "--json", cwd=zoo).stdout)
    assert whole["models"][0]["options"]["opset"] == 11


def test_nothing_is_replaced_unasked(zoo: Path) -> None:
    (zoo / "recipe.yaml").write_text("mine")
    refused = run("recipe", "init", "models", cwd=zoo)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[0] == "error: recipe.yaml exists"
    assert (zoo / "recipe.yaml").read_text() == "mine"


def test_every_mistake_is_printed(zoo: Path) -> None:
    (zoo / "bad.yaml").write_text("schema: 1\nmodels:\n  - {path: nope}\n  - {path: models/z*}\n")
    refused = run("recipe", "check", "bad.yaml", cwd=zoo)
    assert (refused.returncode, refused.stdout) == (2, "")
    lines = refused.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"] * 2
    assert lines[0].startswith("error: bad.yaml:3:12: nope does not exist")


def test_names_that_the_model_lacks_are_told(zoo: Path) -> None:
    recipe = """schema: 1
models:
  - path: models/b/tiny_pir
    soc: Ascend310P3
    rename: {x: image, zz: qq}
    tolerances: {nope: {atol: 1}, "none_*": {atol: 1}}
    shapes: {y: [1, 3, 4, 4]}
    profiles: [{image: [1, 3, 4]}]
  - path: models/b/tiny_pir
    name: variants
    variants: {soc: [Ascend310P3], shapes: {small: {z: [1]}}}
  - path: models/b/tiny_pir
    name: onnx-alone
defaults: {shapes: {x: [1, 3, 32, 32]}}
"""
    (zoo / "bad.yaml").write_text(recipe)
    refused = run("recipe", "check", "bad.yaml", cwd=zoo)
    assert (refused.returncode, refused.stdout) == (2, "")
    told = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert [[*line.split(":")[2:4], line.split(": ", 2)[2][:24]] for line in told] == [
        ["5", "24", "tiny_pir has no input or"],
        ["6", "18", "a tolerance is given for"],
        ["7", "14", "shapes is given for 'y',"],
        ["8", "17", "shape 1,3,4 does not fit"],
        ["11", "53", "shapes is given for 'z',"],
    ]
    # A build leaves it to the model's row; a damaged model is one too.
    assert len(load_recipe(zoo / "bad.yaml").models) == 3
    (zoo / "models" / "b" / "tiny_pir" / "inference.json").write_text("{bad")
    assert run("recipe", "check", "bad.yaml", cwd=zoo).returncode == 0


def test_a_key_that_belongs_one_level_down(zoo: Path) -> None:
    recipe = "schema: 1\nmodels:\n  - {path: models/b/*, atol: 1e-4, min_top1: 1}\n"
    (zoo / "bad.yaml").write_text(recipe)
    hints = run("recipe", "check", "bad.yaml", cwd=zoo).stderr.splitlines()[1::2]
    assert hints[0] == "hint: write tolerance: {atol: 1e-4}"
    assert hints[1].startswith("hint: there are: ")


@pytest.mark.parametrize("name", ["nowhere", "file", "empty"])
def test_folders_that_hold_no_models(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        draft_recipe(tmp_path / name, tmp_path / "r.yaml")
    assert caught.value.hint


def test_the_schema_is_current() -> None:
    """Else: paddle2om recipe schema > docs/reference/recipe.schema.json"""
    checked_in = (ROOT / "docs/reference/recipe.schema.json").read_text("utf-8")
    assert json.loads(checked_in) == json_schema()
