"""``paddle2om demo``: what it says at the end is what the user has waited for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from converter.cli.app import app
from converter.demo import ocr_run, sources
from converter.engine import convert
from converter.model.result import PipelineReport
from tests.report.report_builders import good, run


@pytest.mark.parametrize("quiet", [False, True])
def test_the_time_of_all_parts_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quiet: bool
) -> None:
    clock = iter((100.0, 109.0, 140.0))
    (tmp_path / "page.png").touch()
    read = PipelineReport(name="OCR", config="OCR.yaml", backend="onnx", modules={}, seconds=7.0)
    monkeypatch.setattr(sources, "fetch", dict)
    monkeypatch.setattr(convert, "run_conversion", lambda *_, **__: run([good("a")], seconds=6.0))
    monkeypatch.setattr(ocr_run, "run_ocr_demo", lambda *_, **__: read)
    clocks = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr("converter.cli.demo.time", clocks)

    ended = CliRunner().invoke(app, ["demo", "-o", str(tmp_path), *(["-q"] if quiet else [])])

    assert ended.exit_code == 0, ended.exception
    told = "40 s in all: 9.0 s to fetch the models, 6.0 s to convert them, 14 s for PaddleX"
    assert (told in ended.stderr.splitlines()) is not quiet
