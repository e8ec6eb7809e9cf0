"""Records Paddle's outputs at the shapes of an OM file, for an NPU to be compared with."""

from __future__ import annotations

from pathlib import Path

from converter.accuracy.predictor import PaddlePredictor
from converter.accuracy.recorded import case_bytes
from converter.accuracy.reference import PaddleReference
from converter.atc import external_weights
from converter.atc.device import kit
from converter.errors import InputError
from converter.model.om_file import OmFile, read_om
from converter.model.result import InspectFacts
from converter.model.tensor import TensorSpec
from converter.stages.job import Job
from converter.stages.stage import Outcome, Stage


class RecordStage(Stage):
    """Makes a device kit: the OM file, the script, and cases at the one shape of the OM file."""

    name = "record"

    def run(self, job: Job) -> Outcome:
        """Run Paddle; ``InputError`` when the OM file is not of this model or not static."""
        assert job.task.om is not None
        assert job.model is not None
        source = Path(job.task.om)
        om = read_om(source)
        described = job.facts(InspectFacts)
        inputs = static_inputs(om, described.inputs)
        if len(om.outputs) != len(described.outputs):
            raise InputError(
                f"{source.name} has {len(om.outputs)} outputs, the Paddle model "
                f"{len(described.outputs)}",
                hint="give the model that the OM file was compiled from",
            )
        reference = PaddleReference(
            PaddlePredictor(job.model.program, job.model.params, threads=job.options.threads),
            inputs,
            described.outputs,
            hints={},
            value_range=described.value_range,
            seed=job.options.seed,
        )
        for index, case in enumerate(reference.cases()):
            name = f"{kit.CASES}/{index}-{case.case.kind}.npz"
            self._add(job, name, case_bytes(case.inputs, case.outputs))
        for name, content in kit.own_files().items():
            self._add(job, name, content)
        for name, file in external_weights.needed_by(source, om.build.atc_cmdline).items():
            self._add(job, name, file.read_bytes())
        self._add(job, kit.OM, source.read_bytes())
        return Outcome()

    def _add(self, job: Job, name: str, content: bytes) -> None:
        path = job.work_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        job.add_file(name, path, self.name)


def static_inputs(om: OmFile, inputs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """Paddle's inputs with the shapes that the OM file takes. Raises ``InputError``."""
    made = {tensor.name: tensor.shape for tensor in om.fed_inputs}
    if sorted(made) != sorted(spec.name for spec in inputs):
        raise InputError(
            f"{om.file} takes {', '.join(made)}, the Paddle model "
            f"{', '.join(spec.name for spec in inputs)}",
            hint="give the model that the OM file was compiled from",
        )
    if om.profiles is not None or any(dim < 0 for shape in made.values() for dim in shape):
        raise InputError(
            f"{om.file} takes more than one shape",
            hint="compile it for one shape, as PaddleX needs it",
        )
    for spec in inputs:
        shape = made[spec.name]
        fits = len(shape) == len(spec.shape) and all(
            isinstance(dim, str) or dim == extent
            for dim, extent in zip(spec.shape, shape, strict=True)
        )
        if not fits:
            raise InputError(
                f"{om.file} takes {spec.name} as {list(shape)}, which the Paddle model does not",
                hint="give the model that the OM file was compiled from; one with AIPP takes "
                "images, which are not recorded",
            )
    return tuple(spec.model_copy(update={"shape": made[spec.name]}) for spec in inputs)
