"""The findings of a pre-flight as text."""

from __future__ import annotations

from converter.model.result import CompileFacts, RunReport


def findings_text(report: RunReport) -> str:
    """Every finding with what helps, the changes made for atc, and the command."""
    lines: list[str] = []
    for model in report.models:
        facts = model.facts("compile")
        if not isinstance(facts, CompileFacts):
            continue
        for finding in facts.findings:
            lines += [f"{finding.severity}: {finding}", f"  help: {finding.help}"]
        lines += [f"changed for atc: {change}" for change in facts.changes]
        sources = ", ".join(f"{name}: {source}" for name, source in facts.shapes_from.items())
        lines.append(f"shapes: {facts.input_shape} ({sources})")
        lines.append(f"command: {' '.join(facts.argv)}")
    return "\n".join(lines)
