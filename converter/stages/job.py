"""One model on its way through the stages: what earlier stages leave for later ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from converter.model import onnx_file
from converter.model.paddle_dir import PaddleModel
from converter.model.record import Record
from converter.model.result import ExportFacts, InspectFacts, Placement, StageResult
from converter.model.task import ConvertOptions, Task

if TYPE_CHECKING:
    import onnxruntime

    from converter.accuracy.kept import Keep
    from converter.accuracy.predictor import Predictor
    from converter.accuracy.reference import Arrays, PaddleReference, ReferenceCase
    from converter.accuracy.user_data import Given
    from converter.model.inference_yml import InferenceYml

Facts = TypeVar("Facts", bound=Record)

#: Names in the output directory, as PaddleX wants them.
YML_NAME = "inference.yml"
OM_NAME = "inference.om"
SCRIPT_NAME = "atc.sh"
PREPARED_NAME = "atc.onnx"


@dataclass
class Job:
    """The task, its work directory, the results so far and the files to publish.

    ``files`` maps the name a file will have in the destination directory to where it lies in the
    work directory, and the stage that made it. ``tell`` takes lines about what is going on, for
    who watches; most of them may be dropped. ``digests`` are those of files in the work directory
    as far as they are known, and ``kept_reference`` is where Paddle's outputs are kept.
    """

    task: Task
    results: dict[str, StageResult] = field(default_factory=dict)
    files: dict[str, tuple[Path, str]] = field(default_factory=dict)
    model: PaddleModel | None = None
    onnx: Path | None = None
    yml: Path | None = None
    placement: Placement | None = None
    tell: Callable[[str], None] = lambda _: None
    digests: dict[Path, str] = field(default_factory=dict)
    kept_reference: Keep | None = None
    _sessions: dict[Path, onnxruntime.InferenceSession] = field(default_factory=dict)
    _outputs: dict[tuple[Path, str], Arrays] = field(default_factory=dict)

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

    @property
    def random_outputs(self) -> tuple[str, ...]:
        """Outputs that random numbers decide, as far as the export found some."""
        for result in self.results.values():
            if isinstance(result.facts, ExportFacts):
                return result.facts.random_outputs
        return ()

    @property
    def is_large(self) -> bool:
        """Whether the weights lie in a file of external data: then hold them once at a time."""
        return f"{self.task.onnx_name}.data" in self.files

    def close_session(self, onnx: Path) -> None:
        """Let the weights of a file that nothing runs any more go."""
        self._sessions.pop(onnx, None)

    def close_sessions(self) -> None:
        """Let the weights that ONNX Runtime holds go."""
        self._sessions.clear()

    def add_file(self, name: str, path: Path, stage: str) -> None:
        """Register a file for publishing under ``name``; the newest file of a name counts."""
        self.files[name] = (path, stage)

    @cached_property
    def described_yml(self) -> InferenceYml:
        """What the model's ``inference.yml`` says; nothing when it has none."""
        from converter.model.inference_yml import InferenceYml, read_inference_yml

        file = self.model.yml if self.model else None
        return read_inference_yml(file) if file else InferenceYml()

    @cached_property
    def given(self) -> tuple[Given, ...]:
        """The user's own data, read and checked against the model. Raises ``InputError``."""
        from converter.accuracy.user_data import read_data

        if not self.options.data:
            return ()
        return read_data(self.options.data, self.facts(InspectFacts).inputs, self.described_yml)

    @cached_property
    def reference(self) -> PaddleReference:
        """Paddle's own outputs for this model, computed once and shared by the stages."""
        from converter.accuracy.predictor import LaterPredictor, PaddlePredictor
        from converter.accuracy.reference import PaddleReference

        model = self.model
        assert model is not None
        described = self.facts(InspectFacts)

        def opened() -> PaddlePredictor:
            return PaddlePredictor(model.program, model.params, threads=self.options.threads)

        return PaddleReference(
            LaterPredictor(opened) if self.kept_reference else opened(),
            described.inputs,
            described.outputs,
            hints=described.shape_hints,
            value_range=described.value_range,
            seed=self.options.seed,
            given=self.given,
            keep=self.kept_reference,
        )

    @cached_property
    def stable_reference(self) -> Predictor | None:
        """The model in Paddle with every sort a stable one; None where all are so already."""
        from converter.accuracy.predictor import LaterPredictor, PaddlePredictor
        from converter.model.pir_document import load_pir
        from converter.model.stable_sorts import sort_stably

        model = self.model
        if model is None or model.format != "pir":
            return None
        document = load_pir(model.program)
        if not sort_stably(document):
            return None
        program = self.work_dir / "stable_sorts.json"
        program.write_text(json.dumps(document), encoding="utf-8")
        return LaterPredictor(
            lambda: PaddlePredictor(program, model.params, threads=self.options.threads)
        )

    def session(self, onnx: Path) -> onnxruntime.InferenceSession:
        """An ONNX Runtime session, opened once per file. Raises ``StageError``."""
        if onnx not in self._sessions:
            self._sessions[onnx] = onnx_file.open_session(onnx, threads=self.options.threads)
        return self._sessions[onnx]

    def onnx_outputs(self, onnx: Path, reference: ReferenceCase) -> Arrays:
        """What an ONNX file computes from a reference case's inputs, computed once.

        Under Paddle's names, whatever the file calls them.
        """
        key = (onnx, reference.case.label)
        if key not in self._outputs:
            self._outputs[key] = self._run(self.session(onnx), reference)
        return self._outputs[key]

    def plain_outputs(self, onnx: Path, reference: ReferenceCase) -> Arrays:
        """The same without ONNX Runtime's graph optimisation. Raises ``StageError``."""
        session = onnx_file.open_session(onnx, threads=self.options.threads, optimise=False)
        return self._run(session, reference)

    def _run(self, session: onnxruntime.InferenceSession, reference: ReferenceCase) -> Arrays:
        names = self.options.rename
        inputs = {names.get(name, name): array for name, array in reference.inputs.items()}
        outputs = onnx_file.run(session, inputs)
        old = {new: name for name, new in names.items()}
        return {old.get(name, name): made for name, made in outputs.items()}


def data_digests(paths: tuple[str, ...]) -> dict[str, str]:
    """The digests of the user's files to compare on. Raises ``InputError`` and ``OSError``."""
    if not paths:
        return {}
    from converter.accuracy.user_data import data_files
    from converter.model.artefacts import sha256_of

    return {f"data {file}": sha256_of(file) for path in paths for file in data_files(Path(path))}
