"""What came of making a run again: what ``paddle2om reproduce --json`` prints."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import computed_field

from converter.errors import GateError, Interrupted, StageError, worst_exit_code
from converter.model.record import Record
from converter.model.result import Status

#: Version of the JSON of ``Reproduction``; raised when a reader would break.
REPRODUCTION_SCHEMA = 1


class ToolChange(Record):
    """A tool, or the platform, that is not what the run had; None where there is none."""

    name: str
    recorded: str | None
    here: str | None


class SourceChange(Record):
    """A source file that is not as it was; ``models`` are made from it."""

    path: str
    state: Literal["changed", "missing", "new"]
    models: tuple[str, ...]


class Surroundings(Record):
    """What is known before anything runs: why files may come out otherwise.

    ``edited`` are files of the run, relative to its directory, that are not what its manifest says.
    """

    tools: tuple[ToolChange, ...] = ()
    sources: tuple[SourceChange, ...] = ()
    cautions: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()


class Verdict(StrEnum):
    """How a file compares with the recorded one.

    ``edited`` was made now as it was recorded, and the run's own file is not that any more.
    ``missing`` was recorded and not made now, ``new`` the other way round. ``not reproduced`` could
    not be made here, for want of atc.
    """

    EQUAL = "equal"
    DIFFERENT = "different"
    EDITED = "edited"
    MISSING = "missing"
    NEW = "new"
    NOT_REPRODUCED = "not reproduced"

    @property
    def differs(self) -> bool:
        """Whether the run is not what its sources make, and not for want of a tool."""
        return self not in (Verdict.EQUAL, Verdict.NOT_REPRODUCED)


class ComparedFile(Record):
    """A file of the run against the one made now; digests are None where there is no file.

    ``of`` is the model's or the pipeline's name, ``path`` relative to the output directory.
    """

    of: str
    path: str
    verdict: Verdict
    recorded: str | None = None
    made: str | None = None
    why: tuple[str, ...] = ()


class ComparedModel(Record):
    """How a model ended then and now, with the exit code of a failure that is new."""

    name: str
    recorded: Status
    now: Status
    error: str | None = None
    exit_code: int = 0


class Reproduction(Record):
    """A run made again in ``directory``, and every file compared."""

    schema_version: int = REPRODUCTION_SCHEMA
    tool: str = "paddle2om"
    manifest: str
    directory: str
    kept: bool
    interrupted: bool = False
    surroundings: Surroundings
    models: tuple[ComparedModel, ...]
    files: tuple[ComparedFile, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def exit_code(self) -> int:
        """0 when all is equal, 3 when something differs, 1 when something could not be made here.

        A model that crashed or could not be read now, and was made then, counts as such.
        """
        codes = [model.exit_code for model in self.models]
        if any(file.verdict.differs for file in self.files) or any(
            model.recorded != model.now for model in self.models
        ):
            codes.append(GateError.exit_code)
        if any(file.verdict is Verdict.NOT_REPRODUCED for file in self.files):
            codes.append(StageError.exit_code)
        if self.interrupted:
            codes.append(Interrupted.exit_code)
        if not self.files and not any(codes):
            codes.append(StageError.exit_code)  # nothing was compared
        return worst_exit_code(codes)
