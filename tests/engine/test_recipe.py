"""Recipes: what they expand to, and every mistake with its place and a hint, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter import Paddle2omError, load_recipe
from converter.errors import InputError
from converter.model.compile_options import CompileOptions
from converter.model.recipe import ModelEntry, Recipe
from converter.model.task import ConvertOptions


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    for name in ("det", "v4_rec", "v5_rec"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "inference.json").write_text("{}")
    (tmp_path / "models" / "README.md").write_text("not a model")
    return tmp_path


def load(zoo: Path, text: str, name: str = "zoo.yaml") -> Recipe:
    (zoo / name).write_text(text, encoding="utf-8")
    return load_recipe(zoo / name)


def mistakes(zoo: Path, text: str) -> list[tuple[str, str, str]]:
    """(line:column, message, hint) of each mistake."""
    with pytest.raises(InputError) as caught:
        load(zoo, text)
    found = [caught.value, *caught.value.more]
    assert all(each.hint for each in found)
    start = f"{zoo / 'zoo.yaml'}:"
    assert all(each.message.startswith(start) for each in found)
    told = [each.message.removeprefix(start) for each in found]
    parts = [(*text.split(":", 2), each.hint) for text, each in zip(told, found, strict=True)]
    return [(f"{line}:{column}", text.strip(), hint) for line, column, text, hint in parts]


def test_the_recipe_of_the_design(zoo: Path) -> None:
    recipe = load(
        zoo,
        """
schema: 1
defaults: {opset: 11, simplify: true, soc: Ascend310P3}
models:
  - path: models/det
    shapes: {x: [1, 3, 640, 640]}
  - path: models/*_rec
    tolerance: {max_abs: 1.0e-4}
    profiles: [[1, 3, 48, 320], [1, 3, 48, 640]]
pipelines:
  - name: OCR
    paddlex: 3.7
    device: npu:0
""",
    )
    det, v4, v5 = recipe.models
    assert [model.name for model in recipe.models] == ["det", "v4_rec", "v5_rec"]
    assert det.source == zoo / "models" / "det"
    assert det.options == ConvertOptions(
        compile=CompileOptions(soc="Ascend310P3", shapes={"x": (1, 3, 640, 640)})
    )
    profiles = ({"*": (1, 3, 48, 320)}, {"*": (1, 3, 48, 640)})
    assert v4.options == v5.options
    assert v4.options.compile == CompileOptions(soc="Ascend310P3", profiles=profiles)
    assert (v4.options.atol, v4.options.rtol) == (1e-4, 0.0)
    (pipeline,) = recipe.pipelines
    assert (pipeline.base, pipeline.out, pipeline.paddlex) == ("OCR", "OCR.yaml", "3.7")


def test_variants_are_every_combination(zoo: Path) -> None:
    recipe = load(
        zoo,
        """
schema: 1
models:
  - path: models/det
    variants:
      opset: [11, 13]
      soc: [Ascend310P3]
      shapes: {small: [1, 3, 320, 320], large: {x: [1, 3, 640, 640]}}
""",
    )
    assert [model.name for model in recipe.models] == [
        f"det-opset{opset}-Ascend310P3-{size}" for opset in (11, 13) for size in ("small", "large")
    ]
    last = recipe.models[-1]
    assert last.model == "det"
    assert last.variant == {"opset": "13", "soc": "Ascend310P3", "shapes": "large"}
    assert last.options.opset == 13
    assert last.options.compile.shapes == {"x": (1, 3, 640, 640)}


def test_defaults_are_overridden_and_taken_back(zoo: Path) -> None:
    recipe = load(
        zoo,
        """
schema: 1
defaults: {opset: 13, soc: Ascend310P3, precision: fp16, seed: 3}
models:
  - {path: models/det, soc: null}
  - {path: models/v4_rec, opset: null, precision: origin}
""",
    )
    det, rec = (model.options for model in recipe.models)
    assert det == ConvertOptions(opset=13, seed=3)
    assert rec.opset == ConvertOptions().opset
    assert rec.compile == CompileOptions(soc="Ascend310P3", precision="origin")


def test_includes_bring_models_and_defaults(zoo: Path) -> None:
    (zoo / "parts").mkdir()
    (zoo / "parts" / "common.yaml").write_text("schema: 1\ndefaults: {opset: 13, seed: 1}\n")
    (zoo / "parts" / "recs.yaml").write_text(
        "schema: 1\ninclude: common.yaml\nmodels: [{path: ../models/*_rec, seed: 2}]\n"
    )
    recipe = load(
        zoo,
        "schema: 1\ninclude: [parts/common.yaml, parts/recs.yaml]\nmodels: [path: models/det]\n",
    )
    assert [(m.name, m.options.opset, m.options.seed) for m in recipe.models] == [
        ("v4_rec", 13, 2),
        ("v5_rec", 13, 2),
        ("det", 13, 1),
    ]
    assert [file.name for file in recipe.files] == ["zoo.yaml", "common.yaml", "recs.yaml"]


def test_a_cycle_is_named(zoo: Path) -> None:
    (zoo / "a.yaml").write_text("schema: 1\ninclude: zoo.yaml\n")
    with pytest.raises(InputError, match=r"a\.yaml:2:10: recipes include each other: .*zoo.yaml"):
        load(zoo, "schema: 1\ninclude: a.yaml\nmodels: [path: models/det]\n")


def test_every_mistake_at_once_with_its_place(zoo: Path) -> None:
    found = mistakes(
        zoo,
        """schema: 1
defaults: {opzet: 11, simplify: maybe}
models:
  - path: models/det
    opset: 99
    shapes: {x: [1, 3, 0, 640]}
  - paht: models/*_rec
    tolerance: {max_abs: -1}
    precision: half
pipelines:
  - name: OCR
    backend: onxn
    shapes: {TextDetection: [1, 2]}
""",
    )
    assert [(place, message) for place, message, _ in found] == [
        ("2:12", "opzet is not a key of defaults"),
        ("2:33", "simplify is 'maybe', not true or false"),
        ("5:12", "opset 99 is not supported"),
        ("6:17", "a shape has positive extents only"),
        ("7:5", "a model needs path"),
        ("7:5", "paht is not a key of a model"),
        ("8:26", "tolerance.max_abs is '-1'"),
        ("9:16", "precision cannot be 'half'"),
        ("12:14", "backend cannot be 'onxn'"),
        ("13:29", "shapes.TextDetection has 2 values"),
    ]
    hints = [hint for *_, hint in found]
    assert hints[0] == "did you mean opset?"
    assert hints[5] == "did you mean path?"
    assert hints[8] == "did you mean onnx?"


def test_what_does_not_go_together(zoo: Path) -> None:
    found = mistakes(
        zoo,
        """schema: 1
models:
  - path: models/dett
    soc: Ascend310P33
  - path: models/v4_rec
    shapes: {x: [1]}
  - {path: models/v5_rec, name: v4_rec}
  - {path: models/v4_rec, opset: 12}
  - {path: "nope/*"}
""",
    )
    assert [place for place, *_ in found] == ["3:11", "4:10", "6:5", "7:33", "8:5", "9:12"]
    assert found[0][2] == "did you mean models/det?"
    assert "unknown soc_version" in found[1][1]
    assert "shapes without soc" in found[2][1]
    assert f"two models are called v4_rec: {zoo}" in found[3][1]
    assert "asked for twice, in different ways" in found[4][1]
    assert "first at" in found[4][1]
    assert "matches no model directory" in found[5][1]


def test_a_model_that_is_gone_is_not_taken_for_another(zoo):
    (zoo / "models" / "resnet18").mkdir()
    ((_, message, hint),) = mistakes(zoo, "schema: 1\nmodels:\n  - path: models/lenet\n")
    assert message == "models/lenet does not exist"
    assert hint.startswith("take it out of the recipe if it is gone; paths begin at")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("schema: 1\nmodels:\n\t- path: x\n", "3:1", "a tab"),
        ("schema: 1\nschema: 1\n", "2:1", "schema is given twice, first on line 1"),
        ("schema: 1\nmodels: [\n", "3:1", "not YAML"),
        ("schema: 1\n---\nschema: 1\n", "2:1", "a second YAML document"),
        ("", "1:1", "the recipe is empty"),
        ("# nothing\n", "1:1", "the recipe is empty"),
        ("schema: 2\n", "1:9", "this paddle2om reads 1"),
        ("models: []\n", "1:1", "the recipe needs schema"),
        ("[1, 2]\n", "1:1", "a mapping"),
        ("schema: 1\nmodels: *x\n", "2:9", "undefined alias"),
        ("schema: 1\nmodels: !!python/object:os.system {}\n", "2:9", "means nothing here"),
        ("schema: 1\nmodels: &a [*a]\n", "2:9", "stand for themselves"),
        ("a: " + "[" * 5000, "1:43", "nested deeper"),
        ("schema: 1\nmodels: 3\n", "2:9", "models is '3', not a list"),
        ("schema: 1\nx: \x07\n", "2:4", "control character"),
    ],
)
def test_what_is_no_recipe(zoo: Path, text: str, place: str, words: str) -> None:
    if not text:
        with pytest.raises(InputError, match=words):
            load(zoo, text)
        return
    first = mistakes(zoo, text)[0]
    assert words in first[1]
    assert first[0] == place


def test_aliases_of_aliases_are_refused_quickly(zoo: Path) -> None:
    lines = ["schema: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "too many values" in mistakes(zoo, "\n".join(lines))[0][1]


def test_not_utf8(zoo: Path) -> None:
    (zoo / "zoo.yaml").write_bytes(b"schema: 1\nmodels: \xff\n")
    with pytest.raises(InputError, match=r"zoo\.yaml:2:9: not UTF-8"):
        load_recipe(zoo / "zoo.yaml")


@pytest.mark.parametrize("name", ["", "nope.yaml", "."])
def test_what_cannot_be_read(zoo: Path, name: str) -> None:
    with pytest.raises(Paddle2omError) as caught:
        load_recipe(zoo / name)
    assert caught.value.hint


def test_names_are_made_of_directories(tmp_path: Path) -> None:
    for run in ("a", "b"):
        (tmp_path / "runs" / run / "inference").mkdir(parents=True)
    text = "schema: 1\nmodels:\n  - path: runs/*/inference\n"
    assert "two models are called inference" in mistakes(tmp_path, text)[0][1]
    recipe = load(tmp_path, text + '    name: "{parent}_{name}"\n')
    assert [model.name for model in recipe.models] == ["a_inference", "b_inference"]


def test_globs_take_damaged_models_too_but_not_what_we_made(zoo: Path) -> None:
    (zoo / "models" / "empty").mkdir()
    (zoo / "models" / "made").mkdir()
    (zoo / "models" / "made" / "paddle2om.manifest.json").write_text("{}")
    text = "schema: 1\nmodels: [{path: [%s], exclude: models/v4*}]\n"
    assert [m.name for m in load(zoo, text % "models/*").models] == ["det", "empty", "v5_rec"]
    assert [m.name for m in load(zoo, text % "'**'").models] == ["det", "v5_rec"]
    named = load(zoo, text % "models/*/inference.json")
    assert [m.source.name for m in named.models] == ["inference.json"] * 2


def test_anchors_and_merges(zoo: Path) -> None:
    recipe = load(
        zoo,
        """schema: 1
models:
  - &base {path: models/det, opset: 13}
  - {<<: *base, path: models/v4_rec}
""",
    )
    assert [(m.name, m.options.opset) for m in recipe.models] == [("det", 13), ("v4_rec", 13)]


def test_merges_of_merges(zoo: Path) -> None:
    recipe = load(
        zoo,
        """schema: 1
models:
  - &base {path: models/det, opset: 13, seed: 1}
  - &rec {<<: *base, path: models/v4_rec, seed: 2}
  - &two {<<: [*rec, {opset: 7, simplify: false}], path: models/v5_rec}
""",
    )
    told = [(m.name, m.options.opset, m.options.seed, m.options.simplify) for m in recipe.models]
    assert told == [("det", 13, 1, True), ("v4_rec", 13, 2, True), ("v5_rec", 13, 2, False)]


def test_merges_that_go_round_or_double_end(zoo: Path) -> None:
    circle = "schema: 1\nmodels:\n  - &a {path: models/det, <<: {opset: 13, <<: *a}}\n"
    assert [m.options.opset for m in load(zoo, circle).models] == [13]
    doubling = ["  - &a0 {path: models/det, name: n0}"]
    doubling += [f"  - &a{n} {{<<: [*a{n - 1}, *a{n - 1}], name: n{n}}}" for n in range(1, 400)]
    recipe = load(zoo, "schema: 1\nmodels:\n" + "\n".join(doubling))
    assert [m.name for m in recipe.models] == [f"n{n}" for n in range(400)]
    assert {m.source.name for m in recipe.models} == {"det"}


def test_a_recipe_can_say_every_option() -> None:
    """A field that is added to the options gets its key here, or is the engine's own."""
    keys = set(ModelEntry.model_fields) - {"path", "exclude", "name", "variants"}
    own = {"threads", "forecast", "forecast_of"}  # the last two are what precision_from names
    wanted = (set(ConvertOptions.model_fields) | set(CompileOptions.model_fields)) - {"compile"}
    renamed = {"atol": "tolerance", "rtol": "tolerance", "flags": "atc_flags"}
    assert {renamed.get(name, name) for name in wanted - own} | {"atc_timeout"} == keys


def test_a_sweep_and_a_forecast_are_options_of_a_model(zoo: Path) -> None:
    (zoo / "forecast").mkdir()
    text = """
schema: 1
defaults: {sweep: true, soc: Ascend910B4}
models:
  - path: models/det
    precision_from: forecast
  - path: models/v4_rec
    sweep: null
"""
    det, rec = load(zoo, text).models
    assert det.options.sweep and not rec.options.sweep
    assert det.options.compile.precision_from == str(zoo / "forecast")
    assert rec.options.compile.precision_from is None
    (place, told, hint) = mistakes(
        zoo, text.replace("precision_from: forecast", "precision_from: no")
    )[0]
    assert place.startswith("6:")
    assert told == "no is not a file"
    assert str(zoo / "no") in hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # What is no YAML of ours, and what is no recipe.
        ("schema: 1\nschema: 1\nmodels: [{path: models/det, opset: 99}]\n", ["twice", "opset 99"]),
        ("schema: 1\nmodels: !!set {}\npipelines: 3\n", ["means nothing", "not a list"]),
        ('schema: 1\nmodels: [{path: "a\\0b", opset: 99}]\n', ["U+0000", "opset 99"]),
        # The wrong schema, and anything.
        ("schema: one\nmodels: [{path: nope}]\n", ["schema is one", "nope does not exist"]),
        ("models: [{path: nope}]\n", ["needs schema", "nope does not exist"]),
        # What is no recipe, and what does not exist: of one model, of two, of pipelines.
        ("schema: 1\nmodels: [{path: nope, opset: 99}]\n", ["nope does", "opset 99"]),
        ("schema: 1\nmodels: [{path: nope}, {opset: 9}]\n", ["nope does", "needs path"]),
        ("schema: 1\nmodels: [3, {path: nope}]\n", ["not a mapping", "nope does"]),
        (
            "schema: 1\nmodels: 3\npipelines: [{device: nope}]\n",
            ["not a list", "a device", "needs"],
        ),
        ("schema: 1\npipelines: [{backend: no, device: nope}]\n", ["backend", "a device", "needs"]),
        (
            "schema: 1\npipelines: [{device: nope, base_dir: no}]\n",
            ["a device", "needs", "no does"],
        ),
        (
            "schema: 1\npipelines: [{name: OCR, device: nope}, {name: OCR}]\n",
            ["is not a device", "OCR.yaml is written twice"],
        ),
        (
            "schema: 1\npipelines: [{name: OCR, backend: no}, {name: OCR}]\n",
            ["backend cannot", "OCR.yaml is written twice"],
        ),
        ("schema: 1\npipelines: [{backend: no}]\n", ["backend cannot", "needs name or base"]),
        # The defaults, and the models.
        (
            "schema: 1\ndefaults: {opset: 99}\nmodels: [{path: nope}]\n",
            ["opset 99", "nope does not exist"],
        ),
        (
            "schema: 1\ndefaults: {soc: Nope}\nmodels: [{path: nope, soc: null}]\n",
            ["unknown soc_version", "nope does not exist"],
        ),
        ("schema: 1\ninclude: no.yaml\nmodels: [{path: nope}]\n", ["no.yaml does", "nope does"]),
        # Two of one kind.
        (
            "schema: 1\nmodels: [{path: models/det, soc: Ascend310P3, atc_flags: {'': a, -: b}}]\n",
            ["'=a' is not", "'-=b' is not"],
        ),
        (
            "schema: 1\nmodels: [{path: models/det, data: [no, nix]}]\n",
            ["/no: there", "/nix: there"],
        ),
        (
            "schema: 1\nmodels: [{path: models/det, timeout: inf, rename: {x: ''}}]\n",
            ["timeout is 'inf', not a finite number", "a name is empty"],
        ),
    ],
)
def test_no_mistake_hides_another(zoo: Path, text: str, words: list[str]) -> None:
    told = [message for _, message, _ in mistakes(zoo, text)]
    assert len(told) == len(words), told
    assert all(any(word in message for message in told) for word in words), told


@pytest.mark.parametrize(
    "text",
    [
        "models: [{path: models/det, socc: Ascend310P3, precision: fp16}]\n",
        "models: [{path: models/det, soc: [1], precision: fp16}]\n",
        "defaults: {socc: 3}\nmodels: [{path: models/det, precision: fp16}]\n",
        "default: {soc: Ascend310P3}\nmodels: [{path: models/det, precision: fp16}]\n",
        "defaults: Ascend310P3\nmodels: [{path: models/det, precision: fp16}]\n",
        "include: no.yaml\nmodels: [{path: models/det, precision: fp16}]\n",
        "include: {a: b}\nmodels: [{path: models/det, precision: fp16}]\n",
        "models: [{path: models/det}, {path: models/det, opset: 13, nmae: other}]\n",
        "models: [{path: models/det}, {path: models/*, exclude: {a: b}, opset: 13}]\n",
        "models: [{path: models/det, name: [1]}, {path: models/det, opset: 13}]\n",
        "pipelines: [{nmae: OCR}]\n",
        "pipelines: [{name: OCR}, {name: OCR, uot: other.yaml}]\n",
        "pipelines: [{name: OCR}, {name: OCR, out: [1]}]\n",
    ],
)
def test_a_mistake_makes_no_others(zoo: Path, text: str) -> None:
    assert len(mistakes(zoo, f"schema: 1\n{text}")) == 1


@pytest.mark.parametrize("limit", ["inf", "nan", "-inf", "0", "1e9"])
def test_a_time_limit_is_one(zoo: Path, limit: str) -> None:
    for key in ("timeout", "atc_timeout"):
        ((place, told, _),) = mistakes(
            zoo, f"schema: 1\nmodels: [{{path: models/det, soc: Ascend310P3, {key}: {limit}}}]\n"
        )
        assert place.startswith("2:")
        assert told.startswith(f"{key} is ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("paddle2om.manifest.json", "writes a file of that name"),
        ("logs", "writes a file of that name"),
        ("report.html", "writes a file of that name"),
        ("x" * 201, "has 201 bytes, and 200 are the most"),
        ("字" * 67, "has 201 bytes, and 200 are the most"),
        ("-x", "cannot be the name of a model"),
    ],
)
def test_names_that_no_model_may_have(zoo: Path, name: str, words: str) -> None:
    text = f"schema: 1\nmodels: [{{path: models/det, name: {name}}}]\n"
    ((place, told, _),) = mistakes(zoo, text)
    assert place == f"2:{text.splitlines()[1].index(name) + 1}"
    assert words in told


def test_names_are_measured_with_their_variants(zoo: Path) -> None:
    text = "schema: 1\nmodels: [{path: models/det, name: %s, variants: {opset: [11, 13]}}]\n"
    assert load(zoo, text % ("x" * 192)).models[0].name.endswith("-opset11")
    assert "has 201 bytes" in mistakes(zoo, text % ("x" * 193))[0][1]


def test_directories_that_no_model_may_be_called_after(zoo: Path) -> None:
    (zoo / "models" / "new\nline").mkdir()
    ((_, told, hint),) = mistakes(zoo, "schema: 1\nmodels: [path: models/new*]\n")
    assert told == (
        "'new\\nline' cannot be the name of a model: "
        "it has a newline, or another character that is none to be read"
    )
    assert "name:" in hint
    (model,) = load(zoo, "schema: 1\nmodels: [{path: models/new*, name: new}]\n").models
    assert model.source.name == "new\nline"


def test_models_are_not_called_as_what_pipelines_make(zoo: Path) -> None:
    for name in ("OCR.yaml", "OCR-models", "OCR.run.sh"):
        ((place, told, _),) = mistakes(
            zoo,
            f"schema: 1\nmodels: [{{path: models/det, name: {name}}}]\npipelines: [name: OCR]\n",
        )
        assert place == "3:13"
        assert told.startswith(f"{name} is the name of a model too, at ")


@pytest.mark.parametrize(
    ("path", "exclude", "left"),
    [
        ("models/**", "models/*", ["deep"]),
        ("models/**", "models/**/deep", ["det", "v4_rec", "v5_rec"]),
        ("models/**", "models/group/**", ["det", "v4_rec", "v5_rec"]),
        ("models/**", "**/v?_rec", ["det", "deep"]),
        ("[models/det, models/.hid]", "models/*t", ["hid"]),
        ("[models/det, models/.hid]", "models/.*", ["det"]),
        ("models/*/inference.json", "models/v4*", ["det", "v5_rec"]),
        ("models/*/inference.json", "models/v*/*.json", ["det"]),
        ("models/*", "models/[ab]", ["det", "group", "v4_rec", "v5_rec"]),
    ],
)
def test_exclude_is_read_as_path_is(zoo: Path, path: str, exclude: str, left: list[str]) -> None:
    for name in ("group/deep", ".hid", "[ab]"):
        (zoo / "models" / name).mkdir(parents=True)
    for name in ("group/deep", ".hid"):
        (zoo / "models" / name / "inference.json").write_text("{}")
    text = f"schema: 1\nmodels: [{{path: {path}, exclude: '{exclude}', name: 'm{{name}}'}}]\n"
    assert [model.name.lstrip("m").lstrip(".") for model in load(zoo, text).models] == left


def test_an_opset_that_is_no_number(zoo: Path) -> None:
    text = "schema: 1\nmodels: [{path: models/det, opset: abc}]\n"
    ((place, told, hint),) = mistakes(zoo, text)
    assert (place, told) == ("2:36", "opset 'abc' is not a whole number")
    assert hint.startswith("choose 7 to 21")


def test_a_pipeline_that_does_not_exist(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = zoo / "configs"
    configs.mkdir()
    (configs / "OCR.yaml").write_text("pipeline_name: OCR\n")
    text = (
        "schema: 1\npipelines:\n  - {name: OCRR, base_dir: configs}\n  - {name: Mine, base: ocr}\n"
    )
    monkeypatch.setattr("converter.paddlex.base.installed_paddlex", lambda: (configs, "3.7.2"))
    first, second = mistakes(zoo, text)
    assert first[:2] == ("3:12", f"there is no pipeline OCRR in {configs}")
    assert first[2].startswith("did you mean OCR?")
    assert second[:2] == ("4:24", "there is no pipeline ocr in PaddleX 3.7.2")
    # Without a PaddleX here another machine may write the config.
    monkeypatch.setattr("converter.paddlex.base.installed_paddlex", lambda: None)
    assert load(zoo, "schema: 1\npipelines: [name: PP-StructureV3]\n").pipelines
