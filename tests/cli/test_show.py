"""What ``--quiet`` leaves: one ``error:`` and one ``hint:`` for each thing that fails the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.cli.show import print_failures, print_report
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


def test_a_file_has_whole_lines_and_no_spaces_at_their_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "vision_layers.pyramid_pooling_static_" * 6
    message = Message(level="warning", text="a sentence of many words, " * 9, hint="do that")
    stage = exported(Status.DEGRADED).model_copy(update={"messages": (message,)})
    monkeypatch.delenv("COLUMNS", raising=False)
    with (tmp_path / "log").open("w+", encoding="utf-8") as file:
        monkeypatch.setattr("sys.stderr", file)
        print_report(run([model(name, stage), model("short", exported())]))
        file.seek(0)
        lines = file.read().splitlines()
    assert len([line for line in lines if line.startswith(f"{name} ")]) == 1
    assert len([line for line in lines if message.text.strip() in line]) == 1
    assert [line for line in lines if line != line.rstrip()] == []
