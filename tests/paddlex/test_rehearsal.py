"""The rehearsal's arithmetic, and its course with a made-up reader in place of PaddleX.

tests/paddlex_runs has a real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from converter.cli.rehearse import rehearse_command
from converter.errors import InputError, StageError, WorkerError
from converter.paddlex import rehearsal_trials
from converter.paddlex.intent import read_config
from converter.paddlex.rehearsal import Rehearsal, on_cpu, rehearse
from converter.paddlex.rehearsal_lines import Line, PageLines, compare, edits, overlap
from converter.paddlex.rehearsal_shapes import (
    detection_sizes,
    natural_size,
    recognition_widths,
    widths_between,
)

app = typer.Typer()
app.command()(rehearse_command)


def line(text: str, left: float, top: float, width: float, height: float) -> Line:
    right, bottom = left + width, top + height
    return Line(polygon=((left, top), (right, top), (right, bottom), (left, bottom)), text=text)


def page(*lines: Line, size: tuple[int, int] = (736, 760)) -> PageLines:
    return PageLines(size=size, seconds=1.0, lines=lines)


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_edits_are_a_metric(one: str, other: str, third: str) -> None:
    assert edits(one, one) == 0
    assert edits(one, "") == len(one)
    assert edits(one, other) == edits(other, one)
    assert edits(one, other) <= edits(one, third) + edits(third, other)
    assert abs(len(one) - len(other)) <= edits(one, other) <= max(len(one), len(other))


def test_edits_by_hand() -> None:
    assert [edits("kitten", "sitting"), edits("79.90", "[0w"), edits("ab", "ba")] == [3, 5, 2]


def test_lines_are_matched_by_place() -> None:
    one, two = line("one", 0, 0, 100, 20), line("two", 0, 40, 100, 20)
    moved = line("0ne", 4, 1, 100, 20)
    assert overlap(one, moved) > 0.8
    assert overlap(one, two) == 0
    changes = compare("a.png", page(one, two), page(moved, line("new", 200, 200, 50, 20)))
    found = [(change.reference, change.text, change.edits) for change in changes]
    assert found == [("one", "0ne", 1), ("two", None, 3), (None, "new", 3)]
    assert compare("a.png", page(one, two), page(two, one)) == []


def test_an_upright_line_is_read_lying() -> None:
    assert line("a", 0, 0, 200, 20).aspect == 10
    assert line("a", 0, 0, 20, 200).aspect == 10
    assert line("a", 0, 0, 20, 29).aspect < 1


def test_widths_follow_the_lines() -> None:
    pages = [page(*(line("a", 0, 0, 20 * aspect, 20) for aspect in (2, 4, 10, 13.4)))]
    assert recognition_widths(pages, 48, (3, 48, 640)) == [
        (3, 48, 192), (3, 48, 320), (3, 48, 480), (3, 48, 640), (3, 48, 672)
    ]  # fmt: skip
    assert recognition_widths([page()], 48, None) == []
    long = [page(line("a", 0, 0, 20_000, 20))]
    assert recognition_widths(long, 48, None)[-1] == (3, 48, 3200)
    tried = [(3, 48, width) for width in (192, 480, 736)]
    assert widths_between((3, 48, 480), tried) == [(3, 48, 320), (3, 48, 608)]
    assert widths_between((3, 48, 192), tried) == [(3, 48, 320)]
    assert widths_between((3, 48, 192), tried[:1]) == []


def test_sizes_follow_the_pages_and_their_limits() -> None:
    assert natural_size((1000, 2000), {"limit_side_len": 960, "limit_type": "max"}) == (480, 960)
    assert natural_size((100, 200), {"limit_side_len": 736, "limit_type": "min"}) == (736, 1472)
    assert natural_size((100, 200), {"limit_side_len": 64, "limit_type": "min"}) == (100, 200)
    limits = {"limit_side_len": 64, "limit_type": "min", "max_side_limit": 4000}
    assert natural_size((8000, 2000), limits) == (4000, 1000)
    assert detection_sizes([page(size=(1414, 1000))], limits, (3, 640, 480)) == [
        (3, 640, 448), (3, 640, 480), (3, 960, 672), (3, 1280, 896), (3, 1408, 992)
    ]  # fmt: skip
    assert detection_sizes([page(size=(8000, 6000))], limits, None)[-1] == (3, 1920, 1440)


MODULES = {
    "TextDetection": {"input_shape": [3, 640, 640], "limit_side_len": 64, "limit_type": "min"},
    "TextRecognition": {"input_shape": [3, 48, 320]},
}


def relu(name: str, shape: list[int | None]) -> onnx.ModelProto:
    """A model of one operator."""
    tensors = [
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape) for n in (name, "y")
    ]
    nodes = [onnx.helper.make_node("Relu", [name], ["y"])]
    graph = onnx.helper.make_graph(nodes, "g", tensors[:1], tensors[1:])
    opset = [onnx.helper.make_opsetid("", 11)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    modules = {}
    for name, settings in MODULES.items():
        (tmp_path / name).mkdir()
        onnx.save(relu("x", [None, 3, None, None]), tmp_path / name / "inference.onnx")
        hpi = {"auto_config": False, "backend": "om", "device_type": "npu"}
        modules[name] = {
            "model_name": name, "model_dir": str(tmp_path / name), "use_hpip": True,
            "hpi_config": hpi, **settings,
        }  # fmt: skip
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump({"pipeline_name": "OCR", "SubModules": modules}))
    Image.new("RGB", (8, 8)).save(tmp_path / "page.png")
    return path


Answer = Callable[[str, Mapping[str, Any]], dict[str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """PaddleX, made up: a line of 20 characters that needs a width of 380, and two short ones,
    which break from 600 on; a detection below 600 loses a line.
    """
    requests = []

    def read(shapes: Mapping[str, list[int]]) -> dict[str, Any]:
        width = shapes.get("TextRecognition", [3, 48, 400])[2]
        long = "a" * (20 if width >= 380 else 10)
        short = "b" if width < 600 else "["
        lines = [
            (long, 0, 0, 200, 20), (short, 0, 40, 40, 20), ("c", 0, 80, 40, 20)
        ]  # fmt: skip
        if shapes.get("TextDetection", [3, 700, 700])[1] < 600:
            lines.pop()
        dumped = [line(*item).model_dump(mode="json") for item in lines]
        return {"size": [736, 760], "seconds": 0.5, "lines": dumped}

    def ask(runner: Path, request: Mapping[str, Any], **_: object) -> dict[str, Any]:
        requests.append(dict(request))
        variants = []
        for variant in request["variants"]:
            changes = variant["changes"]
            assert all(change["path"][0] == "SubModules" for change in changes)
            shapes = {change["path"][1]: change["set"]["input_shape"] for change in changes}
            variants.append([read(shapes) for _ in request["images"]])
        return {"version": "3.7.2", "variants": variants}

    monkeypatch.setattr(rehearsal_trials, "ask", ask)
    return requests


def test_the_smallest_shapes_that_cost_nothing(config: Path, asked: list[dict[str, Any]]) -> None:
    result = rehearse(config, [config.with_name("page.png")])
    trials = {tuple(sorted(trial.shapes.items())): trial for trial in result.trials}
    assert len(trials) == len(result.trials)
    first = result.trials[0]
    assert first.shapes == {"TextDetection": (3, 640, 640), "TextRecognition": (3, 48, 320)}
    assert (first.lines, first.characters) == (3, 22)
    assert (first.same, first.changed, first.lost, first.surplus) == (2, 1, 0, 0)
    assert first.error_rate == pytest.approx(10 / 22)
    # 480 is the width of the long line; 384 is about halfway to 320 and still reads it.
    assert result.suggested == {"TextDetection": (3, 608, 640), "TextRecognition": (3, 48, 384)}
    assert result.trials[-1].shapes == result.suggested
    assert result.trials[-1].error_rate == 0
    sent = asked[0]["config"]
    assert sent["engine"] == "onnxruntime"
    for module in sent["SubModules"].values():
        assert not {"use_hpip", "hpi_config", "input_shape"} & set(module)


def test_shapes_of_the_users(config: Path, asked: list[dict[str, Any]]) -> None:
    result = rehearse(
        config, [config.with_name("page.png")], shapes={"TextDetection": (3, 320, 320)}
    )
    first = result.trials[0]
    assert first.shapes["TextDetection"] == (3, 320, 320)
    assert first.lost == 1


def test_a_config_without_fixed_shapes(config: Path, asked: list[dict[str, Any]]) -> None:
    content = yaml.safe_load(config.read_text())
    for module in content["SubModules"].values():
        del module["input_shape"]
    config.write_text(yaml.safe_dump(content))
    result = rehearse(config, [config.with_name("page.png")])
    assert len(result.trials[0].shapes) == 1
    assert result.suggested == {"TextDetection": (3, 608, 640), "TextRecognition": (3, 48, 384)}


def test_the_command(config: Path, asked: list[dict[str, Any]]) -> None:
    image = str(config.with_name("page.png"))
    result = CliRunner().invoke(app, [str(config), image])
    assert result.exit_code == 0
    rows = [row.split("  ")[0] for row in result.stdout.splitlines()]
    assert "TextDetection 3,640,640, TextRecognition 3,48,320" in rows
    assert "suggested: TextDetection 3,608,640, TextRecognition 3,48,384" in rows
    assert "consider render" not in result.stdout
    result = CliRunner().invoke(app, [str(config), image, "--json"])
    assert Rehearsal.model_validate(json.loads(result.stdout)).suggested["TextDetection"][1] == 608


def test_relative_directories_are_the_users(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(config.parent)
    config.write_text(config.read_text().replace(f"{config.parent}/", ""))
    sent = on_cpu(read_config(config))["SubModules"]["TextDetection"]
    assert sent["model_dir"] == str(config.parent / "TextDetection")


def test_what_cannot_be_rehearsed(config: Path, asked: list[dict[str, Any]]) -> None:
    image = config.with_name("page.png")
    text = config.read_text()

    def refused(new: str, message: str) -> None:
        config.write_text(new)
        with pytest.raises(InputError, match=message):
            rehearse(config, [image])

    with pytest.raises(InputError, match="no image to rehearse on"):
        rehearse(config, [])
    refused(text.replace("pipeline_name: OCR", "pipeline_name: x"), "needs an OCR pipeline")
    refused(text.replace("TextRecognition:", "Other:"), "has no TextRecognition")
    refused(text.replace("- 320", "- many"), r"input_shape \[3, 48, 'many'\] is not channels")
    config.write_text(text)
    for shapes, message in (
        ({"Other": (3, 48, 320)}, "--shape Other: a rehearsal fixes the shapes of TextDetection"),
        ({"TextRecognition": (1, 48, 320)}, "TextRecognition takes x .*, not 1,48,320"),
    ):
        with pytest.raises(InputError, match=message):
            rehearse(config, [image], shapes=shapes)
    image.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"page\.png is not an image"):
        rehearse(config, [image])
    Image.new("RGB", (8, 8)).save(image)
    assert not asked
    (config.parent / "TextRecognition" / "inference.onnx").unlink()
    refused(text, "TextRecognition has no inference.onnx")
    model_dir = f"model_dir: {config.parent}/TextRecognition"
    refused(text.replace(model_dir, "model_dir: null"), "TextRecognition has no model_dir")


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ({"problem": "missing", "module": "paddlex", "detail": "no"}, InputError, "be imported"),
        (
            {"problem": "failed", "version": "3.4.3", "detail": "E: x\ny", "read": 0},
            StageError,
            "with no fixed shape: E: x y",
        ),
        (
            {"problem": "failed", "version": "3.7.2", "detail": "E: x", "read": 2},
            StageError,
            "with TextDetection 3,640,640: E: x",
        ),
        ({"version": "3.7.2", "variants": [[{"lines": 1}]]}, WorkerError, "something else"),
        (
            {"version": "3.7.2", "variants": [[{"size": [1, 1], "seconds": 1, "lines": []}]] * 4},
            InputError,
            "no text on the images",
        ),
    ],
)
def test_answers_that_are_no_pages(
    config: Path, monkeypatch: pytest.MonkeyPatch, answer: dict, error: type, message: str
) -> None:
    monkeypatch.setattr(rehearsal_trials, "ask", lambda *_, **__: answer)
    with pytest.raises(error, match=message):
        rehearse(config, [config.with_name("page.png")])
