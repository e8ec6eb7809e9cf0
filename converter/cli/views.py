"""The flags that write a run's report in other forms, and that compare it with a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from converter.errors import Paddle2omError
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
AcceptFailures = Annotated[
    bool,
    typer.Option(
        "--accept-failures", help="With --update-baseline: models that failed are known to."
    ),
]


@dataclass(frozen=True)
class Views:
    """Where else than to ``report.json`` and ``report.html`` a report goes.

    ``unwritten`` tells, after ``write``, what could not be written, reports too; ``lost`` has the
    run's own report if it is among that.
    """

    junit: Path | None = None
    markdown: Path | None = None
    baseline: Path | None = None
    update: bool = False
    prune: bool = False
    bom: Path | None = None
    accept: bool = False
    _before: Baseline | None = None
    unwritten: list[Paddle2omError] = field(default_factory=list)
    lost: list[Path] = field(default_factory=list)

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
        accept: bool = False,
        json_output: bool = False,
    ) -> Views:
        """What the flags ask for. Raises ``InputError`` before anything has run.

        A baseline that is missing or damaged is worth nothing an hour later, and neither is a file
        that cannot be written.
        """
        from converter.errors import InputError
        from converter.report.atomic import check_writable
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
        if accept and not update:
            raise InputError(
                "--accept-failures without --update-baseline: nothing is written",
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
        written = (junit, markdown if str(markdown) != "-" else None, bom, baseline)
        for path in written if update else written[:-1]:
            if path is not None:
                check_writable(path)
        return cls(junit, markdown, baseline, update, prune, bom, accept, before)

    def write_reports(self, report: RunReport, out: Path) -> RunReport:
        """Compare with the baseline, write the reports, and return the report with both.

        It belongs to the run: signals do not end the writing.
        """
        from converter.api import write_reports

        if self.baseline is not None:
            report = self._compared(report, self.baseline)
        if not self._attempt(lambda: write_reports(report, out)):
            self.lost.append(out / "report.html")
        return report

    def write(self, report: RunReport, out: Path) -> None:
        """Write every other view; what cannot be written keeps nothing else from being written.

        After the run: it takes as long as whoever reads a FIFO does, and signals end it.
        """
        from converter.report.junit import write_junit
        from converter.report.markdown import render_markdown, write_markdown

        if (junit := self.junit) is not None:
            self._attempt(lambda: write_junit(report, junit))
        if (bom := self.bom) is not None:
            from converter.model.run_manifest import require_manifest
            from converter.report.bom.document import write_bom

            file = out / "report.json"
            self._attempt(lambda: write_bom(report, require_manifest(report, file), bom))
        if str(self.markdown) == "-":
            self._attempt(lambda: _print(render_markdown(report)))
        elif (markdown := self.markdown) is not None:
            self._attempt(lambda: write_markdown(report, markdown))

    def _compared(self, report: RunReport, baseline: Path) -> RunReport:
        """The report with what is not as in the baseline, which is written where that is asked."""
        from converter.engine.interruption import interruptible
        from converter.errors import Paddle2omError
        from converter.model.baseline import BaselineReport
        from converter.report.baseline import (
            compare_baseline,
            update_baseline,
            with_known_failures,
        )

        nothing = BaselineReport(file=str(baseline), compared=0)
        compared, known = nothing, self._before
        if self._before is not None:
            compared = compare_baseline(report, self._before, baseline)
        if self.update:
            why = ""
            try:
                if not report.interrupted:
                    with interruptible():
                        compared, known = update_baseline(
                            report, compared, baseline, prune=self.prune, accept=self.accept
                        )
            except Paddle2omError as error:
                self.unwritten.append(error)
                why = error.message
            except KeyboardInterrupt:
                report = report.model_copy(update={"interrupted": True})
            if report.interrupted:
                why = "the run was interrupted"
            if why:
                compared, known = nothing.model_copy(update={"unwritten": why}), None
        if known is not None:
            report = with_known_failures(report, known)
        return report.model_copy(update={"baseline": compared})

    def _attempt(self, write: Callable[[], None]) -> bool:
        """Whether it was written; what was in the way is ``unwritten``."""
        from converter.errors import Paddle2omError

        try:
            write()
        except Paddle2omError as error:
            self.unwritten.append(error)
            return False
        return True


def _print(text: str) -> None:
    """Write to standard output. Raises ``InputError``: a full disk may be behind it."""
    from converter.stages.stage import describe_os_error

    try:
        typer.echo(text, nl=False)
    except OSError as error:
        raise describe_os_error(error) from error
