from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

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
