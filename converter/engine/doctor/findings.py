"""What doctor says."""

from __future__ import annotations

from typing import Literal

from pydantic import computed_field

from converter.model.record import Record

#: ``problem``: conversion does not work, or not rightly. ``warning``: something will not work that
#: not everybody needs. ``absent``: something optional is not there.
State = Literal["ok", "absent", "warning", "problem"]

Area = Literal["python", "packages", "machine", "ascend", "self-test"]


class Check(Record):
    """One thing that was looked at.

    ``found`` is what is there, ``reason`` what is wrong with it, ``fix`` the command or the step
    that mends it; the last two are empty where nothing is wrong.
    """

    area: Area
    name: str
    state: State = "ok"
    found: str = ""
    reason: str = ""
    fix: str = ""


class DoctorReport(Record):
    """Everything that was looked at."""

    tool: str = "paddle2om"
    version: str
    checks: tuple[Check, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def exit_code(self) -> int:
        """1 with a problem, else 0."""
        return int(any(check.state == "problem" for check in self.checks))
