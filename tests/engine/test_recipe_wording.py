"""What stages say in flags, a build says in the recipe's keys."""

from __future__ import annotations

import pytest

from converter.engine.recipe.wording import (
    in_keys,
    pipeline_in_keys,
    rendered_in_keys,
    stage_in_keys,
)
from converter.model.result import ErrorInfo, Message, PipelineReport, StageResult, Status


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "give one with --shape x=1,3,HEIGHT,WIDTH, the names replaced by numbers",
            "give one with shapes: {x: [1, 3, HEIGHT, WIDTH]}, the names replaced by numbers",
        ),
        ("try another --seed; if it stays so", "try another seed; if it stays so"),
        ("ask for --opset 9 or higher", "ask for opset: 9 or higher"),
        ("add --soc Ascend310P3 (see npu-smi)", "add soc: Ascend310P3 (see npu-smi)"),
        ("raise --timeout if this needs longer", "raise timeout if this needs longer"),
        ("set a tighter --atol, or", "set a tighter tolerance.atol, or"),
        ("switched off with --no-simplify", "switched off with simplify: false"),
        # atc's own flags, those that build has too, and whole commands
        ("--input_shape names 'y'", "--input_shape names 'y'"),
        ("--precision_mode=3", "--precision_mode=3"),
        ("lower --jobs, or set --force", "lower --jobs, or set --force"),
        ("paddle2om convert --opset 11", "paddle2om convert --opset 11"),
    ],
)
def test_flags_become_keys(text: str, told: str) -> None:
    assert in_keys(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("choose one: --use Det=a (or =none)", "choose one: use: {Det: a} (or none)"),
        (
            "give --paddlex 3.5 or later, or --use X=none",
            "give paddlex: 3.5 or later, or use: {X: none}",
        ),
        ("--backend onnx does not run on npu:0", "backend: onnx does not run on npu:0"),
        ("--dict rec=FILE", "dictionaries: {rec: FILE}"),
        ("switched off with --use", "switched off with use"),
        ("the wheel with --base-dir", "the wheel with base_dir"),
        ("replace it with --force", "replace it with --force"),
    ],
)
def test_flags_of_render_become_keys_of_a_pipeline(text: str, told: str) -> None:
    assert pipeline_in_keys(text) == told
    error = ErrorInfo(message="m", hint=text, exit_code=2)
    report = PipelineReport(name="p", config="p.yaml", backend="onnx", modules={}, error=error)
    rendered = rendered_in_keys(report)
    assert rendered.error is not None
    assert rendered.error.hint == told


def test_an_error_says_where_its_model_stands() -> None:
    error = ErrorInfo(message="--shape is given for 'y'", hint="inputs: x", exit_code=2)
    weak = Message(level="warning", text="weak", hint="try another --seed")
    told = stage_in_keys(
        StageResult(stage="compile", status=Status.FAILED, error=error, messages=(weak,)),
        "zoo.yaml:3:5",
    )
    assert told.error is not None
    assert told.error.message == "shapes is given for 'y'"
    assert told.error.hint == "inputs: x; the model stands at zoo.yaml:3:5"
    assert told.messages[0].hint == "try another seed"


def test_what_names_no_flag_stays() -> None:
    error = ErrorInfo(message="damaged", hint="download it again", exit_code=2)
    result = StageResult(stage="inspect", status=Status.FAILED, error=error)
    assert stage_in_keys(result, "zoo.yaml:3:5") is result
