"""``paddle2om recipe``: write a recipe, check one, and print the schema of recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.command_help import Command

recipe_app = typer.Typer(
    help="Write and check recipes, the files that `build` converts zoos from.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@recipe_app.command("init", cls=Command)
def init_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of models.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The recipe to write.")
    ] = Path("recipe.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a recipe for every model in a folder, with a comment on what each of them does."""
    from converter.engine.recipe.draft import draft_recipe
    from converter.errors import InputError
    from converter.model.counting import count, listed
    from converter.report.atomic import write_text_through

    if out.is_file() and not force:
        raise InputError(f"{out} exists", hint="choose another name with -o, or use --force")
    draft = draft_recipe(directory, out)
    write_text_through(out, draft.text)
    typer.echo(str(out))
    for path, reason in draft.left_out:
        typer.echo(f"warning: left out {path}: {reason}", err=True)
    for path, programs in draft.several:
        told = f"{path} holds {len(programs)} programs, and each is a model: {listed(programs)}"
        typer.echo(f"note: {told}", err=True)
    left_out = f", {len(draft.left_out)} left out" if draft.left_out else ""
    typer.echo(f"{count(draft.models, 'model')}{left_out}", err=True)


@recipe_app.command("check", cls=Command)
def check_recipe_command(
    recipe: Annotated[Path, typer.Argument(metavar="FILE", help="The recipe.")],
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the models and their options as JSON.")
    ] = False,
) -> None:
    """List what a recipe asks for, or every mistake in it. Nothing is converted."""
    from converter.engine.recipe.load import load_recipe
    from converter.model.counting import count

    planned = load_recipe(recipe, signatures=True)
    if json_output:
        print_json(planned)
        return
    for model in planned.models:
        typer.echo(f"{model.name}\t{model.source}")
    sources = {model.source for model in planned.models}
    told = f"{count(len(planned.models), 'conversion')} of {count(len(sources), 'model')}"
    if planned.pipelines:
        told += f"; pipelines: {', '.join(each.name for each in planned.pipelines)}"
    typer.echo(told, err=True)


@recipe_app.command("schema", cls=Command)
def schema_command() -> None:
    """Print the JSON Schema of recipes, for editors that check YAML as it is typed."""
    import json

    from converter.model.recipe import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
