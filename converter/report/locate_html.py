"""The report of ``paddle2om locate`` as one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from converter.model.names import REPORT_FILES
from converter.model.result import RunReport
from converter.report import format as fmt
from converter.report.html import render_html, report_environment
from converter.report.json_file import render_json
from converter.report.locate_plot import growth_plot
from converter.report.locate_text import around, error, located, verdict
from converter.report.run_files import files_of_ours, write_noted
from converter.report.summary import stage_mark


def write_locate_reports(report: RunReport, out: Path) -> None:
    """Write ``report.json`` and ``report.html`` into ``out``, and note them as ours."""
    found = located(report) is not None
    page = render_locate_html(report) if found else render_html(report, files=".")
    texts = dict(zip(REPORT_FILES, (render_json(report), page), strict=True))
    write_noted(out, texts, others=files_of_ours(out))


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
