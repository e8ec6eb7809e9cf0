"""``paddle2om convert``: one or many models through every stage."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from converter.cli import compile_flags as flags
from converter.cli import views
from converter.cli.directories import CacheDirectory, directory
from converter.cli.seconds import seconds


def parse_renames(texts: list[str]) -> dict[str, str]:
    """``["fetch_name_0=logits"]`` -> ``{"fetch_name_0": "logits"}``; raises ``InputError``."""
    from converter.errors import InputError

    names: dict[str, str] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (old and equals and new) or old in names:
            told = "is given twice" if old in names else "is not OLD=NEW"
            raise InputError(
                f"--rename {text!r} {told}", hint="for example --rename fetch_name_0=logits"
            )
        names[old] = new
    return names


def convert_command(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL...", help="Model directories or program files.")
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="DIR", parser=directory, help="Where the results go."),
    ] = Path("paddle2om-out"),
    opset: Annotated[
        int, typer.Option(metavar="N", help="ONNX opset; 11 works with every atc.")
    ] = 11,
    soc: Annotated[
        str | None,
        typer.Option(metavar="SOC", help="Chip, e.g. Ascend310P3; a card's name; or auto."),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="New name of an input or output; repeatable."),
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
    simplify: Annotated[bool, typer.Option(help="Simplify the ONNX model with onnxsim.")] = True,
    atol: Annotated[
        float | None, typer.Option(metavar="N", help="Absolute tolerance of the gate.")
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
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="Compare on these too: .npz, .npy, images, a folder; repeatable."
        ),
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Fail below this share of equal texts, classes or boxes (0-1)."
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Models at a time.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", parser=seconds, help="Seconds one model may take.")
    ] = 900.0,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory one model may take, e.g. 4G; no limit if not."),
    ] = None,
    cache: CacheDirectory = None,
    junit: views.Junit = None,
    markdown: views.Markdown = None,
    bom: views.Bom = None,
    baseline: views.BaselineFile = None,
    update_baseline: views.UpdateBaseline = False,
    prune_baseline: views.PruneBaseline = False,
    accept_failures: views.AcceptFailures = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an inference.onnx that is not ours.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat degraded as failed.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
) -> None:
    """Convert Paddle models to checked ONNX (and OM) files.

    Each model goes through inspect, export, simplify, validate and compile. Its files end in
    DIR/<name>/; DIR/report.html and DIR/report.json tell the whole story.
    """
    from converter.engine.launch import started_early
    from converter.model.memory import parse_bytes

    names = parse_renames(rename or [])
    flags.parse_shapes(shape or [])  # a typing mistake is told before anything is started
    limit = None if memory is None else parse_bytes(memory)
    from converter.model.tolerance import parse_tolerances

    tolerances = parse_tolerances(tolerance or [])
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
    with started_early() as host:
        from converter.cli.show import finish
        from converter.engine.convert import run_conversion
        from converter.engine.out_directory import whole_run
        from converter.model.task import ConvertOptions
        from converter.report.progress import Progress

        compiled = flags.compile_options(
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
        )
        options = ConvertOptions(
            opset=opset,
            rename=names,
            compile=compiled,
            simplify=simplify,
            atol=atol,
            rtol=rtol,
            tolerances=tolerances,
            seed=seed,
            sweep=sweep,
            data=tuple(str(path.absolute()) for path in data or ()),
            min_agreement=min_agreement,
            timeout=timeout,
            memory=limit,
        )
    with whole_run(out):
        with Progress(total=len(models), quiet=quiet) as progress:
            report = run_conversion(
                models,
                out,
                options,
                jobs=jobs,
                force=force,
                strict=strict,
                command=shlex.join(["paddle2om", *sys.argv[1:]]),
                observer=progress,
                cache=cache,
                host=host,
            )
        report = wanted.write_reports(report, out)
    wanted.write(report, out)
    finish(
        report,
        out,
        json_output=json_output,
        quiet=quiet,
        unwritten=wanted.unwritten,
        reported=not wanted.lost,
    )
