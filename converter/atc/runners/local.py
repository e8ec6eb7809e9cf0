"""atc on this host: on PATH, or in the toolkit that its set_env.sh makes known."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from converter.atc.runners.contract import AtcJob, AtcRun, LogSink
from converter.atc.runners.session import Transport, run_session
from converter.errors import Paddle2omError, StageError
from converter.model.wording import last_line


@dataclass(frozen=True)
class LocalRunner:
    """Runs atc here, below a process that kills all of it when we end, however we end."""

    @property
    def where(self) -> str:
        """For messages."""
        return "this host"

    def run(self, job: AtcJob, log: LogSink) -> AtcRun:
        """See ``Runner.run``."""
        return run_session(Transport(self.where, _argv, _explain, local=True), job, log)


def _argv(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-u", "-c", code)


def _explain(code: int, words: str) -> Paddle2omError:
    return StageError(
        f"the process that watches atc ended with code {code}: {last_line(words)}",
        hint="killed from outside, or by the kernel for want of memory: see dmesg",
    )
