"""The Markdown summary: what is in it, and what its reader cannot be made to do."""

from __future__ import annotations

from converter.model.baseline import BaselineChange, BaselineReport
from converter.model.result import RunReport
from converter.report.markdown import escape, render_markdown
from tests.report.report_builders import failed, good, mixed, model, run


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table."""
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_every_model_has_a_row(report: RunReport) -> None:
    text = render_markdown(report)
    assert text.startswith("## ")
    for m in report.models:
        assert any(row[0].endswith(f" {escape(m.name)}") for row in rows(text)), m.name
    widths = [len(row) for row in rows(text)]
    assert all(width >= 3 for width in widths)


def test_failures_are_told_with_their_hints() -> None:
    text = render_markdown(mixed())
    for m in mixed().models:
        if m.failure and m.failure.error:
            assert f"<b>{escape(m.name)}</b>: {m.failure.stage} {m.failure.status}" in text
            assert escape(f"hint: {m.failure.error.hint}") in text


def test_names_are_not_markup() -> None:
    name = "a|b`c` *d* <script>alert(1)</script>\n# heading [x](y)"
    text = render_markdown(run([model(name, failed("export", name, name))]))
    assert "<script>" not in text
    assert "\n# heading" not in text
    assert "[x](y)" not in text
    (head, _, row) = rows(text)
    assert len(head) == len(row)


def test_the_baseline_is_in_it() -> None:
    change = BaselineChange(model="a", what="nodes", before=1, now=2, limit=1, verdict="worse")
    same = BaselineReport(file="b.json", compared=1)
    assert "1 model as in the baseline" in render_markdown(run([good("a")], baseline=same))
    worse = BaselineReport(file="b.json", compared=1, changes=(change,))
    text = render_markdown(run([good("a")], baseline=worse))
    assert "1 worse, 0 other changes." in text
    better = change.model_copy(update={"verdict": "better"})
    one = BaselineReport(file="b.json", compared=1, changes=(better,))
    assert "0 worse, 1 other change." in render_markdown(run([good("a")], baseline=one))
    assert ["a", "worse", "nodes: 2, was 1 (up to 1 passes)"] in rows(text)


def test_it_stays_below_what_github_takes() -> None:
    many = run([good(f"model {number}") for number in range(5000)])
    text = render_markdown(many, most_bytes=100_000)
    assert len(text.encode()) <= 100_000
    shown = sum("model " in row[0] and "✅" in row[0] for row in rows(text))
    assert 100 < shown < 5000
    assert f"{5000 - shown:,} models more: see report.html." in text
    broken = [model(f"m{number}", failed("export", "x" * 300, "h")) for number in range(5000)]
    text = render_markdown(run(broken), most_bytes=100_000)
    assert len(text.encode()) <= 100_000
    assert text.endswith("cut here: see report.html.\n")
