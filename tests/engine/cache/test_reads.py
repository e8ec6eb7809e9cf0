"""A stage that reads an option which it does not declare would give stale results: caught here."""

from __future__ import annotations

from typing import Any

import pytest

from converter.engine.cache.keys import EXECUTION
from converter.model.task import ConvertOptions
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


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "unsimplified": {"simplify": False},
    "renamed, own tolerance": {"rename": {"x": "image"}, "atol": 1e-4, "rtol": 1e-3},
    "script": {"soc": "Ascend310P3", "shapes": {"x": (1, 3, 32, 32)}},
}


@pytest.mark.parametrize("case", CASES)
def test_every_option_that_is_read_is_declared(case, job_for, tiny_pir):
    plain = job_for(tiny_pir, **CASES[case])
    job = RecordedJob(Recorder(plain.task, set()))
    for stage in stages_named(STAGES):
        job.read_options, read_task = set(), set()
        job.task = Recorder(plain.task, read_task)
        result = stage(job)
        job.results[stage.name] = result
        assert result.error is None, result.error

        undeclared = job.read_options - {*stage.reads} - EXECUTION
        assert not undeclared, f"{stage.name} reads {undeclared}: add it to its `reads`"
        outside = stage.surroundings(plain.task) or {}
        named = {"name"} if "model name" in outside else set()
        assert read_task <= PLACES | CONSTANT | named, stage.name


def test_every_declared_option_exists():
    for stage in stages_named(STAGES):
        assert {*stage.reads} <= {*ConvertOptions.model_fields}, stage.name
