"""``paddle2om inspect``: what a Paddle model directory or program file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect_command(
    path: Annotated[Path, typer.Argument(help="A model directory or a program file.")],
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the description as JSON.")
    ] = False,
) -> None:
    """Describe a Paddle model: format, signature, parameters, operators, shape hints."""
    from converter.model.describe import describe
    from converter.model.paddle_dir import find_model

    facts = describe(find_model(path))
    if json_output:
        typer.echo(facts.model_dump_json(indent=2))
        return
    from converter.report.inspect_text import inspect_text

    typer.echo(inspect_text(facts))
