"""``paddle2om compile``: an ONNX model to an OM file, the atc stage alone."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from converter.cli import compile_flags as flags
from converter.cli.convert import directory


def compile_command(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="An ONNX file, or a directory with one.")
    ],
    soc: Annotated[
        str, typer.Option(metavar="SOC", help="Chip, e.g. Ascend310P3; a card's name; or auto.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="DIR|FILE.om", parser=directory, help="Where the OM file goes."
        ),
    ] = Path("paddle2om-out"),
    shape: flags.Shape = None,
    profile: flags.Profile = None,
    profile_flag: flags.ProfileKind = None,
    precision: flags.Precision = None,
    keep_dtype: flags.KeepDtype = None,
    customize_dtypes: flags.CustomizeDtypes = None,
    modify_mixlist: flags.ModifyMixlist = None,
    op_precision_mode: flags.OpPrecisionMode = None,
    aipp: flags.Aipp = None,
    atc_flag: flags.AtcFlag = None,
    cann: flags.Cann = None,
    target: flags.TargetOption = flags.Target.PADDLEX,
    yml: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The model's inference.yml, if not beside it."),
    ] = None,
    preflight_only: Annotated[
        bool, typer.Option("--preflight-only", help="Say what atc would stumble over, and end.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds atc may take.")] = 900.0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are not ours.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat degraded as failed.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Compile an ONNX model to an OM file with atc, and print the OM file's path.

    Shapes that are not given come from the inference.yml beside the model.
    """
    options = flags.compile_options(
        soc=soc,
        shape=shape,
        profile=profile,
        profile_flag=profile_flag,
        precision=precision,
        keep_dtype=keep_dtype,
        customize_dtypes=customize_dtypes,
        modify_mixlist=modify_mixlist,
        op_precision_mode=op_precision_mode,
        aipp=aipp,
        atc_flag=atc_flag,
        cann=cann,
        target=target,
        timeout=timeout,
    )
    from converter.cli.show import print_failures, print_report
    from converter.engine.compile import om_file, run_compile
    from converter.errors import InputError
    from converter.report.findings import findings_text
    from converter.report.progress import Progress

    if not timeout > 0:
        raise InputError("--timeout must be positive", hint="give seconds, for example 900")
    with Progress(total=1, quiet=quiet) as progress:
        report = run_compile(
            model,
            out,
            options,
            yml=yml,
            preflight_only=preflight_only,
            force=force,
            strict=strict,
            command=shlex.join(["paddle2om", *sys.argv[1:]]),
            observer=progress,
        )
    if json_output:
        typer.echo(report.model_dump_json(indent=2))
    elif preflight_only:
        typer.echo(findings_text(report))
    elif om := om_file(report):
        typer.echo(om)
    if quiet:
        print_failures(report)
    else:
        print_report(report)
    raise typer.Exit(report.exit_code)
