"""``paddle2om forecast``: what float16 will do to a model, before there is an NPU."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.seconds import seconds


def forecast_command(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="An ONNX file, a directory of convert's, or a Paddle model."
        ),
    ],
    soc: Annotated[
        str | None,
        typer.Option(metavar="SOC", help="Chip, e.g. Ascend310P3: some multiply in float16 only."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Write the files for atc to DIR."),
    ] = None,
    yml: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The model's inference.yml, if not beside it."),
    ] = None,
    opset: Annotated[int, typer.Option(metavar="N", help="ONNX opset of a Paddle model.")] = 11,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the inputs.")] = 0,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", parser=seconds, help="Seconds it may take.")
    ] = 1800.0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are not ours.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Forecast how a model computes in float16, and which operators have to stay in float32.

    Runs on the CPU. Exit code 0 when float16 is enough or a few operators in float32 are, 3 when
    nothing helps.
    """
    from converter.engine.launch import started_early

    with started_early() as host:
        from converter.engine.forecast import run_forecast
        from converter.engine.out_directory import whole_run
        from converter.model.compile_options import CompileOptions
        from converter.model.task import ConvertOptions
        from converter.report.progress import Progress

        options = ConvertOptions(
            opset=opset, seed=seed, timeout=timeout, compile=CompileOptions(soc=soc)
        )
    with whole_run(out):
        with Progress(total=1, quiet=quiet) as progress:
            report = run_forecast(
                model,
                out,
                options,
                yml=yml,
                force=force,
                command=shlex.join(["paddle2om", *sys.argv[1:]]),
                observer=progress,
                host=host,
            )
        if out is not None:
            from converter.report.json_file import render_json
            from converter.report.run_files import files_of_ours, write_noted

            write_noted(out, {"report.json": render_json(report)}, others=files_of_ours(out))
    from converter.cli.show import print_failures
    from converter.report.forecast_text import forecast_text

    if json_output:
        print_json(report)
    elif not quiet and (text := forecast_text(report, out)):
        typer.echo(text)
    print_failures(report)
    raise typer.Exit(report.exit_code)
