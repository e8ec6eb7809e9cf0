"""``paddle2om compile``: an ONNX model to an OM file, the atc stage alone."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from converter.cli import compile_flags as flags
from converter.cli.answer import print_json
from converter.cli.directories import directory
from converter.cli.seconds import seconds

#: Where results go without -o.
_OUT = Path("paddle2om-out")


def compile_command(
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", help="An ONNX file, or a directory with one.")
    ] = None,
    soc: Annotated[
        str | None,
        typer.Option(metavar="SOC", help="Chip, e.g. Ascend310P3; a card's name; or auto."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR|FILE.om", parser=directory, help="Where the OM file goes."
        ),
    ] = None,
    shape: flags.Shape = None,
    profile: flags.Profile = None,
    profile_flag: flags.ProfileKind = None,
    precision: flags.Precision = None,
    keep_dtype: flags.KeepDtype = None,
    customize_dtypes: flags.CustomizeDtypes = None,
    modify_mixlist: flags.ModifyMixlist = None,
    op_precision_mode: flags.OpPrecisionMode = None,
    precision_from: flags.PrecisionFrom = None,
    aipp: flags.Aipp = None,
    atc_flag: flags.AtcFlag = None,
    cann: flags.Cann = None,
    target: flags.TargetOption = flags.Target.PADDLEX,
    on: flags.On = "local",
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="DIR", help="Take the OM files of a bundle that came back."
        ),
    ] = None,
    yml: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The model's inference.yml, if not beside it."),
    ] = None,
    preflight_only: Annotated[
        bool, typer.Option("--preflight-only", help="Say what atc would stumble over, and end.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", parser=seconds, help="Seconds atc may take.")
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
    """Compile an ONNX model to an OM file with atc, and print the path of the OM file or bundle.

    Shapes that are not given come from the inference.yml beside the model. With --import, no model
    and no --soc are needed: both are in the bundle.
    """
    if bundle is not None:
        _import(bundle, model, soc, out or _OUT, force, strict, quiet, json_output)
    if model is None or soc is None:
        from converter.errors import InputError

        missing = "no model" if model is None else "no --soc"
        raise InputError(
            f"{missing}: compile needs both",
            hint="paddle2om compile inference.onnx --soc Ascend310P3; or --import a bundle",
        )
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
        precision_from=precision_from,
        aipp=aipp,
        atc_flag=atc_flag,
        cann=cann,
        target=target,
        on=on,
        timeout=timeout,
    )
    from converter.cli.show import print_failures, print_report
    from converter.engine.compile import om_file, run_compile
    from converter.engine.out_directory import whole_run
    from converter.errors import InputError
    from converter.model.paddle_dir import model_name
    from converter.report.findings import findings_text
    from converter.report.progress import Progress

    if out is None:  # each model a directory of its own, as convert gives it
        stem = model.stem if model.suffix == ".onnx" else ""
        out = _OUT / (stem if stem not in ("", "inference", "model") else model_name(model))
    with whole_run(None), Progress(total=1, quiet=quiet) as progress:
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
        print_json(report)
    elif preflight_only:
        typer.echo(findings_text(report))
    elif om := om_file(report):
        typer.echo(om)
    elif report.exit_code == 0:  # a bundle, for atc elsewhere
        typer.echo(options.on.removeprefix("bundle:"))
    if quiet:
        print_failures(report)
    else:
        print_report(report)
    raise typer.Exit(report.exit_code)


def _import(
    bundle: Path,
    model: Path | None,
    soc: str | None,
    out: Path,
    force: bool,
    strict: bool,
    quiet: bool,
    json_output: bool,
) -> NoReturn:
    """Import a bundle and print where the OM files are now."""
    from converter.atc.bundle import read_bundle
    from converter.cli.show import print_failures, print_report
    from converter.engine.bundles import imported_files, run_import
    from converter.errors import InputError
    from converter.report.progress import Progress

    if model is not None or soc is not None or out.suffix == ".om":
        raise InputError(
            "--import takes a bundle alone",
            hint="its models and chips are in it; -o is a directory, as of paddle2om convert",
        )
    with Progress(total=len(read_bundle(bundle)), quiet=quiet) as progress:
        report = run_import(
            bundle,
            out,
            force=force,
            strict=strict,
            command=shlex.join(["paddle2om", *sys.argv[1:]]),
            observer=progress,
        )
    if json_output:
        print_json(report)
    else:
        for path in imported_files(report):
            typer.echo(path)
    if quiet:
        print_failures(report)
    else:
        print_report(report)
    raise typer.Exit(report.exit_code)
