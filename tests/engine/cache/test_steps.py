"""What a worker keeps of stages whose result another time may be another one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from converter.bridge import onnxsim
from converter.engine.cache.planning import Keyed
from converter.engine.cache.restore import restore
from converter.engine.cache.steps import Steps
from converter.engine.cache.store import Cache
from converter.errors import StageError
from converter.model.result import StageResult, Status
from converter.stages.job import Job
from converter.stages.pipeline import stages_named
from converter.stages.stage import Outcome, Stage

CUT = "did not end within 60 s of processor time"


def cut_short(source: Path, work_dir: Path) -> onnxsim.Simplified:
    return onnxsim.Simplified(onnx.load_model(source), CUT)


def out_of_memory(source: Path, work_dir: Path) -> onnxsim.Simplified:
    raise StageError("onnxsim failed: std::bad_alloc", hint="the model works") from MemoryError()


@pytest.fixture
def statuses_of(tiny_pir, job_for, tmp_path):
    """Returns a function that runs a model with one cache; the statuses by stage, and the job."""

    def run(*, carries: bool = False):
        job = job_for(tiny_pir)
        cache = Cache.open(tmp_path / "cache")
        (task,) = Keyed(cache, cache.digests(), failures=False).all([job.task])
        use = task.cache.model_copy(update={"carries": carries})
        job = replace(job, task=task.model_copy(update={"cache": use}))
        steps = Steps(job)
        for stage in stages_named(job.task.stages):
            job.results[stage.name] = steps.kept(stage) or steps.run(stage)
        return {name: str(result.status) for name, result in job.results.items()}, job

    return run


@pytest.mark.parametrize("why", [cut_short, out_of_memory])
def test_what_a_limit_or_a_crash_decided_is_not_kept(why, statuses_of, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(onnxsim, "simplify", why)
        first, job = statuses_of()
    assert first["simplify"] == "degraded"
    assert first["validate"] == "ok"
    if why is cut_short:
        (message,) = job.results["simplify"].messages
        assert message.text == f"only folded constants: onnxsim's optimiser {CUT}"
        assert "the cache does not keep" in message.hint

    # Nor what was made of it: its key would say that it was the lasting one.
    later = {"inspect": "cached", "export": "cached", "simplify": "ok", "validate": "ok"}
    assert statuses_of()[0] == later | {"compile": "skipped"}
    assert statuses_of()[0] == dict.fromkeys(later, "cached") | {"compile": "skipped"}


def test_what_was_kept_of_a_lasting_result_is_not_taken_for_another(
    statuses_of, monkeypatch, tmp_path
):
    _, job = statuses_of()
    key = job.task.cache.keys["simplify"]
    Cache.open(tmp_path / "cache").entries.path(key).unlink()
    monkeypatch.setattr(onnxsim, "simplify", cut_short)

    again, _ = statuses_of()

    assert again["export"] == "cached"
    assert again["simplify"] == "degraded"
    assert again["validate"] == "ok"


def test_a_cache_that_carries_results_has_them_for_the_run_that_made_them(
    statuses_of, monkeypatch, tmp_path
):
    monkeypatch.setattr(onnxsim, "simplify", cut_short)
    _, job = statuses_of(carries=True)
    cache = Cache.open(tmp_path / "cache")

    log = tmp_path / "log"
    assert restore(cache, cache.digests(), job.task, log) is None
    report = restore(cache, cache.digests(), job.task, log, own=True)

    assert report.status is Status.DEGRADED
    assert [stage.stage for stage in report.stages] == list(job.task.stages)
    assert statuses_of(carries=True)[0]["simplify"] == "degraded"


class Waits(Stage):
    """A stage that needs Paddle's outputs and nothing else."""

    name = "inspect"

    def __call__(self, job: Job) -> StageResult:
        result = super().__call__(job)
        self.took = result.seconds
        return result

    def run(self, job: Job) -> Outcome:
        assert job.kept_reference is not None
        with job.kept_reference.once():
            return Outcome()


def test_waiting_for_another_process_is_no_time_of_the_stage(tiny_pir, job_for, tmp_path):
    cache, job = Cache.open(tmp_path / "cache"), job_for(tiny_pir)
    (task,) = Keyed(cache, cache.digests(), failures=False).all([job.task])
    job = replace(job, task=task)
    held = ExitStack()
    held.enter_context(cache.once("reference", task.cache.reference))
    told = []

    def waited(seconds: float) -> None:
        told.append(seconds)
        held.close()

    steps, stage = Steps(job, waited), Waits()
    result = steps.run(stage)

    assert result.status is Status.OK
    assert steps.idle >= told[0] > 0.9
    assert result.seconds == pytest.approx(stage.took - steps.idle)
