from __future__ import annotations

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
    ) -> Path:
        path = (root or tmp_path / "models") / (directory or name)
        path.mkdir(parents=True)
        (path / "inference.yml").write_text(YMLS[kind].format(name=name), encoding="utf-8")
        for file in files:
            (path / file).write_bytes(b"x")
        return path

    return make
