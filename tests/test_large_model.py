"""A model above protobuf's limit of 2 GiB, converted and compared for real."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from converter import convert

BUILDER = Path(__file__).parent.parent / "fixtures" / "build_large_model.py"


@pytest.mark.slow
def test_a_model_above_2_gib(tmp_path: Path):
    if shutil.disk_usage(tmp_path).free < 10 << 30:
        pytest.skip("needs 10 GiB of disk")
    source = tmp_path / "large"
    source.mkdir()
    # In a process of its own, so that Paddle's memory for the weights is given back.
    subprocess.run([sys.executable, str(BUILDER), str(source)], check=True)
    parameters = (source / "inference.pdiparams").stat().st_size
    assert parameters > 2**31

    report = convert(source, tmp_path / "out", opset=11)

    (model,) = report.models
    assert report.exit_code == 0, model
    stages = {stage.stage: stage for stage in model.stages}
    assert stages["validate"].status == "ok"
    made = tmp_path / "out" / "large"
    assert (made / "inference.onnx").stat().st_size < 1 << 20
    assert (made / "inference.onnx.data").stat().st_size > 2**31
    onnx.checker.check_model(str(made / "inference.onnx"), full_check=True)
    # The weights once, and what a process with Paddle and ONNX Runtime needs anyway.
    fixed = stages["inspect"].peak_memory
    assert max(stage.peak_memory for stage in model.stages) < fixed + 1.3 * parameters
    shutil.rmtree(tmp_path, ignore_errors=True)
