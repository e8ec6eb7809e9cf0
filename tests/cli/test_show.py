"""What ``--quiet`` leaves: one ``error:`` and one ``hint:`` for each thing that fails the run."""

from __future__ import annotations

import pytest

from converter.cli.show import print_failures
from converter.model.result import Message, Status
from tests.report.report_builders import exported, model, run


def test_only_what_degrades_a_stage_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    messages = (
        Message(level="info", text="two outputs changed places"),
        Message(level="warning", text="a fallback"),
        Message(level="warning", text="another", hint="do that"),
    )
    stage = exported(Status.DEGRADED).model_copy(update={"messages": messages})
    print_failures(run([model("m", stage)], strict=True))
    assert capsys.readouterr().err.splitlines() == [
        "error: m: export degraded: a fallback",
        "hint: leave out --strict if that is good enough",
        "error: m: export degraded: another",
        "hint: do that",
    ]


def test_a_stage_that_says_nothing_is_told_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage = exported(Status.DEGRADED).model_copy(update={"messages": ()})
    print_failures(run([model("m", stage)], strict=True))
    assert "error: m: export degraded: no reason was recorded" in capsys.readouterr().err
