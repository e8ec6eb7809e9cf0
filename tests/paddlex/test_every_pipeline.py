"""Every config that PaddleX ships, rendered: what changes is what was meant, byte by byte."""

from __future__ import annotations

import copy
import re
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from converter.errors import InputError
from converter.paddlex import tables
from converter.paddlex.modules import ConvertedModel
from converter.paddlex.render import Rendered
from tests.paddlex.rendering import model, modules_of, read_yaml, render

#: Version -> how many pipeline configs its wheel holds.
VERSIONS = {"3.0.1": 33, "3.3.13": 35, "3.5.0": 37, "3.7.2": 38}

#: Configs in which nothing can run from ONNX or OM.
NOTHING = {"doc_understanding", "multilingual_speech_recognition", "video_classification"}

#: Not models of PaddleX's.
SERVICES = {"chat_bot", "retriever", "prompt_engneering"}

VALUE = re.compile(
    r"(?P<head>\s*(?P<key>model_name|model_dir|batch_size|use_\w+|engine|engine_config)\s*:)"
    r"(?P<value>[^#\r\n]*?)(?P<tail>\s*(?:#.*)?[\r\n]*)"
)
NEW = re.compile(
    r"\s*(batch_size|input_shape|use_hpip|hpi_config|auto_config|backend|device_type|device_id"
    r"|engine|engine_config|paddle_static|run_mode|use_\w+)\s*:.*[\r\n]*"
)


@cache
def configs(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            Path(name).stem: archive.read(name)
            for name in archive.namelist()
            if re.fullmatch(r"paddlex/configs/pipelines/[^/]+\.yaml", name)
        }


def all_models(config: dict[str, Any]) -> list[ConvertedModel]:
    """A converted model for every model that the config names."""
    names = {
        str(module["model_name"])
        for module in modules_of(config).values()
        if "model_name" in module and module.get("module_name") not in SERVICES
    }
    shapes = {"_det": "x:1,3,640,480", "_rec": "x:1,3,48,320", "_doc": "x:1,3,48,320"}
    return [model(name, om=shapes.get(name[-4:])) for name in sorted(names)]


def never(name: str) -> bool:
    return bool(re.match(r"PP-DocBee|PP-Chart2Table|PaddleOCR-VL|whisper|G2PW|PP-TSM", name))


def expected(
    config: dict[str, Any], mode: str, has_engine: bool, pipeline: str = ""
) -> dict[str, Any]:
    """What the rendered config is to mean, worked out without the code under test."""
    config = copy.deepcopy(config)
    pipeline = config.get("pipeline_name", "")
    for key, part in (config.get("SubPipelines") or {}).items():
        config["SubPipelines"][key] = expected(part, mode, has_engine, pipeline)
    for key, module in (config.get("SubModules") or {}).items():
        name = str(module.get("model_name", ""))
        if not name or module.get("module_name") in SERVICES or never(name):
            continue
        module["model_dir"] = f"/zoo/{name}"
        if has_engine and name.endswith("_textline_ori") and "batch_size" in module:
            module["batch_size"] = 1
        onnx = mode == "onnx" or name == "UVDoc" or (mode == "mixed" and name.endswith("_det"))
        if not onnx:
            module |= {"batch_size": 1, "use_hpip": True}
            if pipeline == "OCR" and key != "TextLineOrientation":
                rec = key == "TextRecognition"
                module["input_shape"] = [3, 48, 320] if rec else [3, 640, 480]
            module["hpi_config"] = {
                "auto_config": False,
                "backend": "om",
                "device_type": "npu",
                "device_id": 0,
            }
        elif mode == "onnx" and has_engine and tables.has_onnxruntime_engine(name):
            module["engine"] = "onnxruntime"
        else:
            module["use_hpip"] = True
            module["hpi_config"] = {
                "auto_config": False,
                "backend": "onnxruntime",
                "device_type": "cpu",
            }
    return config


def render_for(data: bytes, mode: str, version: str) -> Rendered:
    major, minor = version.split(".")[:2]
    config = read_yaml(data)
    models = all_models(config)
    place = {m.name: "onnx" for m in models if mode == "mixed" and m.name.endswith("_det")}
    backend = "onnx" if mode == "onnx" else "om"
    return render(models, data, backend=backend, version=(int(major), int(minor)), place=place)


def check_lines(before: str, after: str) -> None:
    """Every line of the old text is there, with nothing changed but a value; others are new."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    at = 0
    for line in new:
        if at < len(old) and line == old[at]:
            at += 1
            continue
        was = VALUE.fullmatch(old[at]) if at < len(old) else None
        now = VALUE.fullmatch(line)
        if was and now and was["head"] == now["head"] and was["tail"] == now["tail"]:
            at += 1
            continue
        assert NEW.fullmatch(line), f"{line!r} after {old[at - 1]!r}"
    assert at == len(old), old[at]


@pytest.mark.parametrize("mode", ["onnx", "om", "mixed"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_pipeline_of(version: str, mode: str, paddlex_wheel: Callable[[str], Path]) -> None:
    found = configs(paddlex_wheel(version))
    assert len(found) == VERSIONS[version]
    for name, data in found.items():
        if name in NOTHING:
            with pytest.raises(InputError, match="none of the models serves"):
                render_for(data, mode, version)
            continue
        rendered = render_for(data, mode, version)
        wanted = expected(read_yaml(data), mode, version >= "3.5")
        assert read_yaml(rendered.text) == wanted, name
        check_lines(data.decode(), rendered.text)


@pytest.mark.parametrize("version", ["3.0.1", "3.7.2"])
def test_line_ends_and_a_missing_last_one_stay(
    version: str, paddlex_wheel: Callable[[str], Path]
) -> None:
    for name, data in configs(paddlex_wheel(version)).items():
        if name in NOTHING:
            continue
        unix = render_for(data, "mixed", version).text
        windows = render_for(data.replace(b"\n", b"\r\n"), "mixed", version).text
        assert windows == unix.replace("\n", "\r\n"), name
        assert render_for(data.rstrip(), "mixed", version).text == unix.rstrip(), name


@pytest.mark.parametrize("mode", ["onnx", "om", "mixed"])
def test_rendering_again_changes_nothing(mode: str, paddlex_wheel: Callable[[str], Path]) -> None:
    for name, data in configs(paddlex_wheel("3.7.2")).items():
        if name not in NOTHING:
            once = render_for(data, mode, "3.7.2")
            twice = render_for(once.text.encode(), mode, "3.7.2")
            assert (twice.text, twice.changes) == (once.text, ()), name


def test_every_module_of_structure_v3_is_served(paddlex_wheel: Callable[[str], Path]) -> None:
    data = configs(paddlex_wheel("3.7.2"))["PP-StructureV3"]
    rendered = render_for(data, "mixed", "3.7.2")
    served = {s.match.module.name: s.match for s in rendered.served}
    assert list(served) == list(modules_of(read_yaml(data)))
    left = {name for name, match in served.items() if match.model is None}
    assert left == {"ChartRecognition"}
    routes = {n: m.placement.route for n, m in served.items() if m.placement}
    assert {name for name, route in routes.items() if route == "onnx"} == {
        "DocPreprocessor.DocUnwarping",
        "GeneralOCR.TextDetection",
        "SealRecognition.SealOCR.TextDetection",
        "TableRecognition.GeneralOCR.TextDetection",
        "TableRecognition.WiredTableCellsDetection",
        "TableRecognition.WirelessTableCellsDetection",
    }
    assert set(routes.values()) == {"onnx", "om"}
