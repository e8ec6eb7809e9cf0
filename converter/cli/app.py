"""The ``paddle2om`` command: registers the subcommands and maps errors to exit codes, once."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import signal
import sys
import traceback
from typing import Annotated, Any, NoReturn

import typer

from converter.cli.build import build_command
from converter.cli.cache import cache_app
from converter.cli.check import check_command
from converter.cli.command_help import Command
from converter.cli.compile import compile_command
from converter.cli.convert import convert_command
from converter.cli.demo import demo_command
from converter.cli.device import device_command
from converter.cli.doctor import doctor_command
from converter.cli.forecast import forecast_command
from converter.cli.inspect import inspect_command
from converter.cli.locate import locate_command
from converter.cli.recipe import recipe_app
from converter.cli.rehearse import rehearse_command
from converter.cli.render import render_command
from converter.cli.report import report_app
from converter.cli.reproduce import reproduce_command
from converter.cli.signals import end, on_signals
from converter.cli.streams import let_readers_go
from converter.cli.validate import validate_command
from converter.errors import InputError, InternalError, Interrupted, Paddle2omError
from converter.version import __version__


def _interrupted() -> Interrupted:
    return Interrupted("interrupted", hint=Interrupted.again)


app = typer.Typer(
    name="paddle2om",
    help="Turn PaddlePaddle models into checked ONNX and Ascend OM files, "
    "and write the PaddleX configs that run them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("convert", cls=Command)(convert_command)
app.command("build", cls=Command)(build_command)
app.command("reproduce", cls=Command)(reproduce_command)
app.command("validate", cls=Command)(validate_command)
app.command("compile", cls=Command)(compile_command)
app.command("render", cls=Command)(render_command)
app.command("check", cls=Command)(check_command)
app.command("rehearse", cls=Command)(rehearse_command)
app.command("inspect", cls=Command)(inspect_command)
app.command("locate", cls=Command)(locate_command)
app.command("forecast", cls=Command)(forecast_command)
app.command("device", cls=Command)(device_command)
app.command("doctor", cls=Command)(doctor_command)
app.command("demo", cls=Command)(demo_command)
app.add_typer(cache_app, name="cache")
app.add_typer(recipe_app, name="recipe")
app.add_typer(report_app, name="report")


#: click's, of which typer has a copy of its own: what is wrong with the arguments.
_UsageError: Any = typer.BadParameter.__mro__[1]

#: What an option wants, in the parser's words and in ours.
_PLAIN = (
    (r"Input should be a valid integer.*", "it is not a whole number"),
    (r"Input should be a valid number.*", "it is not a number"),
    (r"Unable to parse input string as an integer.*", "the number is too long"),
    (r"Input should be greater than or equal to (.*)", r"give at least \1"),
    (r"Input should be less than or equal to (.*)", r"give at most \1"),
    (r"is not a valid integer(\.?)", r"is not a whole number\1"),
    (r"is not a valid float(\.?)", r"is not a number\1"),
    (r"Value error, ", ""),
    (r" \(Possible options: .*\)", ""),
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"paddle2om {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the command itself; the callback does the work."""


def run() -> NoReturn:
    """Run the command line; the one place where errors become messages and exit codes."""
    try:
        try:
            _run()
        finally:
            on_signals(end)
    except KeyboardInterrupt:
        on_signals(end)  # not so yet where two came at once
        try:
            _report(_interrupted())
        finally:
            # Without what Python does at its end: it would wait for a reader of standard output
            # that reads nothing, and for a cluster whose closing was just broken off.
            os._exit(Interrupted.exit_code)


def _run() -> NoReturn:
    """Raises ``KeyboardInterrupt`` alone, wherever it came."""
    on_signals(signal.default_int_handler)
    let_readers_go()
    # Not ``app()``: typer would make an exit without a word of Ctrl-C, and 1 of a broken pipe.
    command = typer.main.get_command(app)
    try:
        with command.make_context("paddle2om", sys.argv[1:]) as context:
            command.invoke(context)
        sys.exit(0)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    except _UsageError as error:
        _report_usage(error)
    except Paddle2omError as error:
        _report(error)
    except OSError as error:
        from converter.stages.stage import describe_os_error

        _report(describe_os_error(error))
    except Exception as error:  # noqa: BLE001 - a bug must end with its own exit code
        _refuse_what_is_no_text()
        if os.environ.get("PADDLE2OM_DEBUG"):
            traceback.print_exc()
        _report(
            InternalError(
                f"unexpected {type(error).__name__}: {error}",
                hint="this is a bug in paddle2om: please report the command and what it prints "
                f"with PADDLE2OM_DEBUG=1 set (paddle2om {__version__})",
            )
        )


def _report_usage(error: Any) -> NoReturn:
    """Say what is wrong with the arguments; print the help where nothing was asked for."""
    command = error.ctx.command_path if error.ctx is not None else "paddle2om"
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(2)
    message: str = error.format_message()
    for theirs, ours in _PLAIN:
        message = re.sub(theirs, ours, message, flags=re.DOTALL)
    hint = f"{command} --help says what it takes"
    if near := difflib.get_close_matches(
        str(getattr(error, "option_name", "")), getattr(error, "possibilities", None) or (), 1, 0.8
    ):
        hint = f"did you mean {near[0]}? {hint}"
    if "'--opset'" in message:
        from converter.model.task import OPSET_HINT

        hint = OPSET_HINT
    _report(InputError(message.strip(), hint=hint))


def _refuse_what_is_no_text() -> None:
    """Say so when an argument is not UTF-8: a report, and much else, cannot hold it.

    Only when something failed, because paths of any bytes do where nothing needs their text.
    """
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = argument.encode(errors="replace").decode()
            _report(
                InputError(
                    f"the argument {shown} is not UTF-8 text",
                    hint="if it is Chinese or the like, set PYTHONUTF8=1 or a UTF-8 locale",
                )
            )


def _report(error: Paddle2omError) -> NoReturn:
    from converter.cli.answer import is_given

    if "--json" in sys.argv[1:] and not is_given():
        _print_json(error)
    for each in (error, *error.more):
        typer.echo(f"error: {each.message}", err=True)
        typer.echo(f"hint: {each.hint}", err=True)
    sys.exit(error.exit_code)


def _print_json(error: Paddle2omError) -> None:
    """Who asked for JSON gets it, whatever happened; see docs/reference/exit-codes.md."""
    import json

    told = [{"message": each.message, "hint": each.hint} for each in (error, *error.more)]
    with contextlib.suppress(OSError):  # the error itself may be that nothing can be written
        typer.echo(json.dumps({"exit_code": error.exit_code, "errors": told}, indent=2))
