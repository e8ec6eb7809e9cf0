"""Settings around a module that would change what it runs with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from converter.errors import InputError
from converter.paddlex.base import installed_paddlex
from converter.paddlex.child import child_environment
from converter.paddlex.inheritance import effective
from converter.paddlex.pipeline import modules_in
from converter.paddlex.targets import Target
from tests.paddlex.rendering import model, parsed, read_yaml, render

REC = model("PP-OCRv4_server_rec", om="x:1,3,48,320")
SEAL = """pipeline_name: seal_recognition
{top}
SubPipelines:
  SealOCR:
    pipeline_name: OCR
    {middle}
    SubModules:
      TextRecognition:
        model_name: PP-OCRv4_server_rec
        model_dir: null
        {own}
"""


def config(top: str = "", middle: str = "", own: str = "") -> str:
    return SEAL.format(top=top, middle=middle, own=own)


def runtime(text: str, version: tuple[int, int] = (3, 7), wrapper: str = "paddlex") -> Any:
    (module,) = modules_in(read_yaml(text))
    engine, options = effective(module, Target(version, wrapper)).runtime()  # type: ignore[arg-type]
    return engine, dict(options)


OM = "{auto_config: False, backend: om, device_type: npu, device_id: 3}"
OM_OPTIONS = {"auto_config": False, "backend": "om", "device_type": "npu", "device_id": 3}


@pytest.mark.parametrize("version", [(3, 0), (3, 4), (3, 5), (3, 7)])
def test_settings_at_the_top_reach_every_module(version: tuple[int, int]) -> None:
    text = config(top=f"use_hpip: True\nhpi_config: {OM}")
    assert runtime(text, version) == ("hpi", OM_OPTIONS)
    mixed = config(
        top=f"use_hpip: True\nhpi_config: {OM}",
        own="hpi_config: {backend: onnxruntime, device_type: cpu}",
    )
    wanted = OM_OPTIONS | {"backend": "onnxruntime", "device_type": "cpu"}
    assert runtime(mixed, version) == ("hpi", wanted)


def test_paddleocr_breaks_settings_at_the_top_from_3_5_on() -> None:
    """What was seen: the options of native Paddle win over hpi_config."""
    top = config(top=f"use_hpip: True\nhpi_config: {OM}")
    assert runtime(top, (3, 4), "paddleocr") == ("hpi", OM_OPTIONS)
    assert runtime(top, (3, 5), "paddleocr") == ("hpi", {})
    own = config(own=f"use_hpip: True\n        hpi_config: {OM}")
    assert runtime(own, (3, 5), "paddleocr") == ("hpi", OM_OPTIONS)


def test_engines_are_inherited_unless_something_else_is_chosen() -> None:
    top = "engine: onnxruntime\nengine_config: {onnxruntime: {intra_op_num_threads: 4}}"
    assert runtime(config(top=top)) == ("onnxruntime", {"intra_op_num_threads": 4})
    assert runtime(config(top=top), (3, 4)) == ("paddle", {})
    assert runtime(config(top=top, own="use_hpip: False")) == ("paddle", {})
    assert runtime(config(top=top, middle="engine: null")) == ("paddle", {})
    assert runtime(config(top=top, own="engine: paddle_static")) == ("paddle_static", {})
    # A pipeline's own options are replaced by inherited ones, a model's are merged with them.
    inner = config(top=top, middle="engine_config: {paddle_static: {run_mode: paddle}}")
    assert runtime(inner)[1] == {"intra_op_num_threads": 4}
    flat = "engine: onnxruntime\nengine_config: {intra_op_num_threads: 4}"
    merged = config(top=flat, own="engine_config: {inter_op_num_threads: 2}")
    assert runtime(merged)[1] == {"intra_op_num_threads": 4, "inter_op_num_threads": 2}


AROUND = {
    "nothing": "",
    "another engine": "engine: onnxruntime",
    "an engine with options": "engine: paddle_static\n"
    "engine_config: {paddle_static: {cpu_threads: 4}}",
    "another backend": "use_hpip: True\nhpi_config: {auto_config: True, backend: tensorrt, "
    "device_type: gpu, device_id: 5, backend_config: {precision: FP16}}",
    "OM already": f"use_hpip: True\nhpi_config: {OM}",
    "off": "use_hpip: False",
}


@pytest.mark.parametrize("top", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("middle", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("version", [(3, 0), (3, 7)])
@pytest.mark.parametrize("wrapper", ["paddlex", "paddleocr"])
@pytest.mark.parametrize("backend", ["om", "onnx", "paddle"])
def test_whatever_is_around_a_module_it_runs_as_placed(
    top: str, middle: str, version: tuple[int, int], wrapper: str, backend: str
) -> None:
    """``render`` itself compares what PaddleX would make of it; here every way is gone."""
    text = config(top, middle.replace("\n", "\n    "))
    rendered = render([REC], text, backend=backend, version=version, wrapper=wrapper)
    engine, options = runtime(rendered.text, version, wrapper)
    if backend == "paddle":
        assert engine == ("paddle_static" if version >= (3, 5) else "paddle")
    elif backend == "om" or version < (3, 5):
        assert engine == "hpi"
        assert options["backend"] == ("om" if backend == "om" else "onnxruntime")
        assert options["auto_config"] is False
        assert options["device_type"] == ("npu" if backend == "om" else "cpu")
        assert options.get("backend_config") is None
    else:
        assert engine == "onnxruntime"
        assert options.get("device_type", "cpu") == "cpu"


@pytest.mark.parametrize("backend", ["om", "onnx", "paddle"])
@pytest.mark.parametrize(
    "own",
    [
        "engine: transformers",
        "engine: transformers\n        engine_config: {transformers: {dtype: float16}}",
        "engine: hpi\n        engine_config: {hpi: {backend: openvino}}",
        "use_hpip: True\n        hpi_config: {auto_config: True, backend: openvino}",
        "engine: null",
        "hpi_config: null",
        "hpi_config:",
        "engine_config: {}",
    ],
)
def test_what_a_module_said_itself_gives_way(own: str, backend: str) -> None:
    rendered = render([REC], config(own=own), backend=backend)
    engine, options = runtime(rendered.text)
    wanted = {"om": "hpi", "onnx": "onnxruntime", "paddle": "paddle_static"}[backend]
    assert engine == wanted
    assert options.get("backend", "om") == "om"


def test_a_users_own_options_stay() -> None:
    own = "engine: onnxruntime\n        engine_config: {onnxruntime: {intra_op_num_threads: 2}}"
    module = parsed(render([REC], config(own=own)))["SubPipelines"]["SealOCR"]["SubModules"]
    assert module["TextRecognition"]["engine_config"] == {
        "onnxruntime": {"intra_op_num_threads": 2}
    }
    flat = "engine: onnxruntime\n        engine_config: {intra_op_num_threads: 2}"
    assert runtime(render([REC], config(own=flat)).text)[1] == {"intra_op_num_threads": 2}


def test_options_without_an_engines_name_are_refused() -> None:
    """PaddleX would mix them with ours, and refuse the mixture when the pipeline is created."""
    top = "engine: paddle_static\nengine_config: {cpu_threads: 4}"
    with pytest.raises(InputError, match=r"without an engine's name \(cpu_threads\)") as caught:
        render([REC], config(top=top))
    assert "engine_config: {paddle_static: {...}}" in caught.value.hint
    render([REC], config(top=top), backend="om")  # use_hpip keeps them out
    render([REC], config(top=top), version=(3, 4))  # which does not read the key


@pytest.mark.slow
def test_paddlex_itself_decides_the_same(tmp_path: Path) -> None:
    """Random nested settings, against the installed PaddleX; seen equal in 3.3.13 and 3.5.0 too."""
    found = installed_paddlex()
    if found is None:
        pytest.skip("PaddleX is not installed: pip install 'paddle2om[paddlex]'")
    script = Path(__file__).with_name("paddlex_inheritance.py")
    root = Path(__file__).parents[2]
    environment = child_environment({**os.environ, "PADDLE2OM_CACHE": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    compared = re.search(r"compared (\d+)", done.stdout)
    assert compared and int(compared[1]) > 1500
