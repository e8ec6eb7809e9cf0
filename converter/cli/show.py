"""Prints a report's table: for people, hence on stderr; stdout is for data."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from converter.errors import Paddle2omError
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

    from converter.errors import Interrupted
    from converter.model.result import Status
    from converter.report.summary import missing_note, verdict

    failed = [
        (f"{model.name}: {model.failure.stage}: ", model.failure.error)
        for model in report.models
        if model.failure and not model.known_to_fail
    ]
    failed += [(f"{pipeline.name}: ", pipeline.error) for pipeline in report.pipelines]
    lines = [(where + error.message, error.hint) for where, error in failed if error]
    if report.interrupted:
        told = verdict(report).headline
        lines.append((told[0].lower() + told[1:], Interrupted.again))
    if note := missing_note(report):
        lines.append((note.message, note.hint))
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
    report: RunReport,
    out: Path,
    *,
    json_output: bool,
    quiet: bool,
    notes: Sequence[str] = (),
    unwritten: Sequence[Paddle2omError] = (),
    reported: bool = True,
) -> NoReturn:
    """Show a finished run the way the user asked for, and exit with its code.

    ``notes`` are lines for the end, ``unwritten`` the views that could not be written; ``reported``
    is whether the report itself was.
    """
    import typer

    from converter.cli.answer import print_json
    from converter.stages.stage import describe_os_error

    unwritten = list(unwritten)
    if json_output:
        try:
            print_json(report)
        except OSError as error:  # a full disk behind standard output; the exit code is the run's
            unwritten.append(describe_os_error(error))
    if quiet:
        print_failures(report)
    else:
        print_report(report)
        with contextlib.suppress(OSError):
            for line in (*notes, *([f"report: {out / 'report.html'}"] if reported else ())):
                typer.echo(line, err=True)
    end(report, unwritten)


def end(report: RunReport, unwritten: Sequence[Paddle2omError]) -> NoReturn:
    """Tell which views could not be written, and exit with the code of the run.

    With theirs where the run's is 0: what a gate said is not lost for want of a file.
    """
    import typer

    from converter.errors import worst_exit_code

    for error in unwritten:
        typer.echo(f"error: {error.message}", err=True)
        typer.echo(f"hint: {error.hint}", err=True)
    raise typer.Exit(report.exit_code or worst_exit_code([e.exit_code for e in unwritten]))
