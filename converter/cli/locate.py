"""``paddle2om locate``: where an ONNX file first computes something else, and why."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.seconds import seconds


def locate_command(
    reference: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A Paddle model directory or program file, or an ONNX file."
        ),
    ],
    candidate: Annotated[
        Path, typer.Argument(metavar="ONNX", help="The ONNX file that computes something else.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", help="Write a repro bundle and the report to DIR."
        ),
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Search on these inputs: an .npz, one array per input."),
    ] = None,
    atol: Annotated[
        float | None, typer.Option(metavar="N", help="Absolute tolerance of float outputs.")
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option(metavar="N", help="Tolerance relative to an output's largest value."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the inputs.")] = 0,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", parser=seconds, help="Seconds the search may take.")
    ] = 900.0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are not ours.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Find the first value inside an ONNX file that is not the Paddle model's, and say why.

    Exit code 0 when the models agree, 3 when they do not.
    """
    from converter.engine.launch import started_early

    with started_early() as host:
        from converter.engine.locate import run_locate
        from converter.engine.out_directory import whole_run
        from converter.model.task import ConvertOptions
        from converter.report.progress import Progress

        options = ConvertOptions(seed=seed, atol=atol, rtol=rtol, timeout=timeout)
    with whole_run(out):
        with Progress(total=1, quiet=quiet) as progress:
            report = run_locate(
                reference,
                candidate,
                out,
                options,
                inputs=inputs,
                force=force,
                command=shlex.join(["paddle2om", *sys.argv[1:]]),
                observer=progress,
                host=host,
            )
        if out is not None:
            from converter.report.locate_html import write_locate_reports

            write_locate_reports(report, out)
    from converter.cli.show import print_failures
    from converter.report.locate_text import locate_lines, located

    facts = located(report)
    if json_output:
        print_json(report)
    elif facts is not None and not quiet:
        typer.echo("\n".join(locate_lines(facts)))
    print_failures(report)
    if out is not None and not quiet and facts is not None:
        typer.echo(f"report: {out / 'report.html'}", err=True)
    raise typer.Exit(report.exit_code)
