"""``paddle2om render``: a PaddleX config for models that are already converted."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from converter.paddlex.modules import ConvertedModel


class BackendChoice(StrEnum):
    """What PaddleX runs the models with."""

    ONNX = "onnx"
    OM = "om"


def parse_choices(texts: list[str], option: str, example: str) -> dict[str, str]:
    """``["TextDetection=NAME"]`` -> ``{"TextDetection": "NAME"}``; raises ``InputError``."""
    from converter.errors import InputError

    choices: dict[str, str] = {}
    for text in texts:
        module, equals, value = text.partition("=")
        if not (module and equals and value):
            raise InputError(
                f"{option} {text!r} is not MODULE=VALUE", hint=f"for example {option} {example}"
            )
        if choices.setdefault(module, value) != value:
            raise InputError(
                f"{option} names {module} twice: {choices[module]} and {value}",
                hint="give it once",
            )
    return choices


def parse_sizes(texts: list[str]) -> dict[str, tuple[int, int, int]]:
    """``["TextDetection=3,640,480"]`` -> sizes per module; raises ``InputError``."""
    from converter.errors import InputError

    sizes = {}
    for module, text in parse_choices(texts, "--shape", "TextDetection=3,640,480").items():
        try:
            channels, height, width = (int(part) for part in text.split(","))
        except ValueError:
            raise InputError(
                f"--shape {module}={text} is not three numbers",
                hint="channels, height and width, without the batch: --shape "
                "TextDetection=3,640,480",
            ) from None
        sizes[module] = (channels, height, width)
    return sizes


def render_command(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="OCR is the one there is.")],
    models: Annotated[
        Path,
        typer.Option("--models", metavar="DIR", help="Output directory of paddle2om convert."),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The config to write.")
    ] = Path("pipeline.yaml"),
    backend: Annotated[
        BackendChoice, typer.Option(help="ONNX Runtime on the CPU, or OM files on an Ascend NPU.")
    ] = BackendChoice.ONNX,
    device: Annotated[str, typer.Option(help="The NPU that runs OM files.")] = "npu:0",
    use: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE=NAME",
            help="Which model serves a module (or none); repeatable.",
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE=C,H,W",
            help="Shape an OM file was compiled for, if its manifest has none; repeatable.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is not ours, or was edited.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON on standard output.")
    ] = False,
) -> None:
    """Write a PaddleX config that runs converted models.

    Prints the path of the config. Models are assigned to modules by their inference.yml; optional
    modules without a model are switched off.
    """
    from converter.model.result import PipelineReport
    from converter.paddlex.config_file import write_config
    from converter.paddlex.modules import assign, scan_models
    from converter.paddlex.ocr import OCR_MODULES, OcrOptions, check_pipeline, render_ocr

    check_pipeline(pipeline)
    chosen = parse_choices(use or [], "--use", "TextDetection=PP-OCRv5_mobile_det")
    options = OcrOptions(backend=backend.value, device=device, shapes=parse_sizes(shape or []))
    found = scan_models(models)
    assignment = assign(OCR_MODULES, found, chosen, backend=backend.value)
    write_config(out, render_ocr(assignment, options), force=force)
    _tell(assignment, [module.name for module in OCR_MODULES])
    if not json_output:
        typer.echo(str(out))
        return
    report = PipelineReport(
        name=pipeline,
        config=str(out),
        backend=backend.value,
        modules={module: model.name for module, model in assignment.items()},
    )
    typer.echo(report.model_dump_json(indent=2))


def _tell(assignment: Mapping[str, ConvertedModel], modules: list[str]) -> None:
    """Say on standard error which model serves which module."""
    width = max(map(len, modules))
    for module in modules:
        model = assignment.get(module)
        typer.echo(f"{module:<{width}}  {model.name if model else 'off: no model'}", err=True)
