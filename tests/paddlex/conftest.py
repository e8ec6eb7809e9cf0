from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from converter.model.cache_home import cache_home

YMLS = {
    "det": "Global: {{model_name: {name}}}\nPostProcess: {{name: DBPostProcess}}\n",
    "rec": "Global: {{model_name: {name}}}\nPostProcess: {{name: CTCLabelDecode}}\n"
    "PreProcess: {{transform_ops: [{{RecResizeImg: {{image_shape: [3, 48, 320]}}}}]}}\n",
    "plain": "Global: {{model_name: {name}}}\n",
}

MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Make ``models/<directory>`` with an inference.yml and empty artefacts."""

    def make(
        name: str,
        kind: str,
        *,
        directory: str | None = None,
        files: tuple[str, ...] = ("inference.onnx",),
        root: Path | None = None,
        om_input_shape: str | None = None,
    ) -> Path:
        path = (root or tmp_path / "models") / (directory or name)
        path.mkdir(parents=True)
        (path / "inference.yml").write_text(YMLS[kind].format(name=name), encoding="utf-8")
        for file in files:
            (path / file).write_bytes(b"IMOD" if file.endswith(".om") else b"x")
        if om_input_shape is not None:
            manifest = {"tool": "paddle2om", "files": {}, "om_input_shape": om_input_shape}
            (path / "paddle2om.manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="session")
def paddlex_wheel() -> Callable[[str], Path]:
    """``paddlex_wheel("3.7.2")``: that wheel, not installed, from the package index or our cache.

    Skips the test, with pip's last line, where the index cannot be reached.
    """

    def fetch(version: str) -> Path:
        cache = cache_home() / "test-wheels"
        cache.mkdir(parents=True, exist_ok=True)
        for wheel in cache.glob(f"paddlex-{version}-*.whl"):
            return wheel
        with tempfile.TemporaryDirectory(dir=cache) as work:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary=:all:", "--ignore-requires-python", "--dest", work]
            done = subprocess.run(
                [*command, f"paddlex=={version}"], capture_output=True, text=True, timeout=300
            )
            made = list(Path(work).glob("*.whl"))
            if done.returncode or not made:
                last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                pytest.skip(f"pip cannot fetch paddlex {version}: {last}")
            return made[0].replace(cache / made[0].name)

    return fetch
