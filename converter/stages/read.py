"""Stage 1 of compiling an ONNX file that is already there: that it is one, and what feeds it."""

from __future__ import annotations

from pathlib import Path

from converter.errors import InputError
from converter.model import onnx_file
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.result import ReadFacts
from converter.model.task import Task
from converter.stages.job import PREPARED_NAME, SCRIPT_NAME, YML_NAME, Job
from converter.stages.stage import Outcome, Stage


class ReadStage(Stage):
    """Reads the ONNX file and the ``inference.yml`` beside it."""

    name = "read"

    def occupies(self, task: Task) -> tuple[str, ...]:
        """What an ONNX file becomes; ``publish`` looks at ``task.only`` itself."""
        return () if task.only else (task.om_name, SCRIPT_NAME, PREPARED_NAME)

    def run(self, job: Job) -> Outcome:
        """Describe the model; ``InputError`` when it, or its ``inference.yml``, cannot be read."""
        source = Path(job.task.source)
        facts = onnx_file.describe_file(source)
        job.onnx = source
        beside = Path(job.task.yml) if job.task.yml else source.parent / YML_NAME
        yml = InferenceYml()
        if job.task.yml or beside.is_file():
            job.yml = beside
            yml = read_inference_yml(beside)
            self._publish_yml(job, beside)
        return Outcome(
            facts=ReadFacts(
                file=source.name,
                opset=facts.opset,
                ir_version=facts.ir_version,
                nodes=facts.nodes,
                initializer_bytes=facts.initializer_bytes,
                inputs=facts.inputs,
                outputs=facts.outputs,
                yml_file=beside.name if job.yml else None,
                model_name=yml.model_name,
            )
        )

    def _publish_yml(self, job: Job, yml: Path) -> None:
        """PaddleX needs it next to the OM file; where it is there already, there it stays."""
        if job.task.only is not None:
            return
        there = Path(job.task.destination) / YML_NAME
        if there.is_file() and there.read_bytes() == yml.read_bytes():
            return
        if there.exists() and not job.task.force:
            raise InputError(
                f"{there} exists and is not the inference.yml of this model",
                hint="choose another output directory with -o, or replace the file with --force",
            )
        copy = job.work_dir / YML_NAME
        copy.write_bytes(yml.read_bytes())
        job.add_file(YML_NAME, copy, self.name)
