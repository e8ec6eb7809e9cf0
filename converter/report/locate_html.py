"""The report of ``paddle2om locate`` as one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from converter.model.result import RunReport
from converter.report import format as fmt
from converter.report.atomic import write_text_atomically
from converter.report.html import report_environment
from converter.report.locate_plot import growth_plot
from converter.report.locate_text import around, error, located, verdict
from converter.report.summary import stage_mark


def write_locate_html(report: RunReport, path: Path) -> None:
    """Write the page of a run whose search got to its end."""
    write_text_atomically(path, render_locate_html(report))


def render_locate_html(report: RunReport) -> str:
    """Return the page."""
    facts = located(report)
    assert facts is not None
    (model,) = report.models
    environment = report_environment()
    environment.filters.update(error=error)
    template = environment.get_template("locate/report.html.j2")
    return template.render(
        report=report,
        facts=facts,
        culprit=facts.culprit,
        headline=verdict(facts),
        mark=stage_mark(model.stages[-1]),
        plot=growth_plot(facts),
        around=around(facts),
        peak_memory=fmt.size(max(stage.peak_memory for stage in model.stages)),
    )
