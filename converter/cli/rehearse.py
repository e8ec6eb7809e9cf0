"""``paddle2om rehearse``: what the static shapes of OM files cost, tried on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.render import parse_sizes
from converter.cli.seconds import seconds


def rehearse_command(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="An OCR config, for OM files or ONNX.")
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Typical pages.")],
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE=C,H,W",
            help="A shape to rehearse in place of the config's input_shape; repeatable.",
        ),
    ] = None,
    paddlex_python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The Python interpreter that has PaddleX."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", parser=seconds, help="Seconds for each series of trials."),
    ] = 1800.0,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Do not say what is being read.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Read pages on the CPU with the static shapes of OM files, and suggest better shapes.

    The texts are compared with those that the same models read without fixed shapes. Runs the
    inference.onnx of each model, in a process of its own, with PaddleX 3.5 or later.
    """
    from converter.paddlex.rehearsal import rehearse
    from converter.report.rehearsal_text import rehearsal_text

    rehearsal = rehearse(
        config,
        images,
        shapes=parse_sizes(shape or []),
        python=paddlex_python,
        timeout=timeout,
        tell=lambda line: None if quiet else typer.echo(line, err=True),
    )
    if json_output:
        print_json(rehearsal)
    else:
        typer.echo(rehearsal_text(rehearsal))
