"""A command's ``--help``: usage and arguments as other commands write them, ``MODEL...``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A typer command whose help has a name for each value, and no type of Python's.

    typer writes ``{MODEL...}...`` and ``MODEL... <list[Path]>``. Every argument and every option
    with a value has a ``metavar``, which is all that is shown here.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] A [B]``: what may be left out is in brackets."""
        names = [
            str(each.metavar) if each.required else f"[{each.metavar}]"
            for each in self.get_params(ctx)
            if each.param_type_name == "argument"
        ]
        return ["[OPTIONS]", *names]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments and then the options, each with its help."""
        arguments, options = [], []
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is None:
                continue
            if each.param_type_name == "argument":
                help_text = record[1].removesuffix("[required]").rstrip()
                arguments.append((str(each.metavar), help_text))
            else:
                options.append(record)
        for title, records in (("Arguments", arguments), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
