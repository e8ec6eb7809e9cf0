"""Prints a report's table: for people, hence on stderr; stdout is for data."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from converter.model.result import RunReport


#: What helps where a fallback is good enough.
_LENIENT = "leave out --strict if that is good enough"


def print_report(report: RunReport) -> None:
    """Print the table of ``report`` on stderr."""
    from converter.report.console import print_table
    from converter.report.terminal import render_table

    with contextlib.suppress(OSError):  # a full disk, say; report.json has it all
        print_table(render_table(report))


def print_failures(report: RunReport) -> None:
    """Print only what failed: one ``error:`` and one ``hint:`` line each."""
    import typer

    from converter.model.result import Status

    failed = [
        (f"{model.name}: {model.failure.stage}: ", model.failure.error)
        for model in report.models
        if model.failure
    ]
    failed += [(f"{pipeline.name}: ", pipeline.error) for pipeline in report.pipelines]
    lines = [(where + error.message, error.hint) for where, error in failed if error]
    if report.strict:
        lines += [
            (f"{model.name}: {stage.stage} degraded: {message.text}", message.hint or _LENIENT)
            for model in report.models
            for stage in model.stages
            if stage.status is Status.DEGRADED
            for message in stage.reasons
        ]
    if report.baseline is not None:
        from converter.report.baseline_text import change_text, hint_text

        lines += [
            (
                f"{change.model}: {change.verdict} than the baseline: {change_text(change)}"
                if change.verdict == "worse"
                else f"{change.model}: {change_text(change)}",
                hint_text([change]),
            )
            for change in report.baseline.failures
        ]
    for message, hint in lines:
        typer.echo(f"error: {message}", err=True)
        typer.echo(f"hint: {hint}", err=True)


def finish(
    report: RunReport, out: Path, *, json_output: bool, quiet: bool, notes: Sequence[str] = ()
) -> NoReturn:
    """Show a finished run the way the user asked for, and exit with its code.

    ``notes`` are lines for the end.
    """
    import typer

    from converter.cli.answer import print_json

    if json_output:
        print_json(report)
    if quiet:
        print_failures(report)
    else:
        print_report(report)
        with contextlib.suppress(OSError):
            for line in (*notes, f"report: {out / 'report.html'}"):
                typer.echo(line, err=True)
    raise typer.Exit(report.exit_code)
