"""Mistakes by their names, from a config and what was seen of PaddleX; no PaddleX runs here."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.paddlex import check_failures, check_rules
from converter.paddlex.check_rules import problems_of
from converter.paddlex.check_seen import ModuleSeen
from converter.paddlex.intent import device_meant, engine_meant, uses_cann
from converter.paddlex.pipeline import Module, read_pipeline
from converter.paddlex.yaml_source import read_source
from tests.simulators.om_writer import Model, Tensor, write_om

OM = {
    "use_hpip": True,
    "hpi_config": {"auto_config": False, "backend": "om", "device_type": "npu", "device_id": 3},
}
HPI_CPU = {
    "use_hpip": True,
    "hpi_config": {"auto_config": False, "backend": "onnxruntime", "device_type": "cpu"},
}
CANN = {
    "engine": "onnxruntime",
    "engine_config": {
        "onnxruntime": {"providers": ["CANNExecutionProvider", "CPUExecutionProvider"]}
    },
}


def module(own: dict[str, Any], top: dict[str, Any] | None = None, *, key: str = "TextDetection",
           directory: str = "/m") -> Module:  # fmt: skip
    settings = {"model_name": "M", "model_dir": directory, **own}
    config = {"pipeline_name": "OCR", **(top or {}), "SubModules": {key: settings}}
    text = yaml.safe_dump(config)
    return read_pipeline(read_source(text.encode(), "t.yaml")).modules[0]


def seen(
    *opened: dict[str, Any], problem: dict[str, str] | None = None, name: str = "M", **asked: Any
) -> ModuleSeen:
    return ModuleSeen.model_validate(
        {
            "model_name": name,
            "model_dir": "/m",
            "asked": {"batch_size": 1, "input_shape": None, **asked},
            "opened": opened,
            "loaded": problem is None,
            "problem": problem,
        }
    )


def failed(detail: str, **more: Any) -> ModuleSeen:
    return seen(problem={"kind": "failed", "detail": detail}, **more)


def names(module: Module, found: ModuleSeen, version: str = "3.7.2") -> list[str]:
    return [problem.name for problem in problems_of(module, found, version)]


def om(directory: Path, *shapes: tuple[str, tuple[int, ...]]) -> dict[str, Any]:
    """An OM file with these inputs, opened on NPU 3."""
    path = directory / "inference.om"
    tensors = [Tensor(name, shape) for name, shape in shapes]
    path.write_bytes(write_om(Model(inputs=tensors)))
    return {"library": "ultra_infer", "backend": "om", "device": "npu:3", "files": [str(path)],
            "loaded": False}  # fmt: skip


ONNX = {"library": "onnxruntime", "files": ["/m/inference.onnx"], "loaded": True,
        "providers": ["CPUExecutionProvider"],
        "inputs": {"x": ["batch", 3, "height", "width"]}}  # fmt: skip
ORT = {"library": "ultra_infer", "backend": "ort", "device": "cpu", "files": ["/m/inference.onnx"],
       "loaded": True}  # fmt: skip
PADDLE = {"library": "paddle", "device": "cpu", "loaded": True,
          "files": ["/m/inference.json", "/m/inference.pdiparams"]}  # fmt: skip


def test_what_is_right_has_no_problem(tmp_path: Path) -> None:
    opened = om(tmp_path, ("x", (1, 3, 48, 320)))
    assert names(module({**OM, "input_shape": [3, 48, 320]}),
                 seen(opened, input_shape=[3, 48, 320])) == []  # fmt: skip
    assert names(module({}, {"engine": "onnxruntime"}), seen(ONNX)) == []
    assert names(module(HPI_CPU), seen(ORT)) == []
    assert names(module({}), seen(PADDLE)) == []
    cann = {**ONNX, "providers": ["CANNExecutionProvider", "CPUExecutionProvider"]}
    assert names(module(CANN), seen(cann)) == []


@pytest.mark.parametrize(
    ("own", "top", "opened", "expected"),
    [
        ({}, {"engine": "onnxruntime"}, PADDLE, ["fell-back-to-paddle"]),
        (OM, {}, PADDLE, ["fell-back-to-paddle", "device-overridden"]),
        (HPI_CPU, {}, ONNX, ["other-engine"]),
        (HPI_CPU, {}, {**ORT, "device": "npu:0"}, ["device-overridden", "onnx-on-npu"]),
        ({}, {"engine": "onnxruntime"}, {**ONNX, "inputs": {"x": [1, 3, 48, 320]}}, []),
    ],
)
def test_another_engine_or_device(own: dict, top: dict, opened: dict, expected: list[str]) -> None:
    assert names(module(own, top), seen(opened)) == expected


def test_an_om_file_on_the_cpu(tmp_path: Path) -> None:
    own = copy.deepcopy(OM)
    del own["hpi_config"]["device_type"]
    opened = {**om(tmp_path, ("x", (1, 3, 48, 320))), "device": "cpu"}
    found = seen(opened, input_shape=[3, 48, 320])
    assert names(module({**own, "input_shape": [3, 48, 320]}), found) == ["om-not-on-npu"]


@pytest.mark.parametrize(
    ("inputs", "asked", "expected"),
    [
        ([("x", (1, 3, 48, 640))], {"input_shape": [3, 48, 320]}, ["input-shape"]),
        ([("x", (1, 3, 48, 320))], {"input_shape": None}, ["no-input-shape"]),
        ([("x", (1, 3, 48, 320))], {"input_shape": [3, 48, 320], "batch_size": 6}, ["batch-size"]),
        ([("x", (4, 3, 48, 320))], {"input_shape": [3, 48, 320]}, ["batch-size"]),
        (
            [("scale_factor", (1, 2)), ("image", (1, 3, 640, 640))],
            {"input_shape": [3, 640, 640]},
            ["om-input-order"],
        ),
    ],
)
def test_the_om_file_against_the_config(
    tmp_path: Path, inputs: list, asked: dict, expected: list[str]
) -> None:
    assert names(module({**OM, **asked}), seen(om(tmp_path, *inputs), **asked)) == expected


def test_an_om_file_that_cannot_be_read(tmp_path: Path) -> None:
    opened = om(tmp_path)
    Path(opened["files"][0]).write_bytes(b"IMOD")
    assert names(module(OM), seen(opened)) == ["om-unread"]
    (problem, batch) = problems_of(module(OM), seen(opened, batch_size=6), "3.7.2")
    assert (problem.severity, batch.name, batch.severity) == ("warning", "batch-size", "error")


def test_a_page_sized_input_cannot_be_an_om_file(tmp_path: Path) -> None:
    opened = om(tmp_path, ("img", (1, 3, 256, 128)))
    found = seen(opened)
    del found.asked["input_shape"]
    own = {**OM, "module_name": "image_unwarping"}
    assert names(module(own, key="DocUnwarping"), found) == ["om-page-size"]


def test_an_onnx_file_with_one_shape() -> None:
    fixed = {**ONNX, "inputs": {"x": [1, 3, 48, 320]}}
    top = {"engine": "onnxruntime"}
    assert names(module({}, top), seen(fixed, batch_size=6)) == ["batch-size"]
    assert names(module({}, top), seen(fixed, input_shape=[3, 48, 640])) == ["input-shape"]


def test_notes_of_what_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / "inference.om").touch()
    opened = {**PADDLE, "files": [str(tmp_path / "inference.json")]}
    assert names(module({}), seen(opened)) == ["converted-not-used"]
    assert names(module({}, directory="here/det"), seen(PADDLE)) == ["relative-model-dir"]
    found = seen(ONNX)
    del found.asked["input_shape"]
    own = {"input_shape": [3, 224, 224]}
    ignored = problems_of(module(own, {"engine": "onnxruntime"}), found, "3.7.2")
    assert [(p.name, p.severity) for p in ignored] == [("input-shape-ignored", "warning")]


#: What PaddleX raised in runs of 3.0.1, 3.4.3 and 3.7.2, class and words.
FAILURES = [
    ({}, "Exception: The pipeline (t.conf) does not exist! Please use a pipeline name or a config "
     "file path!", "config-suffix"),
    ({}, "ValueError: Model name mismatch: expected 'A' but config has 'B'.", "model-name"),
    ({}, "AssertionError: Model name mismatch，please input the correct model dir.", "model-name"),
    ({}, "FileNotFoundError: /m/none does not exist!", "model-dir"),
    ({}, "AssertionError: /m/none is not exists!", "model-dir"),
    ({}, "FileNotFoundError: [Errno 2] No such file or directory: '/m/inference.yml'",
     "no-inference-yml"),
    ({"engine": "onnxruntime"},
     "ValueError: No valid model files were found for engine 'onnxruntime'.", "no-onnx"),
    (HPI_CPU, "RuntimeError: PaddleX would convert the Paddle model to ONNX when it starts",
     "no-onnx"),
    (OM, "RuntimeError: OM model required", "no-om"),
    ({"use_hpip": True}, "RuntimeError: No inference backend and configuration could be suggested. "
     "Reason: 'npu' is not a supported device type.", "auto-config"),
    ({"engine": "onnxruntime"},
     "ValueError: `engine='onnxruntime'` currently only supports `cpu` and `gpu`.", "onnx-on-npu"),
    ({"engine": "onnxruntime"}, "ValueError: engine_config cannot mix per-engine bucket keys with "
     "flat config keys.", "engine-config-form"),
    ({"engine": "onnxruntime"}, "ValueError: Invalid onnxruntime engine_config: 1 validation error "
     "for ONNXRuntimeRunnerConfig threads Extra inputs are not permitted", "engine-config-key"),
    (OM, "ValueError: No Paddle model files were found in '/m'.", "fell-back-to-paddle"),
    ({}, "ValueError: No Paddle model files were found in '/m'.", "failed"),
    ({}, "KeyError: 'something new'", "failed"),
]  # fmt: skip


@pytest.mark.parametrize(("own", "detail", "expected"), FAILURES)
def test_what_paddlex_says_has_a_name(own: dict, detail: str, expected: str) -> None:
    (problem,) = problems_of(module(own), failed(detail), "3.7.2")
    assert (problem.name, problem.severity) == (expected, "error")
    assert problem.message.startswith("TextDetection")
    assert problem.hint


def test_an_old_paddlex_does_not_read_engine() -> None:
    found = failed("ModuleNotFoundError: No module named 'paddle'")
    (problem,) = problems_of(module({}, {"engine": "onnxruntime"}), found, "3.4.3")
    assert "does not read engine, which came with 3.5" in problem.message
    (problem,) = problems_of(module({}, {"engine": "onnxruntime"}), found, "3.5.0")
    assert "takes it away" in problem.message


def test_a_download_and_an_overwritten_name() -> None:
    assert names(module({"model_dir": None}), seen(problem={"kind": "download"})) == [
        "no-model-dir"
    ]
    found = failed("ValueError: Model name mismatch: expected 'PP-OCRv6' ...", name="PP-OCRv6")
    assert names(module({}), found) == ["name-overwritten"]


NESTED = {
    "engine": "hpi",
    "engine_config": {"hpi": {"backend": "om", "device_type": "npu", "device_id": 1}},
}


@pytest.mark.parametrize(
    ("own", "top", "engine", "device", "cann"),
    [
        ({}, {}, None, None, False),
        (OM, {}, "ultra_infer/om", "npu:3", True),
        ({}, {"use_hpip": True, "hpi_config": OM["hpi_config"]}, "ultra_infer/om", "npu:3", True),
        ({}, {"hpi_config": OM["hpi_config"]}, "ultra_infer/om", "npu:3", True),
        ({"use_hpip": False}, {"engine": "onnxruntime"}, "paddle", None, False),
        (HPI_CPU, {"engine": "onnxruntime"}, "ultra_infer/ort", "cpu", False),
        ({"engine": "onnxruntime"}, OM, "onnxruntime", None, False),
        (CANN, {}, "onnxruntime", "cpu", True),
        (NESTED, {}, "ultra_infer/om", "npu:1", True),
        ({"use_hpip": True}, {}, "ultra_infer", "cpu", False),
        (
            {
                "engine": "paddle_static",
                "engine_config": {"paddle_static": {"device_type": "xpu", "device_id": 1}},
            },
            {},
            "paddle",
            "xpu:1",
            False,
        ),
    ],
)
def test_what_the_author_means(
    own: dict, top: dict, engine: str | None, device: str | None, cann: bool
) -> None:
    found = module(own, top)
    assert (engine_meant(found), device_meant(found), uses_cann(found)) == (engine, device, cann)


_MAKERS = ("_error", "_warning")


def test_every_name_is_in_the_documentation() -> None:
    import ast
    import re

    named: set[str] = set()
    for source in (check_rules, check_failures):
        for node in ast.walk(ast.parse(Path(source.__file__).read_text())):
            part = None
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _MAKERS:
                part = node.args[0]
            elif isinstance(node, ast.keyword) and node.arg == "name":
                part = node.value
            if part is not None:
                named |= {
                    word.value
                    for word in ast.walk(part)
                    if isinstance(word, ast.Constant) and word.value != "paddle"
                }
    named |= {name for _, name, _ in check_failures._KNOWN}
    page = Path(__file__).parents[2] / "docs" / "how-to" / "check-and-rehearse.md"
    table = page.read_text().partition("### Mistakes")[2].partition("##")[0]
    documented = set(re.findall(r"`([a-z-]+)`(?=[^|]*\| (?:error|warning) \|)", table))
    assert {name for name in named if isinstance(name, str) and name != "paddle"} == documented
