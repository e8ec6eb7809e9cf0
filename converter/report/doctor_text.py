"""The text of a doctor's report: a line for each thing, and below it what mends it."""

from __future__ import annotations

from converter.engine.doctor.findings import DoctorReport

_MARKS = {"ok": "ok", "absent": "-", "warning": "warning", "problem": "PROBLEM"}


def doctor_text(report: DoctorReport) -> str:
    """Plain text; areas are blocks."""
    width = max(len(check.name) for check in report.checks if len(check.name) <= 24)
    lines = [f"paddle2om {report.version}"]
    area = ""
    for check in report.checks:
        if check.area != area:
            area = check.area
            lines += ["", area]
        lines.append(f"  {_MARKS[check.state]:<7}  {check.name:<{width}}  {check.found}".rstrip())
        if check.reason:
            lines += [f"           {check.reason}", f"           fix: {check.fix}"]
    counts = {state: sum(c.state == state for c in report.checks) for state in _MARKS}
    problems, warnings = counts["problem"], counts["warning"]
    told = f"{problems} problem{'s' * (problems != 1)}" if problems else "no problems"
    told += f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    return "\n".join([*lines, "", told])
