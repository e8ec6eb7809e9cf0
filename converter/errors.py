"""Every error paddle2om raises on purpose: one class per exit code, each with a hint.

Nothing below ``converter.cli`` prints or exits; it raises one of these. ``converter.cli.app``
turns the class into the process exit code and prints ``message`` and ``hint``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar


class Paddle2omError(Exception):
    """Base of the tree: a message that says what is wrong and a hint that says what to do.

    ``more`` are errors that were found together with this one; all of them are told at once.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str, more: Sequence[Paddle2omError] = ()) -> None:
        super().__init__("\n".join([message, *map(str, more)]))
        self.message = message
        self.hint = hint
        self.more = tuple(more)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes; by default the keywords would be lost."""
        return partial(type(self), hint=self.hint, more=self.more), (self.message,)


class StageError(Paddle2omError):
    """A stage could not do its work on an input that is itself fine."""

    exit_code = 1


class InputError(Paddle2omError):
    """What the user gave is wrong: a path, a model file, a flag, a missing tool."""

    exit_code = 2


class GateError(Paddle2omError):
    """The converted model does not compute what the Paddle model computes."""

    exit_code = 3


class WorkerError(Paddle2omError):
    """A worker process crashed, was killed, or ran out of time."""

    exit_code = 4


class InternalError(Paddle2omError):
    """A bug in paddle2om."""

    exit_code = 70


class Interrupted(Paddle2omError):
    """The user pressed Ctrl-C. ``again`` is the hint that always fits."""

    exit_code = 130
    again: ClassVar[str] = "run the same command again"


#: When several models fail in different ways, the run exits with the first of these that occurs.
SEVERITY: tuple[int, ...] = (130, 70, 4, 2, 1, 3, 0)


def worst_exit_code(codes: list[int]) -> int:
    """Return the exit code of a run whose parts ended with ``codes`` (0 when there are none)."""
    for code in SEVERITY:
        if code in codes:
            return code
    return 0


def error_for(exit_code: int, message: str, *, hint: str) -> Paddle2omError:
    """The exception of the tree that maps to ``exit_code`` (``InternalError`` when none does)."""
    classes = (StageError, InputError, GateError, WorkerError, Interrupted)
    for error in classes:
        if error.exit_code == exit_code:
            return error(message, hint=hint)
    return InternalError(message, hint=hint)
