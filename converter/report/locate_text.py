"""The text of ``paddle2om locate``: what diverges first, where and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from converter.model.located import Culprit, GrowthPoint, LocateFacts, TensorStatistics
from converter.model.result import RunReport
from converter.report.columns import columns
from converter.report.format import count, number, one_line, shape

#: Rows of the growth table before the place, and after it.
_BEFORE, _AFTER = 5, 3


def located(report: RunReport) -> LocateFacts | None:
    """The facts of a run's search; None when it did not get that far."""
    for model in report.models:
        for stage in model.stages:
            if isinstance(stage.facts, LocateFacts):
                return stage.facts
    return None


def locate_lines(facts: LocateFacts) -> Iterator[str]:
    """What was compared, the place, its tensors, its cause, and how the error grew."""
    shapes = ", ".join(f"{name} {shape(dims)}" for name, dims in facts.input_shapes.items())
    yield f"{facts.candidate} against {facts.reference}, on {shapes} ({facts.case})"
    for output in facts.outputs:
        told = "agrees" if output.passed else f"differs: {one_line(output.reason)}"
        yield f"output {output.name}: error {error(output.error)}, {told}"
    yield (
        f"{facts.measured} of {count(facts.pairs, 'pair')} of inner values compared "
        f"({facts.method}); the ONNX graph has {count(facts.tensors, 'tensor')}"
    )
    yield ""
    if facts.culprit is None:
        yield verdict(facts)
        if facts.quiet:
            yield f"note: {facts.quiet}"
        return
    yield from culprit_lines(facts.culprit)
    yield ""
    yield from growth_lines(facts)


def verdict(facts: LocateFacts) -> str:
    """One line: what came out of it."""
    if facts.culprit is not None:
        return f"first divergence: {facts.culprit.operator}"
    if facts.unjudged:
        return "the outputs diverge, and the place was not found"
    if facts.diverges:
        return "the outputs diverge, and no operator does by itself"
    return "no divergence"


def culprit_lines(culprit: Culprit) -> Iterator[str]:
    """The place and the cause."""
    yield f"first divergence: {culprit.operator}"
    where = f"operator {culprit.place} of the reference, value {culprit.value}"
    yield f"  in the reference  {where}{', in ' * bool(culprit.location)}{culprit.location}"
    node = culprit.node
    yield f"  ONNX node         {node.op_type} {node.name or '(no name)'} -> {culprit.tensor}"
    yield f"  inputs            {', '.join(name or '(none)' for name in node.inputs)}"
    if node.attributes:
        told = ", ".join(f"{name}={value}" for name, value in node.attributes.items())
        yield f"  attributes        {one_line(told)}"
    if len(culprit.region) > 1:
        told = ", ".join(each.op_type for each in culprit.region)
        yield f"  nodes up to there {one_line(told)}"
    if culprit.parameters:
        yield f"  parameters        {one_line(', '.join(culprit.parameters))}"
    yield (
        f"  error             {error(culprit.error_before)} before, {error(culprit.error)} after, "
        f"{error(culprit.own_error)} by itself"
    )
    if culprit.why:
        yield f"  what differs      {one_line(culprit.why)}"
    for cause in culprit.causes or ("cannot be told from the graph: see the repro bundle (-o)",):
        yield f"  likely cause      {cause}"
    yield ""
    rows: list[tuple[str, ...]] = [
        ("", "dtype", "shape", "min", "max", "mean", "std", "NaN", "inf")
    ]
    rows.append(("reference", *_row(culprit.reference)))
    if culprit.candidate is not None:
        rows.append(("ONNX", *_row(culprit.candidate)))
    yield from columns(rows)


def growth_lines(facts: LocateFacts) -> Iterator[str]:
    """How the error grew, around the place."""
    points = around(facts)
    rows = [("error", "by itself", "operator", "tensor")]
    for point in points:
        own = "" if point.own is None else error(point.own)
        here = facts.culprit is not None and point.tensor == facts.culprit.tensor
        mark = " <- here" if here else ""
        rows.append((error(point.error), own, point.operator, f"{point.tensor}{mark}"))
    yield f"error along the graph ({len(points)} of {len(facts.growth)} values)"
    yield from columns(rows)


def around(facts: LocateFacts) -> Sequence[GrowthPoint]:
    """The measured values next to the place, in the graph's order."""
    place = next(
        (
            index
            for index, point in enumerate(facts.growth)
            if facts.culprit is not None and point.tensor == facts.culprit.tensor
        ),
        0,
    )
    return facts.growth[max(0, place - _BEFORE) : place + _AFTER + 1]


def error(value: float) -> str:
    """An error for people: infinite where shapes or NaN differ."""
    if math.isinf(value):
        return "infinite"
    return "0" if value == 0 else f"{value:.1e}"


def _row(told: TensorStatistics) -> tuple[str, ...]:
    numbers = (told.minimum, told.maximum, told.mean, told.std)
    shown = (number(value, 4) for value in numbers)
    return told.dtype, shape(told.shape), *shown, str(told.nan), str(told.inf)
