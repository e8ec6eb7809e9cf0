from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from converter.model.result import ModelReport, RunReport
from converter.report.progress import Progress
from tests.report.report_builders import exported, failed, good, inspected, mixed, model, run


def play(progress: Progress, report: RunReport) -> None:
    """Report a run's events as the engine does."""
    with progress:
        for one in report.models:
            play_model(progress, one)


def play_model(progress: Progress, one: ModelReport) -> None:
    progress.model_started(one.name)
    for stage in one.stages:
        progress.stage_started(one.name, stage.stage)
        progress.stage_finished(one.name, stage)
    progress.model_finished(one)


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=60, force_terminal=terminal, no_color=True)


def written(target: Console) -> str:
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


def test_plain_lines_in_a_log() -> None:
    log = console()
    gone = failed(
        "validate", "output y differs by 0.5\nfrom Paddle, " + "far " * 20, "locate it", 3
    )
    play(
        Progress(2, console=log), run([good("rec"), model("[det]", inspected(), exported(), gone)])
    )
    assert written(log).splitlines() == [
        "[1/2] rec: inspect ok 0.0s (pir)",
        "[1/2] rec: export ok 0.4s (opset 11)",
        "[1/2] rec: simplify ok 1.9s (949→443 nodes)",
        "[1/2] rec: validate ok 3.3s (max abs 9.5e-06)",
        "[1/2] rec: compile ok 0.0s (script)",
        "[1/2] rec: ok 5.7s",
        "[2/2] [det]: inspect ok 0.0s (pir)",
        "[2/2] [det]: export ok 0.4s (opset 11)",
        "[2/2] [det]: validate failed 2.5s: output y differs by 0.5 from Paddle, "
        + "far " * 19
        + "far",
        "[2/2] [det]: failed 3.0s",
    ]


def test_quiet_says_nothing() -> None:
    for live in (None, True, False):
        log = console(terminal=True)
        play(Progress(8, console=log, quiet=True, live=live), mixed())
        assert written(log) == ""


@pytest.mark.parametrize("live", [True, False])
def test_without_lines_nothing_stays(live: bool) -> None:
    target = console(terminal=live)
    play(Progress(1, console=target, live=live, lines=False), run([good("rec")]))
    assert "rec: ok" not in written(target)
    assert "rec  5.7 s" not in written(target)
    assert bool(written(target)) == live


def test_a_terminal_keeps_one_line_per_model() -> None:
    screen = console(terminal=True)
    play(Progress(8, console=screen, live=True), mixed())
    text = written(screen)
    assert "✓ PP-LCNet_x1_0_doc_ori  5.7 s" in text
    assert "✗ broken  2.5 s  inspect: models/broken has no" in text
    assert "models" in text
    assert "8/8" in text


def test_a_terminal_says_that_the_run_is_starting() -> None:
    screen = console(terminal=True)
    progress = Progress(2, console=screen, live=True)
    with progress:
        assert "starting" in written(screen)
        progress.model_started("rec")
        before = len(written(screen))
    after = written(screen)[before:]
    assert "rec" in after
    assert "starting" not in after


def test_a_forced_colour_log_is_still_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    log = console(terminal=True)
    play(Progress(1, console=log), run([good("rec")]))
    assert "[1/1] rec: ok 5.7s" in written(log)
    assert "━" not in written(log)


@pytest.mark.parametrize("live", [True, False])
def test_models_at_work_at_once(live: bool) -> None:
    target = console(terminal=live)
    reports = [good(f"model_{index:02d}") for index in range(40)]
    with (
        Progress(len(reports), console=target, live=live) as progress,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(lambda one: play_model(progress, one), reports))
    text = written(target)
    assert all(one.name in text for one in reports)
    if not live:
        numbers = {line.split("/")[0] for line in text.splitlines()}
        assert numbers == {f"[{index}" for index in range(1, 41)}


def test_an_interrupted_run_gives_the_terminal_back() -> None:
    screen = console(terminal=True)
    progress = Progress(2, console=screen, live=True)
    with pytest.raises(KeyboardInterrupt), progress:
        progress.model_started("rec")
        raise KeyboardInterrupt
    assert written(screen).rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in written(screen)
