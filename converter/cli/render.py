"""``paddle2om render``: a PaddleX config for models that are already converted."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli.answer import print_json

if TYPE_CHECKING:
    from converter.paddlex.placement import Route
    from converter.paddlex.report import ModuleReport, RenderReport


class BackendChoice(StrEnum):
    """What PaddleX runs the models with."""

    ONNX = "onnx"
    OM = "om"
    CANN = "cann"
    PADDLE = "paddle"
    AUTO = "auto"


class WrapperChoice(StrEnum):
    """The library that loads the config."""

    PADDLEX = "paddlex"
    PADDLEOCR = "paddleocr"


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


def parse_routes(texts: list[str]) -> dict[str, Route]:
    """``["UVDoc=onnx"]`` -> ``{"UVDoc": "onnx"}``; raises ``InputError``."""
    from converter.errors import InputError

    routes: dict[str, Route] = {}
    for name, route in parse_choices(texts, "--place", "UVDoc=onnx").items():
        if route not in ("onnx", "om", "cann", "paddle"):
            raise InputError(
                f"--place {name}={route}: there is no backend {route}",
                hint="a model runs as onnx, om, cann or paddle",
            )
        routes[name] = route  # type: ignore[assignment]
    return routes


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
    pipeline: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_FILE", help="A PaddleX pipeline, like OCR, or a config file."
        ),
    ],
    models: Annotated[
        Path,
        typer.Option("--models", metavar="DIR", help="Output directory of paddle2om convert."),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The config to write.")
    ] = Path("pipeline.yaml"),
    backend: Annotated[
        BackendChoice,
        typer.Option(
            metavar="|".join(BackendChoice),
            help="ONNX Runtime, OM files on an Ascend NPU, ONNX Runtime with CANN (experimental), "
            "native Paddle, or the best there are files for.",
        ),
    ] = BackendChoice.ONNX,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE", help="cpu, gpu:N, npu:N or xpu:N; what the backend needs if not."
        ),
    ] = None,
    paddlex: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="The PaddleX that reads the config, 3.0 to 3.7."),
    ] = None,
    wrapper: Annotated[
        WrapperChoice,
        typer.Option(metavar="|".join(WrapperChoice), help="The library that loads the config."),
    ] = WrapperChoice.PADDLEX,
    base_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where NAME's config is: a directory, or a PaddleX wheel."
        ),
    ] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE=NAME",
            help="Which model serves a module (or none); repeatable.",
        ),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL=BACKEND",
            help="Another backend for one model, or one module; repeatable.",
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE=C,H,W",
            help="Shape an OM file was compiled for, if its manifest has none; repeatable.",
        ),
    ] = None,
    scripts: Annotated[
        bool,
        typer.Option(
            "--scripts", help="Write scripts beside the config that run it, and that fine-tune."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Load the result with PaddleX, see paddle2om check.")
    ] = False,
    paddlex_python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The Python interpreter whose PaddleX --check uses."),
    ] = None,
    ready_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where models that PaddleX could not load as they are get complete copies.",
        ),
    ] = None,
    dictionary: Annotated[
        list[str] | None,
        typer.Option(
            "--dict",
            metavar="MODEL=FILE",
            help="Characters of a recogniser without inference.yml; repeatable.",
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

    Edits the pipeline's own config in place and prints the path of the result. Needs neither
    PaddleX nor Paddle to be importable.
    """
    from converter.cli.render_more import check_rendered
    from converter.engine.rendering import write_scripts
    from converter.paddlex.base import find_base
    from converter.paddlex.check import require_sound
    from converter.paddlex.companion import require_suffix
    from converter.paddlex.config_file import check_replaceable_config, write_config
    from converter.paddlex.modules import scan_models
    from converter.paddlex.readiness import make_ready, planned
    from converter.paddlex.render import RenderOptions, render_pipeline
    from converter.paddlex.report import report_of
    from converter.paddlex.targets import NEWEST, Target, parse_device, parse_version

    check_replaceable_config(out, force=force)
    require_suffix(out)
    base = find_base(pipeline, base_dir)
    version = paddlex or base.version
    options = RenderOptions(
        backend=backend.value,
        target=Target(parse_version(version) if version else NEWEST, wrapper.value),
        device=parse_device(device) if device else None,
        use=parse_choices(use or [], "--use", "TextDetection=PP-OCRv5_mobile_det"),
        place=parse_routes(place or []),
        shapes=parse_sizes(shape or []),
    )
    dictionaries = parse_choices(dictionary or [], "--dict", "PP-OCRv5_mobile_rec=dict.txt")
    found = planned(scan_models(models), ready_dir or out.with_name(f"{out.stem}-models"))
    rendered = render_pipeline(base, found, options)
    characters = {name: Path(file) for name, file in dictionaries.items()}
    make_ready(rendered.unready, characters, force=force)
    write_config(out, rendered.text, force=force, through=True)
    report = report_of(rendered, options, out)
    _tell(report)
    made = write_scripts(report, options, force=force) if scripts else ()
    checked = check_rendered(report, options, paddlex_python) if check else None
    if json_output:
        whole = {"scripts": tuple(map(str, made)), "check": checked}
        print_json(report.model_copy(update=whole))
    else:
        for path in (out, *made):
            typer.echo(str(path))
    if checked is not None:
        require_sound(checked)


def _tell(report: RenderReport) -> None:
    """Say on standard error what serves each module, and what will go wrong."""
    from converter.model.counting import listed

    width = max(len(module.module) for module in report.modules)
    for module in report.modules:
        typer.echo(f"{module.module:<{width}}  {_fate(module)}", err=True)
    for warning in report.warnings:
        typer.echo(f"warning: {warning.message}: {listed(warning.modules)}", err=True)
        typer.echo(f"hint: {warning.fix}", err=True)


def _fate(module: ModuleReport) -> str:
    if module.state == "served":
        text = f"{module.model}  {module.backend} on {module.device}"
        if module.instead_of:
            text += f", instead of {module.instead_of}"
        if module.completed:
            text += ", completed"
        if module.reason:
            text += f": {module.reason}"
        return text if module.enabled else f"{text} (off)"
    if module.state == "off":
        return "off: no model" if module.reason else "off"
    if module.state == "skipped":
        return f"left as it is: {module.reason}"
    return f"left to PaddleX: {module.reason}"
