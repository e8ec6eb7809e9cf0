"""``paddle2om reproduce``: a run made again from its sources, and its bytes compared."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.directories import directory


def parse_moves(texts: list[str]) -> dict[str, str]:
    """``["/old=/new"]`` -> ``{"/old": "/new"}``, both absolute; raises ``InputError``."""
    from converter.errors import InputError

    moves = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise InputError(
                f"--moved {text!r} is not OLD=NEW", hint="for example --moved /data/zoo=/mnt/zoo"
            )
        moves[str(Path(old).absolute())] = str(Path(new).absolute())
    return moves


def reproduce_command(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="An output directory, its manifest, or a report.json."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", parser=directory, help="Where to make it; kept. New."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this model, and no pipeline; repeatable."),
    ] = None,
    moved: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Sources below OLD are below NEW now; repeatable."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what is not as it was, and run nothing.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Models at a time.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only the sum.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print what was compared as JSON.")
    ] = False,
) -> None:
    """Make a run of build or convert again, and compare every byte with what it made.

    Nothing is taken from the cache and nothing is written to the run. Exits with 0 when every file
    is equal, 3 when one differs, 1 when one could not be made here: OM files without atc.
    """
    from converter.engine.cache.digests import Digests
    from converter.engine.reproduce import check_directory, chosen, look_around, with_moves
    from converter.model.run_manifest import read_run
    from converter.report.reproduce_text import surroundings_lines

    recorded, file = read_run(run)
    manifest = with_moves(chosen(recorded, model or []), parse_moves(moved or []))
    if out is not None:
        check_directory(out, file, manifest)
    surroundings = look_around(manifest, file.parent, digests := Digests(None))
    if plan:
        if json_output:
            print_json(surroundings)
        else:
            for line in surroundings_lines(surroundings):
                typer.echo(line)
        return
    if not quiet:
        for line in surroundings_lines(surroundings):
            typer.echo(line, err=True)

    from converter.api import write_reports
    from converter.engine.convert import Silent
    from converter.engine.out_directory import whole_run
    from converter.engine.pool import Pool
    from converter.engine.reproduce import compare, reproduce
    from converter.report.progress import Progress
    from converter.report.reproduce_text import reproduction_lines, summary_line

    scratch = Path(tempfile.mkdtemp(prefix="paddle2om-reproduce-")) if out is None else None
    target = out or Path(scratch or "", "run")
    kept = True
    try:
        with whole_run(target):
            with Progress(total=len(manifest.models), quiet=quiet) as progress, Pool() as pool:
                report = reproduce(
                    manifest,
                    target,
                    pool,
                    Silent() if quiet else progress,
                    digests=digests,
                    jobs=jobs,
                    command=shlex.join(["paddle2om", *sys.argv[1:]]),
                )
            around = surroundings
            result = compare(manifest, report, target, file=file, surroundings=around, kept=True)
            # What differs is kept to be looked at.
            kept = out is not None or (result.exit_code != 0 and not result.interrupted)
            result = result.model_copy(update={"kept": kept})
            if kept:
                write_reports(report, target)
    except BaseException:
        kept = out is not None
        raise
    finally:
        if scratch is not None and not kept:
            shutil.rmtree(scratch, ignore_errors=True)
    if json_output:
        print_json(result)
    elif quiet:
        typer.echo(summary_line(result))
    else:
        for line in reproduction_lines(result):
            typer.echo(line)
    if kept and (out is None or not quiet):
        typer.echo(f"made in {target}", err=True)
    raise typer.Exit(result.exit_code)
