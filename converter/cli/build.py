"""``paddle2om build``: a zoo and its pipelines, from a recipe."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli import views
from converter.cli.answer import print_json
from converter.cli.directories import CacheDirectory, directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from converter.engine.executor import Executor
    from converter.model.build_plan import BuildPlan


def build_command(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe file.")],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="DIR", parser=directory, help="Where the results go."),
    ] = Path("paddle2om-out"),
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would run and why, and run nothing.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Models at a time.")
    ] = None,
    total_memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory of all workers together; what is free if not."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only this part of the recipe, as 2/4.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Run on a Dask cluster: tcp://host:8786, or local:N for N processes here.",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="With --scheduler: where models and results travel, if files are not shared.",
        ),
    ] = None,
    cache: CacheDirectory = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Do everything anew and keep nothing.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try models again that failed and are as before.")
    ] = False,
    junit: views.Junit = None,
    markdown: views.Markdown = None,
    bom: views.Bom = None,
    baseline: views.BaselineFile = None,
    update_baseline: views.UpdateBaseline = False,
    prune_baseline: views.PruneBaseline = False,
    accept_failures: views.AcceptFailures = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are not ours.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat degraded as failed.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report, or the plan, as JSON.")
    ] = False,
) -> None:
    """Convert the models of a recipe and write its pipelines.

    Results are kept: what has not changed since is not done again, and a build that was killed
    goes on where it was.
    """
    from converter.engine.build import check_recipe, plan_build, run_build
    from converter.engine.cache.store import default_directory
    from converter.engine.convert import Silent
    from converter.engine.recipe.load import load_recipe
    from converter.engine.run import Settings
    from converter.errors import InputError
    from converter.model.memory import parse_bytes
    from converter.model.wording import without_password

    if no_cache and cache is not None:
        raise InputError("--cache with --no-cache", hint="give one of the two")
    if store is not None and (scheduler is None or no_cache):
        raise InputError(
            "--store without --scheduler, or without a cache: there is nothing to store for",
            hint="add --scheduler tcp://host:8786 and leave out --no-cache",
        )
    wanted = views.Views.checked(
        junit,
        markdown,
        baseline,
        update_baseline,
        prune_baseline,
        bom=bom,
        accept=accept_failures,
        json_output=json_output,
    )
    settings = Settings(
        jobs=jobs,
        memory=None if total_memory is None else parse_bytes(total_memory),
        cache=None if no_cache else cache or default_directory(),
        failures=not retry_failed,
        force=force,
        strict=strict,
        command=shlex.join(["paddle2om", *map(without_password, sys.argv[1:])]),
    )
    loaded = load_recipe(recipe)
    check_recipe(loaded)
    if plan:
        _show(plan_build(loaded, out, settings, shard=shard), json_output=json_output)
        return
    from converter.cli.show import finish
    from converter.engine.build import chosen, left_over
    from converter.engine.out_directory import whole_run
    from converter.report.progress import Progress

    models, part = chosen(loaded, shard)
    if part is not None and loaded.pipelines and not quiet:
        typer.echo("pipelines are left to a build of the whole recipe", err=True)
    # The executor is around the run: a cluster that does not end comes after the reports.
    with _executor(scheduler, store, quiet=quiet) as executor, whole_run(out):
        with Progress(total=len(models), quiet=quiet) as progress:
            observer = Silent() if quiet else progress
            report = run_build(loaded, out, settings, executor, observer, shard=shard)
        report = wanted.write_reports(report, out)
    wanted.write(report, out)
    finish(
        report,
        out,
        json_output=json_output,
        quiet=quiet,
        notes=_notes(left_over(loaded, out), out),
        unwritten=wanted.unwritten,
        reported=not wanted.lost,
    )


def _notes(left: Sequence[str], out: Path) -> list[str]:
    """What to say of models that are in ``out`` and not in the recipe."""
    if not left:
        return []
    from converter.report.format import count, listed

    told = f"{out} also holds {count(len(left), 'model')} that the recipe does not ask for"
    return [f"note: {told}: {listed(left)}", "hint: remove them before you publish the directory"]


def _executor(
    scheduler: str | None, store: str | None, *, quiet: bool
) -> AbstractContextManager[Executor]:
    """What runs the models: workers of this process, or a cluster."""
    if scheduler is None:
        from converter.engine.pool import Pool

        return Pool()
    from converter.engine.dask_executor import cluster

    if not quiet:
        typer.echo(f"waiting for the Dask scheduler at {scheduler}", err=True)
    return cluster(scheduler, store)


def _show(plan: BuildPlan, *, json_output: bool) -> None:
    """The plan is what was asked for: it goes to standard output."""
    from converter.report.build_plan_text import plan_lines

    if json_output:
        print_json(plan)
        return
    for line in plan_lines(plan):
        typer.echo(line)
