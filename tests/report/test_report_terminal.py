"""What the terminal shows, compared with text files in ``golden/``.

After a change that is meant, write the files anew, and read their diff before committing it::

    UPDATE_GOLDEN=1 python -m pytest tests/report
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from converter.model.result import Message, Placement, RunReport, StageResult
from converter.report.terminal import render_table
from tests.report.report_builders import (
    all_ok,
    failed,
    mixed,
    model,
    run,
    skipped,
    validated,
    validation,
)

GOLDEN = Path(__file__).parent / "golden"


def show(report: RunReport, *, width: int = 80, encoding: str = "utf-8") -> str:
    """Print ``report`` as into a file, in ``encoding``."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    Console(file=file, width=width, no_color=True, force_terminal=False).print(render_table(report))
    file.flush()
    return "".join(line.rstrip() + "\n" for line in raw.getvalue().decode(encoding).splitlines())


def check(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_at_80_columns_without_colour(name: str, report: RunReport) -> None:
    text = show(report)
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 80
    check(f"{name}_80.txt", text)


def test_a_failure_of_an_earlier_run_is_told_as_such() -> None:
    now, before = (
        show(
            run([model("a", failed("inspect", "no weights", "copy them", cached=cached))]),
            width=200,
        )
        for cached in (False, True)
    )
    assert "tried again" not in now
    assert "no weights (found so by an earlier run, not tried again)" in before
    assert "hint: copy them; --retry-failed tries again" in before


def test_wide_enough_for_units() -> None:
    check("mixed_140.txt", show(mixed(), width=140))


def test_ascii_where_the_encoding_has_no_ticks() -> None:
    text = show(mixed(), encoding="ascii")
    assert text.isascii()
    check("mixed_ascii.txt", text)


@pytest.mark.parametrize("encoding", ["gbk", "latin-1", "cp1252"])
def test_no_encoding_stops_the_report(encoding: str) -> None:
    assert "5 of 8 models failed" in show(mixed(), encoding=encoding)


@pytest.mark.parametrize("width", [20, 40, 60, 100, 300])
def test_any_width_keeps_every_failure(width: int, report: RunReport) -> None:
    words = "".join(show(report, width=width).split())
    for one in report.models:
        if one.failure and one.failure.error:
            assert "".join(one.failure.error.hint.split()) in words


def test_colour_adds_no_words() -> None:
    file = io.StringIO()
    console = Console(
        file=file, width=80, force_terminal=True, color_system="truecolor", no_color=False
    )
    with console.capture() as capture:
        console.print(render_table(all_ok()))
    styled = capture.get()
    assert "\x1b[" in styled
    from rich.text import Text

    plain = Text.from_ansi(styled).plain
    assert [line.rstrip() for line in plain.splitlines()] == show(all_ok()).splitlines()


def test_every_model_skipping_alike_is_one_line() -> None:
    text = show(
        run([model(f"m{i}", validation(), skipped("compile", "no --soc")) for i in range(9)])
    )
    assert text.count("no --soc") == 1
    assert "compile skipped in 9 models: no --soc" in text


def test_what_else_a_skipped_stage_says_is_no_reason() -> None:
    def stage(index: int) -> StageResult:
        more = Message(level="info", text=f"made static: x [1, 3, 48, {index}]")
        known = skipped("compile", "atc not found")
        return known.model_copy(update={"messages": (*known.messages, more)})

    text = show(run([model(f"m{i}", validation(), stage(i)) for i in range(3)]))
    assert "compile skipped in 3 models: atc not found" in text
    assert "made static" not in text


def test_nothing_compared_is_not_a_number() -> None:
    facts = validated().model_copy(update={"cases": ()})
    assert "nothing" in show(run([model("m", validation(facts))]))


def test_a_model_that_never_ran_is_not_ok() -> None:
    text = show(run([model("m", skipped("export", "interrupted"))], interrupted=True))
    assert "✗ Interrupted, 1 model not run" in text
    assert "exit code 130" in text


def test_where_paddlex_runs_what_is_told_when_there_is_a_choice() -> None:
    onnx = Placement(backend="onnx", reason="PaddleX feeds it the page in its own size")
    om = Placement(backend="om", reason="atc made an OM file", cautions=("lines are squeezed",))
    plain = model("ori", skipped("compile", "no soc")).model_copy(update={"placement": onnx})
    assert "on onnx" not in show(run([plain]))
    text = show(run([plain, model("rec").model_copy(update={"placement": om})]), width=140)
    assert "· ori on onnx: PaddleX feeds it the page in its own size\n" in text
    assert "· rec on om: atc made an OM file; lines are squeezed\n" in text
