"""Directories on the command line: where results go, and where they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def directory(text: str) -> Path:
    """A path from the command line; an empty one is a variable that was not set."""
    if not str(text):
        raise typer.BadParameter("it is empty: name a directory, or . for the current one")
    return Path(text)


CacheDirectory = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        parser=directory,
        help="Keep results in this directory, and take those that are there.",
    ),
]
