"""Real PaddleX versions, real models, converted once per run, and what native Paddle reads.

Version 3.7.2 is the one in the environment of the tests. ``make paddlex-matrix`` builds the others
below ``build/paddlex`` (PADDLE2OM_PADDLEX_ENVS names another directory) and asks for all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from converter.demo.sample_page import draw_sample_page
from tests import command

ROOT = Path(__file__).parents[2]
DETECTION, RECOGNITION = "PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec"

#: What tests/paddlex_runs compiles for, in the place of atc.
OM_SHAPES = {DETECTION: (1, 3, 736, 768), RECOGNITION: (1, 3, 48, 480)}


def environment(name: str) -> str:
    """The interpreter of an environment, such as ``paddlex-3.0.1``; skips where there is none."""
    if name == "paddlex-3.7.2":
        return sys.executable
    root = Path(os.environ.get("PADDLE2OM_PADDLEX_ENVS", ROOT / "build" / "paddlex"))
    python = root / name / "bin" / "python"
    if python.is_file():
        return str(python)
    if os.environ.get("PADDLE2OM_PADDLEX_MATRIX") == "required":
        pytest.fail(f"there is no {python}: make paddlex-matrix builds it")
    pytest.skip(f"make paddlex-matrix builds {name}")


Paddle2om = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def paddle2om() -> Paddle2om:
    """Runs the command line as a user does; ``env`` is added to the environment."""

    def run(*arguments: object, env: dict[str, str] | None = None, code: int = 0):
        result = command.paddle2om(*arguments, cwd=ROOT, limit=None, **(env or {}))
        assert result.returncode == code, result.stderr
        return result

    return run


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.png"
    draw_sample_page(path)
    return path


@pytest.fixture(scope="session")
def zoo(real_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real models as ONNX, with what an OM file beside them would have been compiled for."""
    from converter import export_onnx
    from converter.model.artefacts import write_manifest
    from tests.simulators.om_writer import Model, Tensor, write_om

    out = tmp_path_factory.mktemp("zoo")
    for name, shape in OM_SHAPES.items():
        directory = out / name
        directory.mkdir()
        export_onnx(real_models[name], directory / "inference.onnx", opset=11)
        shutil.copy(real_models[name] / "inference.yml", directory / "inference.yml")
        om = write_om(Model(inputs=[Tensor("x", shape)]))
        (directory / "inference.om").write_bytes(om)
        dims = ",".join(map(str, shape))
        write_manifest(directory, {}, om_input_shape=f"x:{dims}")
    return out


@pytest.fixture(scope="session")
def native(
    real_models: dict[str, Path], page: Path, paddle2om: Paddle2om,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[str]:  # fmt: skip
    """The lines that native Paddle reads, from a rendered config for the original models."""
    work = tmp_path_factory.mktemp("native")
    for name in OM_SHAPES:
        (work / name).symlink_to(real_models[name])
    config = work / "OCR.yaml"
    paddle2om("render", "OCR", "--models", work, "--backend", "paddle", "-o", config)
    result = paddle2om("check", config, "--image", page, "--json")
    report = json.loads(result.stdout)
    serving = [m for m in report["modules"] if m["state"] != "off"]
    assert {(m["engine"], m["state"]) for m in serving} == {("paddle", "loaded")}
    texts: list[str] = report["pages"][0]["texts"]
    assert len(texts) == 19
    return texts
