"""``paddle2om cache``: what the cache holds, removing what is old, checking all of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.command_help import Command
from converter.cli.directories import directory

if TYPE_CHECKING:
    from converter.engine.cache.store import Cache

cache_app = typer.Typer(
    help="Look after the results that builds keep.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Where = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", parser=directory, help="The cache; yours if not."),
]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]

#: Seconds of the units that an age may have.
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@cache_app.command("info", cls=Command)
def info_command(cache: Where = None, json_output: Json = False) -> None:
    """Say how much the cache holds."""
    from converter.engine.cache.upkeep import info
    from converter.model.memory import format_bytes

    found = info(_open(cache))
    if json_output:
        print_json(found)
        return
    typer.echo(f"directory  {found.directory}")
    typer.echo(
        f"results    {found.entries}" + f", and {found.damaged} damaged" * bool(found.damaged)
    )
    typer.echo(f"files      {found.objects}")
    typer.echo(f"size       {format_bytes(found.bytes)}")


@cache_app.command("gc", cls=Command)
def gc_command(
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Keep at most this much, as 10G.")
    ] = None,
    max_age: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Remove what was not used for so long, as 30d."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
    cache: Where = None,
    json_output: Json = False,
) -> None:
    """Remove results that were not used for long, the least recently used first.

    Without a size or an age: only files that no result names.
    """
    from converter.engine.cache.upkeep import collect
    from converter.model.counting import count
    from converter.model.memory import format_bytes, parse_bytes

    gone = collect(
        _open(cache),
        max_bytes=None if max_size is None else parse_bytes(max_size, of="size", least=0),
        max_age=None if max_age is None else parse_age(max_age),
        dry_run=dry_run,
    )
    if json_output:
        print_json(gone)
        return
    verb = "would remove" if dry_run else "removed"
    what = f"{count(gone.entries, 'result')} and {count(gone.objects, 'file')}"
    left = format_bytes(gone.kept_bytes)
    typer.echo(f"{verb} {what}, {format_bytes(gone.bytes)}; {left} left")


@cache_app.command("verify", cls=Command)
def verify_command(cache: Where = None, json_output: Json = False) -> None:
    """Read everything and remove what is damaged or lacks files; exit 1 if there was any."""
    from converter.engine.cache.upkeep import verify
    from converter.errors import StageError
    from converter.model.counting import count

    found = verify(_open(cache))
    if json_output:
        print_json(found)
    else:
        looked_at = f"{count(found.entries, 'result')} and {count(found.objects, 'file')}"
        typer.echo(f"read {looked_at}")
        if found.outdated_entries:
            number = count(len(found.outdated_entries), "result")
            typer.echo(f"removed {number} of another version of paddle2om")
    damaged = len(found.damaged_entries) + len(found.damaged_objects)
    incomplete = len(found.incomplete_entries)
    told = [f"{damaged} of them {'was' if damaged == 1 else 'were'} damaged"] if damaged else []
    told += [f"{count(incomplete, 'result')} lacked files"] if incomplete else []
    message = f"{' and '.join(told)}; all of it has been removed" if told else ""
    hints = ["the next build makes them anew"] if told else []
    hints += ["check the disk"] if damaged else []
    if found.refused:
        path, why = next(iter(found.refused.items()))
        refused = f"{count(len(found.refused), 'file')} could not be read or removed: {path}: {why}"
        message = f"{message}; {refused}" if told else refused
        hints.append("see whose files they are, and whether the disk is there")
    if message:
        raise StageError(message, hint="; ".join(hints))


def parse_age(text: str) -> float:
    """``"30d"`` -> seconds; raises ``InputError``."""
    from converter.errors import InputError

    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])", text.strip().lower())
    if not match:
        raise InputError(f"{text!r} is no age", hint="for example 12h, 30d or 8w")
    return float(match[1]) * _SECONDS[match[2]]


def _open(named: Path | None) -> Cache:
    from converter.engine.cache.store import Cache, default_directory

    return Cache.existing(named or default_directory())
