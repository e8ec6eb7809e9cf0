"""What a build would do; what ``paddle2om build --plan --json`` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, computed_field

from converter.model.record import Record
from converter.model.result import Shard

StageState = Literal["run", "cached", "failed", "not run"]


class ModelPlan(Record):
    """One model: what becomes of each stage, and why the first that runs has to.

    ``failed`` is a kept failure that is not tried again. A model is ``refused``, and nothing of it
    is run, where files that are not ours are in the places of its own; ``why`` names one.
    ``seconds`` and ``peak_memory`` (bytes) are expected: ``measured`` in an earlier run, else
    guessed from the size of the model's files. They are without the stages that are ``untimed``:
    how long atc will take is not known before it was run.
    """

    name: str
    source: str
    model: str = ""
    variant: dict[str, str] = Field(default_factory=dict)
    stages: dict[str, StageState]
    why: str = ""
    refused: bool = False
    seconds: float = 0.0
    peak_memory: int = 0
    measured: bool = False
    untimed: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def runs(self) -> bool:
        """Whether a worker is needed."""
        return "run" in self.stages.values()


class BuildPlan(Record):
    """The models and pipelines of a recipe, or of one shard of it.

    ``refused`` are the pipelines that would not be written: name of the config to the reason.
    """

    recipe: str
    out_dir: str
    cache: str | None
    jobs: int
    shard: Shard | None = None
    models: tuple[ModelPlan, ...]
    pipelines: tuple[str, ...] = ()
    refused: dict[str, str] = Field(default_factory=dict)
