"""Stage 1: what the Paddle model directory holds, and that it is whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from converter.model.describe import describe, read_program
from converter.model.paddle_dir import find_model
from converter.model.result import InspectFacts
from converter.model.separate_params import combine, separate_files
from converter.model.task import Task
from converter.stages.job import OM_NAME, PREPARED_NAME, SCRIPT_NAME, YML_NAME, Job
from converter.stages.stage import Outcome, Stage


class InspectStage(Stage):
    """Reads the program and the parameter headers; nothing native runs before this passed."""

    name = "inspect"
    tools = ("python", "pyyaml")

    def occupies(self, task: Task) -> tuple[str, ...]:
        """What a model becomes."""
        return (task.onnx_name, YML_NAME, SCRIPT_NAME, PREPARED_NAME, OM_NAME)

    def run(self, job: Job) -> Outcome:
        """Find and describe the model; ``InputError`` for anything missing or damaged."""
        self._find(job)
        assert job.model is not None
        facts = describe(job.model)
        self._combine(job, facts)
        if job.model.yml is not None:
            # PaddleX needs it next to the ONNX or OM file; the user's own stays where it is.
            copy = job.work_dir / YML_NAME
            copy.write_bytes(job.model.yml.read_bytes())
            job.add_file(YML_NAME, copy, self.name)
        return Outcome(facts=facts)

    def restore(self, job: Job) -> None:
        """Find the model's files again."""
        self._find(job)
        self._combine(job, job.facts(InspectFacts))

    def _find(self, job: Job) -> None:
        """Put the model and its ``inference.yml`` on the job: later stages read both."""
        job.model = find_model(Path(job.task.source))
        job.yml = job.model.yml

    def _combine(self, job: Job, facts: InspectFacts) -> None:
        """Where there is one file per parameter: what follows wants them in one."""
        assert job.model is not None
        if job.model.params is not None or not facts.parameter_count:
            return
        combined = job.work_dir / "combined.pdiparams"
        parameters = read_program(job.model).parameters
        combine(separate_files(job.model.directory, parameters), combined)
        job.model = replace(job.model, params=combined)
