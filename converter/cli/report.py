"""``paddle2om report``: the views of a report that is there."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from converter.cli import views
from converter.cli.command_help import Command
from converter.cli.directories import directory

report_app = typer.Typer(
    help="Show a report.json again, or write it in another form.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Source = Annotated[
    Path,
    typer.Argument(metavar="REPORT", help="A report.json, or the output directory with one."),
]


class Form(StrEnum):
    """What a report can be written as."""

    HTML = "html"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    MANIFEST = "manifest"
    BOM = "bom"


def _file(source: Path) -> Path:
    return source / "report.json" if source.is_dir() else source


@report_app.command("show", cls=Command)
def show_command(source: _Source) -> None:
    """Print the table of a report, and exit as the run did."""
    from converter.cli.show import print_report
    from converter.report.json_file import read_json

    report = read_json(_file(source))
    print_report(report)
    raise typer.Exit(report.exit_code)


@report_app.command("write", cls=Command)
def write_command(
    source: _Source,
    form: Annotated[
        Form, typer.Argument(metavar="FORM", help="html, junit, markdown, manifest or bom.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The file; - is standard output.")
    ] = Path("-"),
) -> None:
    """Write a report as HTML, JUnit XML or Markdown, or its run's manifest or bill of materials.

    The manifest has no times in it: two equal runs give the same bytes. The bill of materials is a
    CycloneDX ML-BOM.
    """
    from converter.model.run_manifest import require_manifest
    from converter.report.atomic import write_text_through
    from converter.report.bom.document import render_bom
    from converter.report.html import render_html
    from converter.report.json_file import read_json
    from converter.report.junit import render_junit
    from converter.report.markdown import render_markdown

    path = _file(source)
    report = read_json(path)
    match form:
        case Form.HTML:
            files = None if str(out) == "-" else os.path.relpath(path.parent, out.parent)
            text = render_html(report, image_roots=(path.parent,), files=files)
        case Form.JUNIT:
            text = render_junit(report)
        case Form.MARKDOWN:
            text = render_markdown(report)
        case Form.MANIFEST:
            text = require_manifest(report, path).text()
        case Form.BOM:
            text = render_bom(report, require_manifest(report, path))
    if str(out) == "-":
        typer.echo(text, nl=False)
    else:
        write_text_through(out, text)
        typer.echo(out)


@report_app.command("merge", cls=Command)
def merge_command(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="REPORT...", help="Reports, or output directories, of all shards."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="DIR", parser=directory, help="Where the merged report goes."
        ),
    ],
    junit: views.Junit = None,
    markdown: views.Markdown = None,
    bom: views.Bom = None,
    baseline: views.BaselineFile = None,
    update_baseline: views.UpdateBaseline = False,
    prune_baseline: views.PruneBaseline = False,
    accept_failures: views.AcceptFailures = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace reports that are not ours.")
    ] = False,
) -> None:
    """Make one report of several, and exit as a run of all of them would have.

    A model that the recipe asks for and no shard has is a failure, with exit code 1.
    """
    from converter.cli.show import end, print_report
    from converter.engine.out_directory import held, whole_run
    from converter.model.artefacts import check_replaceable
    from converter.model.names import REPORT_FILES
    from converter.report.json_file import read_json
    from converter.report.merge import merge_reports

    wanted = views.Views.checked(
        junit,
        markdown,
        baseline,
        update_baseline,
        prune_baseline,
        bom=bom,
        accept=accept_failures,
    )
    files = [_file(source) for source in sources]
    merged = merge_reports([(file, read_json(file)) for file in files], out)
    with whole_run(out), held(out):
        if not force:
            check_replaceable(out, REPORT_FILES)
        merged = wanted.write_reports(merged, out)
    wanted.write(merged, out)
    print_report(merged)
    typer.echo(out / "report.json")
    end(merged, wanted.unwritten)
