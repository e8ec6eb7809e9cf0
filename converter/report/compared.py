"""What a comparison comes to in words: what users would notice, and the shapes of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from converter.model.comparison import CaseComparison, SweptShape, ValidateFacts
from converter.model.task_agreement import TaskAgreement
from converter.report import format as fmt

#: What one item of each kind is called when there are several.
_ITEMS = {"text": "texts", "class": "classes", "boxes": "boxes", "text pixels": "text pixels"}


@dataclass(frozen=True)
class SweepRow:
    """One shape of a sweep, with its comparison where there was one."""

    shape: SweptShape
    case: CaseComparison | None

    @property
    def max_abs(self) -> float | None:
        """The largest difference of any output; None where nothing was compared."""
        outputs = self.case.outputs if self.case else ()
        values = [output.max_abs for output in outputs]
        odd = next((value for value in values if value != value), None)
        return odd if odd is not None else max(values, default=None)


def sweep_rows(facts: ValidateFacts) -> list[SweepRow]:
    """The shapes of a sweep in order."""
    cases = {case.label: case for case in facts.cases}
    return [SweepRow(shape, cases.get(shape.case or "")) for shape in facts.sweep]


def shapes_text(shapes: dict[str, tuple[int, ...]]) -> str:
    """Shapes by input name: ``x 1x3x48x320``."""
    return ", ".join(f"{name} {'x'.join(map(str, dims))}" for name, dims in shapes.items())


def sweep_text(facts: ValidateFacts) -> str:
    """A sweep in one sentence, "" where there was none. A refused shape is not called compared."""
    rows = sweep_rows(facts)
    if not rows:
        return ""
    ran = [row for row in rows if row.case]
    failed = [row for row in ran if row.case and not row.case.passed]
    told = f"{len(ran)} of {fmt.count(len(rows), 'shape')} compared"
    if failed:
        told += f", {len(failed)} failed: {_named(failed[0])}"
    elif ran:
        worst = max(ran, key=lambda row: row.max_abs or 0.0)
        told += f", worst max abs {fmt.number(worst.max_abs or 0.0)} ({_named(worst)})"
    refused = [row for row in rows if not row.case]
    if refused:
        names = "; ".join(_named(row) for row in refused)
        told += f"; the reference itself refuses {len(refused)}: {names}"
    if shrunk := [row.shape for row in rows if row.shape.instead_of]:
        first = shrunk[0]
        told += (
            f"; {first.what} is {shapes_text(first.input_shapes)} instead of "
            f"{shapes_text(first.instead_of or {})}, which is too large to be run here"
        )
    return told


def task_text(task: TaskAgreement) -> str:
    """One case: ``3 of 3 texts equal, scores within 1.2e-06``."""
    if not task.items:
        return f"no {_ITEMS[task.kind]} in either"
    told = f"{task.agreeing} of {task.items} {_ITEMS[task.kind]} equal"
    return f"{told}, scores within {fmt.number(task.score_difference)}" if task.agreeing else told


def task_totals(facts: ValidateFacts) -> Iterator[TaskAgreement]:
    """What users would notice, over all cases: one for each kind."""
    found: dict[str, TaskAgreement] = {}
    for task in (case.task for case in facts.cases if case.task):
        old = found.get(task.kind)
        if old is not None:
            task = TaskAgreement(
                kind=task.kind,
                items=old.items + task.items,
                agreeing=old.agreeing + task.agreeing,
                score_difference=max(old.score_difference, task.score_difference),
                detail=old.detail or task.detail,
            )
        found[task.kind] = task
    yield from found.values()


def _named(row: SweepRow) -> str:
    return f"{row.shape.what}, {shapes_text(row.shape.input_shapes)}"
