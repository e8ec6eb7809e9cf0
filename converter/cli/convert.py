"""``paddle2om convert``: one or many models through every stage."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer


def directory(text: str) -> Path:
    """A path from the command line; an empty one is a variable that was not set."""
    if not str(text):
        raise typer.BadParameter("it is empty: name a directory, or . for the current one")
    return Path(text)


def parse_shapes(texts: list[str]) -> dict[str, tuple[int, ...]]:
    """``["x=1,3,48,320"]`` -> ``{"x": (1, 3, 48, 320)}``; raises ``InputError``."""
    from converter.errors import InputError

    shapes = {}
    for text in texts:
        name, equals, dims = text.rpartition("=")
        if name in shapes:
            raise InputError(f"--shape {name}= is given twice", hint="give each input one shape")
        try:
            shapes[name] = tuple(int(dim) for dim in dims.split(","))
        except ValueError:
            equals = ""
        if not equals or not name:
            raise InputError(
                f"--shape {text!r} is not NAME=N,C,H,W", hint="for example --shape x=1,3,48,320"
            )
    return shapes


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
    opset: Annotated[int, typer.Option(help="ONNX opset; 11 works with every atc.")] = 11,
    soc: Annotated[
        str | None, typer.Option(metavar="SOC", help="Chip to compile for, e.g. Ascend310P3.")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIMS", help="Static shape of an OM input; repeatable."),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="New name of an input or output; repeatable."),
    ] = None,
    simplify: Annotated[bool, typer.Option(help="Simplify the ONNX model with onnxsim.")] = True,
    atol: Annotated[float | None, typer.Option(help="Absolute tolerance of the gate.")] = None,
    rtol: Annotated[
        float | None, typer.Option(help="Tolerance relative to an output's largest value.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the inputs compared on.")] = 0,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Models at a time.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds one model may take.")] = 900.0,
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
    from converter.engine.launch import Host

    shapes = parse_shapes(shape or [])
    names = parse_renames(rename or [])
    host = Host()  # its imports take longest: they run while the rest of this is imported

    from converter.api import write_reports
    from converter.cli.show import finish
    from converter.engine.convert import run_conversion
    from converter.model.task import ConvertOptions
    from converter.report.progress import Progress

    options = ConvertOptions(
        opset=opset,
        soc=soc,
        shapes=shapes,
        rename=names,
        simplify=simplify,
        atol=atol,
        rtol=rtol,
        seed=seed,
        timeout=timeout,
    )
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
            host=host,
        )
    write_reports(report, out)
    finish(report, out, json_output=json_output, quiet=quiet)
