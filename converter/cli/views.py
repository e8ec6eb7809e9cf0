"""The flags that write a run's report in other forms, and that compare it with a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from converter.model.baseline import Baseline
    from converter.model.result import RunReport

Junit = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the report as JUnit XML.")
]
Markdown = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write a summary as Markdown; - is standard output."),
]
Bom = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write a CycloneDX bill of materials.")
]
BaselineFile = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="FILE", help="Fail when anything is worse than in FILE."),
]
UpdateBaseline = Annotated[
    bool, typer.Option("--update-baseline", help="Write FILE from this run instead.")
]
PruneBaseline = Annotated[
    bool,
    typer.Option(
        "--prune-baseline", help="Drop models from FILE that the run does not have at all."
    ),
]


@dataclass(frozen=True)
class Views:
    """Where else than to ``report.json`` and ``report.html`` a report goes."""

    junit: Path | None = None
    markdown: Path | None = None
    baseline: Path | None = None
    update: bool = False
    prune: bool = False
    bom: Path | None = None
    _before: Baseline | None = None

    @classmethod
    def checked(
        cls,
        junit: Path | None,
        markdown: Path | None,
        baseline: Path | None,
        update: bool,
        prune: bool,
        *,
        bom: Path | None = None,
        json_output: bool = False,
    ) -> Views:
        """What the flags ask for. Raises ``InputError`` before anything has run.

        A baseline that is missing or damaged is worth nothing an hour later.
        """
        from converter.errors import InputError
        from converter.report.baseline import read_baseline

        if update and baseline is None:
            raise InputError(
                "--update-baseline without --baseline: there is no file to write",
                hint="add --baseline baseline.json",
            )
        if prune and not update:
            raise InputError(
                "--prune-baseline without --update-baseline: nothing is written",
                hint="add --update-baseline",
            )
        if json_output and str(markdown) == "-":
            raise InputError(
                "--json and --markdown - both write to standard output",
                hint="give Markdown a file: --markdown summary.md",
            )
        before = None
        if baseline is not None and (baseline.exists() or not update):
            before = read_baseline(baseline)
        return cls(junit, markdown, baseline, update, prune, bom, before)

    def write(self, report: RunReport, out: Path) -> RunReport:
        """Compare with the baseline, write every view, and return the report with both."""
        from converter.api import write_reports
        from converter.report.baseline import compare_baseline, update_baseline
        from converter.report.junit import write_junit
        from converter.report.markdown import render_markdown, write_markdown

        if self.baseline is not None:
            from converter.model.baseline import BaselineReport

            compared = BaselineReport(file=str(self.baseline), compared=0)
            if self.update and report.interrupted:
                why = "the run was interrupted"
                compared = compared.model_copy(update={"unwritten": why})
            elif self._before is not None:
                compared = compare_baseline(report, self._before, self.baseline)
            if self.update and not report.interrupted:
                compared = update_baseline(report, compared, self.baseline, prune=self.prune)
            report = report.model_copy(update={"baseline": compared})
        write_reports(report, out)
        if self.junit is not None:
            write_junit(report, self.junit)
        if self.bom is not None:
            from converter.model.run_manifest import require_manifest
            from converter.report.bom.document import write_bom

            write_bom(report, require_manifest(report, out / "report.json"), self.bom)
        if self.markdown is not None:
            if str(self.markdown) == "-":
                typer.echo(render_markdown(report), nl=False)
            else:
                write_markdown(report, self.markdown)
        return report
