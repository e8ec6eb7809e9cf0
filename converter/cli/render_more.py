"""What ``paddle2om render`` does on request when the config is written: scripts, and a check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from converter.paddlex.check import CheckReport
    from converter.paddlex.render import RenderOptions
    from converter.paddlex.report import RenderReport


def write_scripts(report: RenderReport, options: RenderOptions, *, force: bool) -> tuple[Path, ...]:
    """Write the scripts beside the config."""
    from converter.atc.environment import SET_ENV_FILES
    from converter.paddlex.companion import CompanionOptions, write_companions

    companions = CompanionOptions(
        wrapper=options.target.wrapper == "paddleocr",
        device=_argument(report, options),
        cann_env_files=SET_ENV_FILES,
    )
    return write_companions(Path(report.config), companions, force=force)


def check_rendered(report: RenderReport, options: RenderOptions, python: str | None) -> CheckReport:
    """Let PaddleX load the config; what it says goes to standard error."""
    from converter.cli.check import tell_problems
    from converter.paddlex.check import check_config
    from converter.report.check_text import check_text

    checked = check_config(
        Path(report.config),
        wrapper=options.target.wrapper == "paddleocr",
        device=_argument(report, options),
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


def _argument(report: RenderReport, options: RenderOptions) -> str | None:
    """The device that no key of the config can say: of native Paddle before PaddleX 3.5."""
    if options.target.has_engine:
        return None
    native = (m.device for m in report.modules if m.enabled and m.backend == "paddle")
    return next(native, None)
