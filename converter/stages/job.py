"""One model on its way through the stages: what earlier stages leave for later ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from converter.model.paddle_dir import PaddleModel
from converter.model.result import InspectFacts, Record, StageResult
from converter.model.task import ConvertOptions, Task

if TYPE_CHECKING:
    from converter.accuracy.reference import PaddleReference

Facts = TypeVar("Facts", bound=Record)

#: Names in the output directory, as PaddleX wants them.
YML_NAME = "inference.yml"
OM_NAME = "inference.om"
SCRIPT_NAME = "atc.sh"


@dataclass
class Job:
    """The task, its work directory, the results so far and the files to publish.

    ``files`` maps the name a file will have in the destination directory to where it lies in the
    work directory, and the stage that made it.
    """

    task: Task
    results: dict[str, StageResult] = field(default_factory=dict)
    files: dict[str, tuple[Path, str]] = field(default_factory=dict)
    model: PaddleModel | None = None
    onnx: Path | None = None

    @property
    def options(self) -> ConvertOptions:
        """How the user wants it."""
        return self.task.options

    @property
    def work_dir(self) -> Path:
        """The directory that only this task writes to."""
        return Path(self.task.work_dir)

    def facts(self, kind: type[Facts]) -> Facts:
        """The facts that an earlier stage established."""
        for result in self.results.values():
            if isinstance(result.facts, kind):
                return result.facts
        raise LookupError(f"no stage before this one established {kind.__name__}")

    def add_file(self, name: str, path: Path, stage: str) -> None:
        """Register a file for publishing under ``name``; the newest file of a name counts."""
        self.files[name] = (path, stage)

    @cached_property
    def reference(self) -> PaddleReference:
        """Paddle's own outputs for this model, computed once and shared by the stages."""
        from converter.accuracy.reference import PaddlePredictor, PaddleReference
        from converter.model.inference_yml import read_inference_yml

        assert self.model is not None
        described = self.facts(InspectFacts)
        yml = read_inference_yml(self.model.yml) if self.model.yml else None
        return PaddleReference(
            PaddlePredictor(self.model.program, self.model.params, threads=self.options.threads),
            described.inputs,
            described.outputs,
            hints=described.shape_hints,
            value_range=yml.value_range if yml else None,
            seed=self.options.seed,
        )
