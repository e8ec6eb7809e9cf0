"""The one typed result that every command builds and every view renders.

A run is a ``RunReport`` of ``ModelReport``s of ``StageResult``s. It is made of plain data, travels
between processes as JSON and is what ``report.json`` holds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, computed_field, model_validator

from converter.errors import (
    GateError,
    Interrupted,
    Paddle2omError,
    StageError,
    WorkerError,
    worst_exit_code,
)
from converter.model.baseline import BaselineReport
from converter.model.comparison import ValidateFacts
from converter.model.files import Signature
from converter.model.forecast import ForecastFacts
from converter.model.located import LocateFacts
from converter.model.recipe import PlannedPipeline
from converter.model.record import Record as Record
from converter.model.task import ConvertOptions
from converter.model.tensor import ShapeHint, TensorSpec

#: Version of the JSON that ``RunReport`` serialises to; raised when a reader would break.
SCHEMA_VERSION = 1


class Status(StrEnum):
    """How a stage ended. ``degraded`` worked, with a fallback that the user should know of.

    ``interrupted`` is the first stage that an interruption kept from ending; those after it are
    ``skipped``.
    """

    OK = "ok"
    CACHED = "cached"
    DEGRADED = "degraded"
    SKIPPED = "skipped"
    FAILED = "failed"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"

    @property
    def is_failure(self) -> bool:
        """Whether the stage did not deliver what was asked for."""
        return self in (Status.FAILED, Status.CRASHED, Status.TIMEOUT)

    @property
    def ended(self) -> bool:
        """Whether the stage came to an end of its own, now and not in an earlier run."""
        return self in (Status.OK, Status.DEGRADED, Status.SKIPPED, Status.FAILED)


class Artefact(Record):
    """A file a stage made: ``path`` relative to the run's output directory, bytes, sha256.

    ``seen`` is its signature (``model.files.signature``) when it was put there, where that is
    known: with another one it may be another file. It is not part of a report.
    """

    path: str
    bytes: int
    sha256: str
    seen: Signature | None = Field(default=None, exclude=True)


class SourceFile(Record):
    """A file that something was made from: absolute path, bytes, sha256 before the work began."""

    path: str
    bytes: int
    sha256: str


class Message(Record):
    """Something the user should read about a stage."""

    level: Literal["info", "warning"]
    text: str
    hint: str = ""


class ErrorInfo(Record):
    """Why a stage failed, with the exit code its class maps to."""

    message: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: Paddle2omError) -> ErrorInfo:
        """Describe an exception raised by a stage."""
        return cls(message=error.message, hint=error.hint, exit_code=error.exit_code)


class InspectFacts(Record):
    """What a Paddle model directory holds.

    ``value_range`` is where the model's own normalisation puts pixels of 0 and 255.
    """

    kind: Literal["inspect"] = "inspect"
    format: Literal["pir", "legacy"]
    program_file: str
    params_file: str | None
    yml_file: str | None
    model_name: str | None
    paddle_version: str | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    parameter_count: int
    parameter_bytes: int
    operators: dict[str, int]
    shape_hints: dict[str, ShapeHint] = Field(default_factory=dict)
    value_range: tuple[float, float] | None = None


class ReadFacts(Record):
    """An ONNX file that is compiled, and what lies beside it."""

    kind: Literal["read"] = "read"
    file: str
    opset: int
    ir_version: int
    nodes: int
    initializer_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    yml_file: str | None = None
    model_name: str | None = None


class RepairApplied(Record):
    """One repair that changed the program or the graph: how often, and why it was needed."""

    name: str
    count: int
    reason: str


class ExportFacts(Record):
    """The exported ONNX file."""

    kind: Literal["export"] = "export"
    opset_requested: int
    opset: int
    ir_version: int
    nodes: int
    initializer_bytes: int
    repairs: tuple[RepairApplied, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    random_outputs: tuple[str, ...] = ()


class SimplifyFacts(Record):
    """What onnxsim did, and on how many input shapes the result was compared."""

    kind: Literal["simplify"] = "simplify"
    nodes_before: int
    nodes_after: int
    compared_shapes: tuple[dict[str, tuple[int, ...]], ...]
    max_abs: float


class Finding(Record):
    """Something about a model that atc will stumble over, or that its user should know.

    ``subject`` is an operator type or what else it is about, ``nodes`` are the names of the first
    few nodes, ``count`` is of how many. ``atc`` says what atc would do, ``help`` what helps.
    """

    severity: Literal["error", "warning", "info"]
    subject: str
    atc: str
    help: str
    nodes: tuple[str, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        where = ", ".join(self.nodes) + (", ..." if self.count > len(self.nodes) else "")
        return f"{self.subject}{f' ({where})' if where else ''}: atc {self.atc}"


class CompileFacts(Record):
    """The atc command for this model, and the OM file when atc ran.

    ``shapes_from`` says for each input what its static shape was taken from. ``changes`` are those
    made to the ONNX model that atc gets, and ``changes_max_abs`` the largest difference of their
    result to the model as it was. ``om_inputs`` and ``om_outputs`` are what the OM file says.
    """

    kind: Literal["compile"] = "compile"
    soc_version: str
    argv: tuple[str, ...]
    input_shape: str
    shapes_from: dict[str, str] = Field(default_factory=dict)
    changes: tuple[str, ...] = ()
    changes_max_abs: float | None = None
    findings: tuple[Finding, ...] = ()
    script: str | None = None
    om_bytes: int | None = None
    on: str = "local"
    om_inputs: tuple[str, ...] = ()
    om_outputs: tuple[str, ...] = ()


StageFacts = Annotated[
    InspectFacts
    | ReadFacts
    | ExportFacts
    | SimplifyFacts
    | ValidateFacts
    | CompileFacts
    | LocateFacts
    | ForecastFacts,
    Field(discriminator="kind"),
]


class StageResult(Record):
    """What one stage did: status, files, facts, messages, wall seconds, peak bytes of memory.

    ``cached`` is True when the result is an earlier run's. ``ok`` is then called ``cached``; what
    was degraded, skipped or failed is still called so. ``known_to_fail`` is True when it failed as
    the baseline says it would.
    """

    stage: str
    status: Status
    cached: bool = False
    known_to_fail: bool = False
    artefacts: tuple[Artefact, ...] = ()
    facts: StageFacts | None = None
    messages: tuple[Message, ...] = ()
    error: ErrorInfo | None = None
    seconds: float = 0.0
    peak_memory: int = 0

    @property
    def failure_code(self) -> int:
        """Exit code of a stage that failed, whether that was known or not."""
        return self.error.exit_code if self.error else WorkerError.exit_code

    @property
    def reasons(self) -> tuple[Message, ...]:
        """Why a degraded stage is that: its warnings, or whatever it says if it warns of nothing.

        A message of its own stands in where it says nothing.
        """
        nothing = Message(level="warning", text="no reason was recorded")
        return (
            tuple(message for message in self.messages if message.level == "warning")
            or self.messages
            or (nothing,)
        )


def _without(data: Any, name: str) -> Any:
    """``data`` without a field that is computed: JSON has it for readers, we derive it anew."""
    return {k: v for k, v in data.items() if k != name} if isinstance(data, dict) else data


#: What the user wants a model to be run from.
Wish = Literal["auto", "om", "onnx"]


class Placement(Record):
    """From which of its files PaddleX should run a model, and why.

    ``granted`` is False when ``wish`` could not be; ``cautions`` are what to know about a choice
    that is made all the same. ``unfit`` is True where an OM file would not do; where there is only
    none yet it is False, and one that comes later may be taken.
    """

    backend: Literal["om", "onnx"]
    reason: str
    unfit: bool = False
    wish: Wish = "auto"
    granted: bool = True
    cautions: tuple[str, ...] = ()


class ModelReport(Record):
    """One model's way through the stages, in order, and what PaddleX should run of it.

    ``name`` is unique in the run, and the directory of its files. ``model`` is the model's name
    without its variant, and ``variant`` says what varies: ``{"opset": "13"}``. ``options`` and
    ``inputs`` are how and from which files ``convert`` and ``build`` made it, with those that
    options name; other commands leave them out.
    """

    name: str
    source: str
    model: str = ""
    variant: dict[str, str] = Field(default_factory=dict)
    options: ConvertOptions | None = None
    inputs: tuple[SourceFile, ...] = ()
    stages: tuple[StageResult, ...]
    log: str | None = None
    placement: Placement | None = None

    @property
    def failure(self) -> StageResult | None:
        """The stage that stopped this model, if one did."""
        return next((stage for stage in self.stages if stage.status.is_failure), None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def status(self) -> Status:
        """The failing stage's status, else ``interrupted`` or ``degraded`` if any stage was.

        Else ``ok``.
        """
        if self.failure:
            return self.failure.status
        if any(stage.status is Status.INTERRUPTED for stage in self.stages):
            return Status.INTERRUPTED
        degraded = any(stage.status is Status.DEGRADED for stage in self.stages)
        return Status.DEGRADED if degraded else Status.OK

    @model_validator(mode="before")
    @classmethod
    def _drop_status(cls, data: Any) -> Any:
        return _without(data, "status")

    @property
    def known_to_fail(self) -> bool:
        """Whether it failed, as the baseline says it would."""
        return self.failure is not None and self.failure.known_to_fail

    def exit_code(self, *, strict: bool = False) -> int:
        """Exit code for this model alone; ``strict`` turns ``degraded`` into 1.

        0 for a model that is known to fail.
        """
        if self.failure:
            return 0 if self.known_to_fail else self.failure.failure_code
        if self.status is Status.INTERRUPTED:
            return Interrupted.exit_code
        return 1 if strict and self.status is Status.DEGRADED else 0

    def facts(self, kind: str) -> StageFacts | None:
        """The facts of the stage named ``kind``, if it ran."""
        return next((s.facts for s in self.stages if s.stage == kind and s.facts), None)


class PipelineReport(Record):
    """A rendered PaddleX pipeline config and, when it was run, the text it read.

    ``modules`` have the model that serves each, ``left`` PaddleX's own model of those that it
    downloads. ``asked`` is what a recipe says of it, ``inputs`` the files that it names.
    ``artefacts`` are the config, its scripts and the model directories that were completed for it.
    ``out_dir`` is the output directory of its run, absolute, where that is not the report's
    (``report merge``).
    """

    name: str
    config: str
    backend: Literal["onnx", "om", "cann", "paddle", "auto"]
    modules: dict[str, str]
    left: dict[str, str] = Field(default_factory=dict)
    image: str | None = None
    texts: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    reference_texts: tuple[str, ...] | None = None
    seconds: float = 0.0
    error: ErrorInfo | None = None
    asked: PlannedPipeline | None = None
    inputs: tuple[SourceFile, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    out_dir: str | None = None


class Shard(Record):
    """Which part of a recipe a run was: ``index`` of ``count``, from 1.

    ``models`` are all that the recipe asks for, whichever shard they are in, by name. The merge of
    several shards is 1 of 1.
    """

    index: int
    count: int
    models: tuple[str, ...]


class RunReport(Record):
    """Everything one command did; what ``report.json`` holds."""

    schema_version: int = SCHEMA_VERSION
    tool: str = "paddle2om"
    version: str
    command: str
    started: str
    seconds: float
    platform: str
    versions: dict[str, str]
    out_dir: str
    strict: bool = False
    interrupted: bool = False
    shard: Shard | None = None
    recipe: tuple[SourceFile, ...] = ()
    models: tuple[ModelReport, ...]
    pipelines: tuple[PipelineReport, ...] = ()
    baseline: BaselineReport | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Models that the recipe asks for and no merged shard had; none for a shard by itself."""
        if self.shard is None or self.shard.count > 1:
            return ()
        there = {model.name for model in self.models}
        return tuple(name for name in self.shard.models if name not in there)

    @model_validator(mode="before")
    @classmethod
    def _drop_exit_code(cls, data: Any) -> Any:
        return _without(data, "exit_code")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def exit_code(self) -> int:
        """The process exit code this run maps to (see ``docs/reference/exit-codes.md``)."""
        codes = [model.exit_code(strict=self.strict) for model in self.models]
        codes += [pipeline.error.exit_code for pipeline in self.pipelines if pipeline.error]
        if self.missing:
            codes.append(StageError.exit_code)
        if self.baseline is not None and self.baseline.failures:
            codes.append(GateError.exit_code)
        if self.interrupted:
            codes.append(Interrupted.exit_code)
        return worst_exit_code(codes)
