"""``paddle2om validate``: two artefacts against each other."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.seconds import seconds

if TYPE_CHECKING:
    from converter.model.result import RunReport


def validate_command(
    reference: Annotated[
        Path,
        typer.Argument(metavar="A", help="The reference: Paddle model, ONNX file, .npz or folder."),
    ],
    candidate: Annotated[
        Path | None,
        typer.Argument(metavar="B", help="What is compared with it; any of the same kinds."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Record A's inputs and outputs instead; B is left out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Write report.json and report.html."),
    ] = None,
    device: Annotated[
        bool, typer.Option("--device", help="B was computed by an NPU: its wider tolerance.")
    ] = False,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="A=B", help="A's name of an input or output, and B's; repeatable."),
    ] = None,
    atol: Annotated[
        float | None, typer.Option(metavar="N", help="Absolute tolerance of float outputs.")
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option(metavar="N", help="Tolerance relative to an output's largest value."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:LIMIT=N,...", help="Limits of an output, or a pattern; repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the inputs compared on.")] = 0,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Compare on many more shapes of the dynamic dims.")
    ] = False,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Fail below this share of equal texts, classes or boxes (0-1)."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", parser=seconds, help="Seconds it may take.")
    ] = 900.0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are not ours.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat degraded as failed.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Compare what two models compute, or what was recorded of them.

    A is the reference, B is judged. Each is a Paddle model, an ONNX file, an .npz file of recorded
    outputs, or a folder of those.
    """
    from converter.cli.convert import parse_renames
    from converter.errors import InputError
    from converter.model.tolerance import parse_tolerances

    if (candidate is None) == (record is None):
        raise InputError(
            "give B, or --record DIR" if record is None else "--record is of A alone",
            hint="paddle2om validate A B compares, paddle2om validate A --record DIR records",
        )
    comparing = {
        "--atol": atol,
        "--rtol": rtol,
        "--tolerance": tolerance,
        "--rename": rename,
        "--min-agreement": min_agreement,
        "--sweep": sweep or None,
        "--device": device or None,
        "-o": out,
    }
    if record is not None and (odd := [flag for flag, asked in comparing.items() if asked]):
        raise InputError(
            f"{odd[0]} is for a comparison, and --record makes none",
            hint="leave one of them out",
        )
    names, tolerances = parse_renames(rename or []), parse_tolerances(tolerance or [])

    from converter.engine.launch import started_early

    with started_early() as host:
        from converter.api import write_reports
        from converter.cli.show import print_failures, print_report
        from converter.engine.out_directory import whole_run
        from converter.engine.validate import record_outputs, run_validation
        from converter.model.comparison import ValidateFacts
        from converter.model.task import ConvertOptions
        from converter.report.accuracy_text import accuracy_text
        from converter.report.progress import Progress

        options = ConvertOptions(
            rename=names,
            atol=atol,
            rtol=rtol,
            tolerances=tolerances,
            seed=seed,
            sweep=sweep,
            min_agreement=min_agreement,
            timeout=timeout,
        )
        command = shlex.join(["paddle2om", *sys.argv[1:]])
    with whole_run(out if record is None else record):
        with Progress(total=1, quiet=quiet, lines=False) as progress:
            if candidate is None:
                assert record is not None
                report = record_outputs(
                    reference,
                    record,
                    options,
                    force=force,
                    command=command,
                    observer=progress,
                    host=host,
                )
            else:
                report = run_validation(
                    reference,
                    candidate,
                    options,
                    out=out,
                    on_device=device,
                    force=force,
                    strict=strict,
                    command=command,
                    observer=progress,
                    host=host,
                )
        if out is not None and candidate is not None:
            write_reports(report, out)
    facts = report.models[0].facts("validate")
    if json_output:
        print_json(report)
    elif isinstance(facts, ValidateFacts) and not quiet:
        typer.echo(accuracy_text(facts))
    elif candidate is None and report.exit_code == 0:
        typer.echo(record)
    _refuse(report)
    if quiet:
        print_failures(report)
    else:
        print_report(report)
        if out is not None and candidate is not None:
            typer.echo(f"report: {out / 'report.html'}", err=True)
    raise typer.Exit(report.exit_code)


def _refuse(report: RunReport) -> None:
    """Raise what is wrong with one of the two: its message names it, a row would name B."""
    from converter.errors import InputError

    failure = report.models[0].failure
    error = failure.error if failure else None
    if error is not None and error.exit_code == InputError.exit_code:
        raise InputError(error.message, hint=error.hint)
