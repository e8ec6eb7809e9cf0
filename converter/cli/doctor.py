"""``paddle2om doctor``: what works here, and the command that mends what does not."""

from __future__ import annotations

from typing import Annotated

import typer

from converter.cli.answer import print_json


def doctor_command(
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the findings as JSON.")
    ] = False,
    self_test: Annotated[
        bool, typer.Option(help="Convert a small built-in model at the end.")
    ] = True,
) -> None:
    """Say what is installed, what does not go together, and whether conversion works.

    Exits with 1 when something is a problem; warnings leave it at 0.
    """
    from converter.engine.doctor.examine import examine
    from converter.report.doctor_text import doctor_text

    report = examine(convert=self_test)
    if json_output:
        print_json(report)
    else:
        typer.echo(doctor_text(report))
    raise typer.Exit(report.exit_code)
