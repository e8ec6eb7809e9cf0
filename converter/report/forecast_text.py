"""A precision forecast as text: the verdict, what to keep, and the most sensitive operators."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from converter.model.comparison import CaseComparison
from converter.model.forecast import ForecastFacts, PrecisionWay
from converter.model.result import RunReport
from converter.report import format as fmt
from converter.report.columns import columns

#: Operators that are listed; ``--json`` has all.
_LISTED = 12


def forecast_text(report: RunReport, out: Path | None) -> str:
    """What to print; "" where the forecast was not reached. ``out`` has the files for atc."""
    facts = report.models[0].facts("forecast")
    if not isinstance(facts, ForecastFacts):
        return ""
    return "\n".join(_lines(facts, out))


def _lines(facts: ForecastFacts, out: Path | None) -> Iterator[str]:
    limits = facts.tolerance
    yield (
        f"{fmt.count(len(facts.operators), 'operator')} in float16, against float32 "
        f"(atol {fmt.setting(limits.atol)}, rtol {fmt.setting(limits.rtol)}, "
        f"cosine {fmt.setting(limits.min_cosine)}):"
    )
    yield from _cases(facts.cases)
    yield ""
    if facts.passed:
        yield "float16 everywhere is enough"
    elif facts.keep is None:
        yield "no set of operators in float32 is enough"
    else:
        count = fmt.count(len(facts.keep), "operator")
        yield f"with {count} in float32 it passes, and with one less it does not:"
        yield from (f"  {name}" for name in facts.keep)
        yield from _cases(facts.kept_cases)
        if facts.unnamed:
            yield f"{facts.unnamed} of them have no name, by which atc could keep them"
    if facts.unkeepable:
        yield f"{', '.join(facts.unkeepable)}: {facts.soc_version} computes them in float16 only"
    for way in facts.ways:
        yield (
            f"compile with: {_flags(way, out)} ({way.float32} of {len(facts.operators)} "
            f"operators in float32, max abs {fmt.number(way.max_abs)})"
        )
    yield ""
    head = ("most sensitive alone", "type", "error", "largest", "overflow", "to zero")
    rows = [
        (
            one.name,
            one.op_type,
            fmt.number(one.error),
            fmt.number(one.largest, 3),
            fmt.percent(one.overflow) if one.overflow else "",
            fmt.percent(one.underflow) if one.underflow else "",
        )
        for one in facts.operators[:_LISTED]
    ]
    yield from columns([head, *rows])
    over = [one for one in facts.operators if one.overflow]
    if over:
        yield ""
        told = f"{fmt.count(len(over), 'operator')} {'gives' if len(over) == 1 else 'give'}"
        yield f"{told} out numbers above 65504, float16's largest"


def _flags(way: PrecisionWay, out: Path | None) -> str:
    """The flags, with the path that leads to the file from here."""
    named = (str(out / flag) if out and flag == way.file else flag for flag in way.flags)
    missing = " (which -o DIR writes)" if way.file and out is None else ""
    return shlex.join(named) + missing


def _cases(cases: tuple[CaseComparison, ...]) -> Iterator[str]:
    rows = [
        (
            "  ok" if output.passed else "  FAILS",
            case.label,
            output.name,
            f"max abs {fmt.number(output.max_abs)}",
            f"scaled {fmt.number(output.scaled)}",
            f"cosine {fmt.cosine(output.cosine)}",
        )
        for case in cases
        for output in case.outputs
    ]
    if rows:
        yield from columns(rows)
