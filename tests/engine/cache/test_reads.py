"""A stage that reads an option which it does not declare would give stale results: caught here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.engine.cache.keys import EXECUTION
from converter.model.task import ConvertOptions
from converter.model.tolerance import ToleranceOverride
from converter.stages.job import Job
from converter.stages.pipeline import STAGES, stages_named

#: Fields of the task that differ from run to run, and what our own stages are told about files.
PLACES = {"options", "source", "work_dir", "destination", "report_root", "force", "cache"}

#: Set alike in every run that has a cache (``converter.engine.plan.tasks_for``).
CONSTANT = {"onnx_name", "om_name", "only", "beside", "must_compile", "preflight_only", "yml"}


class Recorder:
    """Stands for a record and notes which fields are read."""

    def __init__(self, record: Any, seen: set[str]) -> None:
        self._record, self._seen = record, seen

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._record, name)
        if name in type(self._record).model_fields:
            self._seen.add(name)
        return value


class RecordedJob(Job):
    """A job whose options and task note what is read."""

    read_options: set[str]
    read_task: set[str]

    @property
    def options(self) -> Any:
        return Recorder(self.task._record.options, self.read_options)


#: Stands for a file that the test writes.
DATA = ("input.npz",)

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "unsimplified": {"simplify": False},
    "renamed, own tolerance": {"rename": {"x": "image"}, "atol": 1e-4, "rtol": 1e-3},
    "another tolerance per output": {"tolerances": {"*": ToleranceOverride(atol=1e-4)}},
    "many shapes, another opset and seed": {"sweep": True, "opset": 14, "seed": 3},
    "own data": {"data": DATA},
    "own data that must agree": {"data": DATA, "min_agreement": 1.0},
    "script": {"soc": "Ascend310P3", "shapes": {"x": (1, 3, 32, 32)}},
}

#: The options that a case gives through others of ``job_for``'s.
GIVEN = {"soc": "compile", "shapes": "compile"}


@pytest.mark.parametrize("case", CASES)
def test_every_option_that_is_read_is_declared(case, job_for, tiny_pir, cls_model, tmp_path):
    given, model = dict(CASES[case]), tiny_pir
    if "min_agreement" in given:  # what is to agree are classes, which PaddleX's file tells of
        model = Path(shutil.copytree(cls_model, tmp_path / "cls"))
        (model / "inference.yml").write_text("PostProcess: {name: ClsPostProcess}\n", "utf-8")
    if "data" in given:
        image = np.linspace(-1, 1, 3 * 48 * 192, dtype=np.float32).reshape(1, 3, 48, 192)
        np.savez(tmp_path / DATA[0], x=image)
        given["data"] = (str(tmp_path / DATA[0]),)
    plain = job_for(model, **given)
    read = set()
    job = RecordedJob(Recorder(plain.task, set()))
    for stage in stages_named(STAGES):
        job.read_options, read_task = set(), set()
        job.task = Recorder(plain.task, read_task)
        result = stage(job)
        job.results[stage.name] = result
        assert result.error is None, result.error

        read |= job.read_options
        undeclared = job.read_options - {*stage.reads} - EXECUTION
        assert not undeclared, f"{stage.name} reads {undeclared}: add it to its `reads`"
        outside = stage.surroundings(plain.task) or {}
        named = {"name"} if "model name" in outside else set()
        assert read_task <= PLACES | CONSTANT | named, stage.name
    assert {GIVEN.get(name, name) for name in given} <= read, "the case does not show what it gives"


def test_every_option_that_decides_a_result_has_a_case():
    given = {GIVEN.get(name, name) for case in CASES.values() for name in case}

    assert given == {*ConvertOptions.model_fields} - EXECUTION


def test_every_declared_option_exists():
    for stage in stages_named(STAGES):
        assert {*stage.reads} <= {*ConvertOptions.model_fields}, stage.name
