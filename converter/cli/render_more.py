"""What ``paddle2om render --check`` does when the config is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from converter.paddlex.check import CheckReport
    from converter.paddlex.render import RenderOptions
    from converter.paddlex.report import RenderReport


def check_rendered(report: RenderReport, options: RenderOptions, python: str | None) -> CheckReport:
    """Let PaddleX load the config; what it says goes to standard error."""
    from converter.cli.check import tell_problems
    from converter.engine.rendering import device_argument
    from converter.paddlex.check import check_config
    from converter.report.check_text import check_text

    checked = check_config(
        Path(report.config),
        wrapper=options.target.wrapper == "paddleocr",
        device=device_argument(report, options),
        python=python,
    )
    typer.echo(check_text(checked), err=True)
    tell_problems(checked)
    if not f"{checked.paddlex}.".startswith(f"{options.target.version}."):
        typer.echo(
            f"warning: checked with PaddleX {checked.paddlex}, and rendered for "
            f"{options.target.version}\nhint: name an interpreter that has that version with "
            "--paddlex-python",
            err=True,
        )
    return checked
