"""``paddle2om check``: what a PaddleX config resolves to in the PaddleX that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.render import WrapperChoice
from converter.cli.seconds import seconds

if TYPE_CHECKING:
    from converter.paddlex.check import CheckReport


def check_command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config to check.")],
    image: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="An image to run through the pipeline; repeatable."),
    ] = None,
    wrapper: Annotated[
        WrapperChoice,
        typer.Option(metavar="|".join(WrapperChoice), help="The library that loads the config."),
    ] = WrapperChoice.PADDLEX,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE", help="Device to create the pipeline with: cpu, gpu:N, npu:N."
        ),
    ] = None,
    paddlex_python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The Python interpreter that has PaddleX."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", parser=seconds, help="Seconds that PaddleX may take."),
    ] = 300.0,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Load a config with PaddleX's own classes, and say what each module runs on.

    PaddleX builds the pipeline in a process of its own; nothing is downloaded, converted or
    written. Mistakes are named, and end the command with 1.
    """
    from converter.paddlex.check import check_config, require_sound
    from converter.report.check_text import check_text

    report = check_config(
        config,
        images=image or [],
        wrapper=wrapper is WrapperChoice.PADDLEOCR,
        device=device,
        python=paddlex_python,
        timeout=timeout,
    )
    if json_output:
        print_json(report)
    else:
        typer.echo(check_text(report))
    tell_problems(report)
    require_sound(report, len(image or []))


def tell_problems(report: CheckReport) -> None:
    """Say on standard error all that is wrong but the first mistake, which ends the command."""
    for severity, problems in (
        ("warning", report.problems_of("warning")),
        ("error", report.problems_of("error")[1:]),
    ):
        for problem in problems:
            typer.echo(f"{severity}: {problem.message}", err=True)
            typer.echo(f"hint: {problem.hint}", err=True)
