"""No text in a recipe is a bug: it is read, or it is a mistake with file, line and a hint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converter import load_recipe
from converter.errors import InputError
from converter.model.recipe import ModelEntry, PipelineEntry

DIGITS = "9" * 5000

#: YAML values that are hard on one reader or another: of numbers, of paths, of names, of globs.
ODD = (
    *("²", "٤", DIGITS, f"-{DIGITS}", "1e999", "inf", "nan", "-0", "0x10", "1_000", "1:30"),
    *('"a\\0b"', '"\\0"', '"a\\nb"', '"\\x1b[0m"', '"\\uD800"', '"\\u2028"', '""', "null"),
    *("~nosuchuser", "~nosuchuser/x", '"~\\0"', "x" * 300, "/", "//", ".", "..", "'['", "'**'"),
    *("{name}", "'{²}'", "'{name'", "bundle:~nosuchuser/x", "'ssh://['", "npu:²", f"npu:{DIGITS}"),
    *("3.²", f"{DIGITS}.0", "²G", f"{DIGITS}G", "[]", "{}", "[[]]", "[null]", "{x: null}"),
    *('{"": x}', '{"a\\0": b}', "{x: [1]}", f"{{x: [{DIGITS}]}}", "[[1]]", "[~nosuchuser]"),
    *("{max_abs: ²}", "{atol: inf}", "{a: {max_abs: nan}}", "{opset: [²]}", "{soc: [²]}"),
    *("{shapes: [3]}", "{shapes: [[a]]}", "{shapes: [{x: 3}]}", f"{{TextDetection: {DIGITS}}}"),
)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "models" / "det").mkdir(parents=True)
    return folder


def reads(zoo: Path, text: str) -> list[InputError]:
    """The mistakes in ``text``; anything else that it raises fails the test."""
    (zoo / "zoo.yaml").write_text(text, encoding="utf-8")
    try:
        load_recipe(zoo / "zoo.yaml")
    except InputError as error:
        found = [error, *error.more]
        assert all(isinstance(each, InputError) and each.hint for each in found)
        for each in found:
            assert "\n" not in each.message and "\0" not in each.message
            assert len(each.message) < 1000
        return found
    return []


@pytest.mark.parametrize("value", ODD, ids=lambda value: value[:24])
def test_odd_values_of_every_key(zoo: Path, value: str) -> None:
    for key in ("include", "defaults", "models", "pipelines", "no_key"):
        reads(zoo, f"schema: 1\n{key}: {value}\n")
    reads(zoo, f"schema: {value}\nmodels: [path: models/det]\n")
    reads(zoo, f"schema: 1\n{value}: 3\n")
    for key in ModelEntry.model_fields:
        path = "" if key == "path" else "    path: models/det\n    soc: Ascend310P3\n"
        if key != "soc":
            reads(zoo, f"schema: 1\nmodels:\n  - {key}: {value}\n{path}")
    for key in PipelineEntry.model_fields:
        name = "" if key == "name" else "    name: OCR\n"
        reads(zoo, f"schema: 1\npipelines:\n  - {key}: {value}\n{name}")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    key=st.sampled_from([*ModelEntry.model_fields]),
    value=st.recursive(
        st.text(max_size=20) | st.floats() | st.integers() | st.booleans() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
def test_any_value_of_any_key(zoo: Path, key: str, value: object) -> None:
    # JSON is YAML as long as it has no halves of characters.
    reads(zoo, f"schema: 1\nmodels: [{{path: models/det, {key}: {json.dumps(value)}}}]\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema: ²\nmodels: []\n", "schema is ²; this paddle2om reads 1"),
        (f"schema: {DIGITS}\nmodels: []\n", "a text of 5000 characters"),
        ("schema: 1\nmodels: [path: ~nosuchuser]\n", "~nosuchuser is nobody's home directory"),
        ('schema: 1\ninclude: "a\\0b"\n', "the character U+0000"),
        ('schema: 1\nmodels: [{path: models/det, exclude: "a\\0b"}]\n', "the character U+0000"),
        ('schema: 1\nmodels: [{path: models/det, name: "a\\0b"}]\n', "the character U+0000"),
        (f"schema: 1\nmodels: [path: {'x' * 300}]\n", "File name too long"),
        (f"schema: 1\nmodels: [{{path: models/det, memory: {'9' * 400}}}]\n", "no amount"),
    ],
)
def test_what_it_says(zoo: Path, text: str, words: str) -> None:
    assert words in reads(zoo, text)[0].message
