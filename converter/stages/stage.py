"""The contract every stage keeps: requires, run, ensures, and a frozen result whatever happens."""

from __future__ import annotations

import errno
import logging
import time
import traceback
from abc import ABC, abstractmethod
from dataclasses import dataclass
from subprocess import SubprocessError
from typing import ClassVar

from converter.errors import (
    GateError,
    InputError,
    InternalError,
    Paddle2omError,
    StageError,
    WorkerError,
)
from converter.model.memory import peak_memory, reset_peak_memory
from converter.model.record import Record
from converter.model.result import ErrorInfo, Message, StageFacts, StageResult, Status
from converter.model.task import Task
from converter.model.wording import first_line
from converter.stages.job import Job

logger = logging.getLogger(__name__)

#: What inputs are drawn with, or read from the user's data.
INPUT_TOOLS = ("pillow", "opencv-python", "ml_dtypes")


@dataclass
class Outcome:
    """What ``run`` established. ``status`` is ok, degraded or skipped; failures are raised.

    ``lasting`` is False where another time may give another result: a crash or a limit on time or
    memory had a part in it.
    """

    facts: Record | None = None
    status: Status = Status.OK
    messages: tuple[Message, ...] = ()
    lasting: bool = True


class Stage(ABC):
    """One step of the pipeline.

    A subclass gives ``name`` and ``run``; ``requires`` raises when the stage cannot start and
    ``ensures`` raises when what ``run`` made is not what it promised. Calling the stage runs all
    three and returns a ``StageResult``: exceptions become a failed result, facts established
    before an ``ensures`` failure are kept.

    The result may be kept and found again by a key (``converter.engine.cache.keys``). For that a
    stage says what its result depends on besides the stage before it: ``reads``, the fields of
    ``ConvertOptions`` it looks at; ``tools``, packages; ``rooms``, packages of ours whose code it
    runs and templates that it fills; and ``surroundings``. ``version`` is raised when what it
    promises changes. ``feeds`` says whether later stages depend on what it leaves.
    ``tests/engine/cache/test_reads.py`` catches an option that is read and not declared.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ()
    tools: ClassVar[tuple[str, ...]] = ()
    rooms: ClassVar[tuple[str, ...]] = ("stages", "model")
    feeds: ClassVar[bool] = True

    #: Whether what a call ended with, a result or a failure, would be the same another time.
    lasting: bool = False

    def surroundings(self, task: Task) -> dict[str, str] | None:
        """What else the result depends on, as text by name; None when that cannot be told."""
        return {}

    def restore(self, job: Job) -> None:  # noqa: B027
        """Give ``job`` what ``run`` leaves on it besides files, where the result is an earlier one.

        Raises what ``run`` raises.
        """

    def occupies(self, task: Task) -> tuple[str, ...]:
        """Names in the destination that must be free, or of our files, before the stage begins."""
        return ()

    def requires(self, job: Job) -> None:  # noqa: B027 - most stages need nothing more
        """Raise a ``Paddle2omError`` when the stage cannot start. Default: it always can."""

    @abstractmethod
    def run(self, job: Job) -> Outcome:
        """Do the work; raise a ``Paddle2omError`` when it cannot be done."""

    def ensures(self, job: Job, outcome: Outcome) -> None:  # noqa: B027
        """Raise a ``Paddle2omError`` when the result is not what it should be."""

    def foresee(self, job: Job) -> None:  # noqa: B027
        """Raise what can be told once the model is inspected, before anything that takes time."""

    def foreseen(self, job: Job) -> StageResult | None:
        """This stage's failure, if it is known already that it will fail."""
        try:
            self.foresee(job)
        except Paddle2omError as error:
            return self._result(Outcome(), error, 0.0)
        return None

    def __call__(self, job: Job) -> StageResult:
        """Run the stage and its contract; whatever happens becomes a result."""
        reset_peak_memory()
        started = time.perf_counter()
        outcome = Outcome()
        error: Paddle2omError | None = None
        begun = self.lasting = False
        try:
            self.requires(job)
            begun = True
            outcome = self.run(job)
            self.ensures(job, outcome)
            self.lasting = outcome.lasting
        except Paddle2omError as raised:
            error = raised
            self.lasting = begun and is_lasting(raised)
        except OSError as raised:
            error = describe_os_error(raised)
        except SystemExit as raised:
            # paddle2onnx's Python code does this where others raise.
            error = StageError(
                f"a library asked to exit (code {raised.code})",
                hint="the model's log has its last words",
            )
        except MemoryError:
            error = WorkerError("out of memory", hint="convert this model on a machine with more")
        except Exception as raised:  # noqa: BLE001 - the one place that turns a bug into a result
            traceback.print_exc()
            error = InternalError(
                f"unexpected {type(raised).__name__}: {first_line(str(raised))}",
                hint="this is a bug in paddle2om: please report it with the log of this model",
            )
        return self._result(outcome, error, time.perf_counter() - started)

    def _result(
        self, outcome: Outcome, error: Paddle2omError | None, seconds: float
    ) -> StageResult:
        facts: StageFacts | None = outcome.facts  # type: ignore[assignment]
        return StageResult(
            stage=self.name,
            status=Status.FAILED if error else outcome.status,
            facts=facts,
            messages=outcome.messages,
            error=ErrorInfo.of(error) if error else None,
            seconds=seconds,
            peak_memory=peak_memory(),
        )


def is_lasting(error: Paddle2omError) -> bool:
    """Whether the model is what failed, and not the machine: a full disk, a lost process, a bug."""
    machine = OSError | MemoryError | SubprocessError
    environment = isinstance(error.__cause__ or error.__context__, machine)
    return isinstance(error, InputError | StageError | GateError) and not environment


def describe_os_error(error: OSError) -> InputError:
    """Say what the operating system refused: a full disk and a missing permission get a hint."""
    where = f": {error.filename}" if error.filename else ""
    text = f"{error.strerror or error}{where}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(text, hint="free some space or choose another output directory with -o")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError(text, hint="check the permissions, or choose another directory with -o")
    return InputError(text, hint="check that the path can be read and written, or be made")
