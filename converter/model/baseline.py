"""What a baseline holds: the numbers of a run that later runs must not fall behind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from converter.model.record import Record
from converter.model.tolerance import Limit

#: What a change is: the first two fail a run; ``changed`` is neither better nor worse.
Verdict = Literal["worse", "missing", "new", "changed", "better"]

#: Version of the file; raised when a reader would break.
BASELINE_VERSION: Literal[1] = 1


class Slack(Record):
    """How much worse than its baseline a run may be before it counts.

    An error may grow to ``error_factor`` times its baseline plus ``error_floor``: the same model
    differs between processors in its last bits, and an error of nearly nothing doubles easily.
    2**-20 is 8 roundoffs of a float32 of 1. A similarity (cosine, agreement) may lose
    ``similarity``. Bytes may grow by the part ``size`` of themselves, or by ``size_floor``: a file
    says which versions made it. Nodes may grow by ``nodes``.
    """

    error_factor: Limit = 2.0
    error_floor: Limit = 2.0**-20
    similarity: Limit = 1e-5
    size: Limit = 0.01
    size_floor: int = Field(default=1024, ge=0)
    nodes: int = Field(default=0, ge=0)


class OutputBaseline(Record):
    """The worst of an output over all cases; None where a metric means nothing."""

    max_abs: float | None = None
    relative_l2: float | None = None
    cosine: float | None = None
    argmax_agreement: float | None = None


class ModelBaseline(Record):
    """What is kept of a model: ``bytes`` are the ONNX file's, weights in other files included."""

    status: str
    opset: int | None = None
    nodes: int | None = None
    bytes: int | None = None
    outputs: dict[str, OutputBaseline] = Field(default_factory=dict)


class KnownFailure(Record):
    """How a model is known to fail: the stage and its exit code decide, ``message`` is for people.

    ``message`` is the first line of the failure's.
    """

    stage: str
    exit_code: int
    message: str = ""

    def is_like(self, other: KnownFailure | None) -> bool:
        """Whether both are the same stage and exit code, whatever the messages."""
        mine = (self.stage, self.exit_code)
        return other is not None and mine == (other.stage, other.exit_code)

    def __str__(self) -> str:
        return f"{self.stage}, exit code {self.exit_code}"


class Baseline(Record):
    """A baseline file: models by the name that they have in the report.

    ``failures`` are the models that are known to fail; those have no numbers in ``models``.
    """

    schema_version: Literal[1] = BASELINE_VERSION
    tool: Literal["paddle2om"] = "paddle2om"
    slack: Slack = Slack()
    models: dict[str, ModelBaseline] = Field(default_factory=dict)
    failures: dict[str, KnownFailure] = Field(default_factory=dict)


class BaselineChange(Record):
    """Something that is not as in the baseline, of one model.

    ``what`` is ``opset``, ``nodes``, ``bytes``, ``status``, ``model``, ``failure``, a metric of an
    output (``max_abs of y``), or ``output y``. ``limit`` is what would still have passed.
    """

    model: str
    what: str
    before: float | str | None
    now: float | str | None
    verdict: Verdict
    limit: float | str | None = None

    @property
    def is_failed_model(self) -> bool:
        """Whether the model failed, and is not known to fail so."""
        if self.what == "failure":
            return self.now is not None
        return self.what in ("status", "model") and self.now in ("failed", "crashed", "timeout")


class BaselineReport(Record):
    """A run against its baseline: what changed, the worst first.

    ``updated`` when the file was written from this run. ``kept`` are then the models that the file
    still has though the run did not have them, ``dropped`` those that it has no more; ``accepted``
    those that are now known to fail as they did, ``recovered`` those that were and passed,
    ``left_out`` those that failed and are not known to. ``unwritten`` says why the file was not
    written although that was asked for; nothing is compared then.
    """

    file: str
    compared: int
    changes: tuple[BaselineChange, ...] = ()
    updated: bool = False
    unwritten: str = ""
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[BaselineChange, ...]:
        """The changes that fail the run: none once they are the new baseline."""
        if self.updated:
            return ()
        return tuple(c for c in self.changes if c.verdict in ("worse", "missing"))

    @property
    def to_be_decided(self) -> tuple[BaselineChange, ...]:
        """The changes that a new baseline could take up: those that fail the run, and failures."""
        if self.updated:
            return ()
        fails = self.failures
        return tuple(c for c in self.changes if c in fails or c.is_failed_model)
