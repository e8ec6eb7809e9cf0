"""The numbers of a comparison as a table of plain text."""

from __future__ import annotations

from collections.abc import Iterator

from converter.model.comparison import OutputComparison, ValidateFacts
from converter.report import format as fmt
from converter.report.columns import columns
from converter.report.compared import shapes_text

_HEAD = ("case", "output", "verdict", "max abs", "p99 abs", "rel L2", "cosine", "p99 ulp", "top-1")


def accuracy_text(facts: ValidateFacts) -> str:
    """One line for each output of each case, and for each shape that the reference refused."""
    rows = [(case.label, *_cells(output)) for case in facts.cases for output in case.outputs]
    nothing = [""] * (len(_HEAD) - 3)
    rows += [
        (shapes_text(shape.input_shapes), shape.what, "refused by the reference", *nothing)
        for shape in facts.sweep
        if shape.case is None
    ]
    return "\n".join(columns([_HEAD, *rows])) if rows else "nothing was compared"


def _cells(output: OutputComparison) -> Iterator[str]:
    yield output.name
    weak = " (weak)" if output.passed and output.reason else ""
    yield f"{'pass' if output.passed else 'FAIL'}{weak}"
    for value in (output.max_abs, output.p99_abs, output.relative_l2):
        yield _number(value)
    yield fmt.cosine(output.cosine) if output.elements else "–"
    yield "–" if output.p99_ulp is None else f"{output.p99_ulp:.0f}"
    share = output.argmax_agreement
    yield "–" if share is None else fmt.percent(share)


def _number(value: float | None) -> str:
    return "–" if value is None else fmt.number(value)
