"""What tests of several rooms share: the shipped models and the real ones."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A time limit for an example tells about the machine.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

FIXTURES = Path(__file__).parent.parent / "fixtures"

#: The official models of the demo, converted and compared in slow tests.
REAL_MODELS = (
    "PP-OCRv5_mobile_det",
    "PP-OCRv5_mobile_rec",
    "PP-OCRv4_mobile_det",
    "PP-OCRv4_mobile_rec",
    "ch_ppocr_mobile_v2.0_cls",
)


@pytest.fixture(scope="session")
def cls_model() -> Path:
    """A real legacy model, 2 MB: the angle classifier of PaddleOCR."""
    return FIXTURES / "ch_ppocr_mobile_v2.0_cls"


@pytest.fixture(scope="session")
def tiny_pir() -> Path:
    """A made-up PIR model of a few kilobytes."""
    return FIXTURES / "tiny_pir"


@pytest.fixture(scope="session")
def real_models() -> dict[str, Path]:
    """The five official models; the test fails, with pip's reason, when they cannot be had."""
    from converter.demo.sources import fetch

    return fetch(REAL_MODELS)


@pytest.fixture
def tiny_copy(tiny_pir: Path, tmp_path: Path) -> Path:
    """A copy of ``tiny_pir`` that a test may damage."""
    return Path(shutil.copytree(tiny_pir, tmp_path / "tiny"))


@pytest.fixture
def job_for(tmp_path):
    """Returns a function that makes a job for a model in a fresh output directory.

    At opset 13, which is the lowest that paddle2onnx gives the tiny model.
    """

    def make(model: Path, *, opset: int = 13, soc=None, shapes=(), **options) -> Any:
        from converter.model.compile_options import CompileOptions
        from converter.model.task import ConvertOptions, Task
        from converter.stages.job import Job
        from converter.stages.pipeline import STAGES

        out = tmp_path / "out"
        work = Path(tempfile.mkdtemp(prefix="work", dir=tmp_path))
        return Job(
            Task(
                name="model",
                source=str(model),
                stages=STAGES,
                work_dir=str(work),
                destination=str(out / "model"),
                report_root=str(out),
                options=ConvertOptions(
                    opset=opset, compile=CompileOptions(soc=soc, shapes=dict(shapes)), **options
                ),
            )
        )

    return make
