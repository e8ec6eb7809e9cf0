"""What ``--json`` prints: one document, whatever becomes of the command afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

#: Whether the command has printed its document.
_given: list[bool] = []


def print_json(answer: BaseModel) -> None:
    """Print a command's answer; an error after it is told on standard error only."""
    _given.append(True)
    typer.echo(answer.model_dump_json(indent=2))


def is_given() -> bool:
    """Whether there was an answer."""
    return bool(_given)
