"""``paddle2om device``: an OM file on an NPU against Paddle's own outputs."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.answer import print_json
from converter.cli.seconds import seconds


class Backend(StrEnum):
    """What runs OM files."""

    AUTO = "auto"
    ACL = "acl"
    AIS_BENCH = "ais_bench"


def device_command(
    kit: Annotated[
        Path, typer.Argument(metavar="KIT", help="A device kit: made with --paddle and --om.")
    ],
    paddle: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Make the kit: the Paddle model.")
    ] = None,
    om: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Make the kit: the OM file.")
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Run on the NPU although there are results.")
    ] = False,
    device: Annotated[int, typer.Option(metavar="N", help="Number of the NPU.")] = 0,
    backend: Annotated[
        Backend, typer.Option(metavar="|".join(Backend), help="What runs the OM file.")
    ] = Backend.AUTO,
    atol: Annotated[
        float | None, typer.Option(metavar="N", help="Absolute tolerance of float outputs.")
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option(metavar="N", help="Tolerance relative to an output's largest value."),
    ] = None,
    min_cosine: Annotated[
        float | None, typer.Option(metavar="N", help="Least cosine similarity.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the recorded inputs.")] = 0,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", parser=seconds, help="Seconds the NPU may take.")
    ] = 600.0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are not ours.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Compare an OM file on an NPU with Paddle.

    With --paddle and --om, makes a kit: recorded inputs, Paddle's outputs, and a script for the
    NPU's host. Without, judges the kit's results, after running it here if there are none yet.
    """
    from converter.errors import InputError

    if (paddle is None) != (om is None):
        raise InputError(
            "a kit is made with both --paddle and --om",
            hint="or give neither, to judge a kit that is there",
        )
    from converter.accuracy.recorded import DEVICE_TOLERANCE
    from converter.cli.show import print_failures, print_report
    from converter.engine.device import check_kit, make_kit
    from converter.engine.out_directory import whole_run
    from converter.report.progress import Progress

    command = shlex.join(["paddle2om", *sys.argv[1:]])
    if paddle is not None and om is not None:
        with whole_run(None), Progress(total=1, quiet=quiet) as progress:
            report = make_kit(
                kit, paddle, om, seed=seed, force=force, command=command, observer=progress
            )
        if report.exit_code == 0 and not json_output:
            typer.echo(kit)
    else:
        given = {"atol": atol, "rtol": rtol, "min_cosine": min_cosine}
        report = check_kit(
            kit,
            log=lambda line: None if quiet else typer.echo(line, err=True),
            again=run,
            device=device,
            backend=backend.value,
            timeout=timeout,
            tolerance=DEVICE_TOLERANCE.model_copy(
                update={name: value for name, value in given.items() if value is not None}
            ),
            command=command,
        )
    if json_output:
        print_json(report)
    if quiet:
        print_failures(report)
    else:
        print_report(report)
    raise typer.Exit(report.exit_code)
