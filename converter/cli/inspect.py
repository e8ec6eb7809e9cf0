"""``paddle2om inspect``: what a Paddle model, an ONNX file or an OM file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli.answer import print_json

if TYPE_CHECKING:
    from converter.model.record import Record


def inspect_command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A Paddle model directory or program file, an ONNX or an OM file."
        ),
    ],
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the description as JSON.")
    ] = False,
    paths: Annotated[
        bool, typer.Option("--paths", help="Show the directories in an OM file's atc command.")
    ] = False,
) -> None:
    """Describe a model: format, inputs and outputs, weights, and what its format tells more."""
    facts, text = _describe(path, paths)
    if json_output:
        print_json(facts)
    else:
        typer.echo(text)


def _describe(path: Path, paths: bool) -> tuple[Record, str]:
    """The description, and its text for people."""
    from converter.model.om_file import looks_like_om, read_om

    if looks_like_om(path):
        from converter.report.inspect_om import om_text

        om = read_om(path, paths=paths)
        return om, om_text(om)
    if path.suffix == ".onnx" and not path.is_dir():
        from converter.model.onnx_file import describe_file
        from converter.report.inspect_onnx import onnx_text

        onnx = describe_file(path)
        return onnx, onnx_text(onnx)
    from converter.model.describe import describe
    from converter.model.paddle_dir import find_model
    from converter.report.inspect_text import inspect_text

    facts = describe(find_model(path))
    return facts, inspect_text(facts)
