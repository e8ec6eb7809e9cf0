"""A rehearsal for people: a table of trials, the worst lines, the shapes to compile for."""

from __future__ import annotations

from collections.abc import Iterator

from converter.paddlex.rehearsal import RECOGNITION, Rehearsal
from converter.paddlex.rehearsal_trials import Shapes, Trial
from converter.report.columns import columns
from converter.report.format import count, one_line, percent

#: Lines quoted of what the suggested shapes change.
_QUOTED = 5

#: From this share of wrong characters on, a shape is no way out and the text says so.
_TOO_MUCH = 0.02


def rehearsal_text(rehearsal: Rehearsal) -> str:
    """The lines that ``paddle2om rehearse`` prints."""
    return "\n".join(_lines(rehearsal))


def _lines(rehearsal: Rehearsal) -> Iterator[str]:
    *_, last = rehearsal.trials
    yield (
        f"PaddleX {rehearsal.paddlex}, ONNX Runtime on the CPU: {count(last.lines, 'line')} of "
        f"text on {count(len(rehearsal.images), 'image')}, against the same models without "
        "fixed shapes"
    )
    yield ""
    header = ("fixed shapes", "same", "changed", "lost", "surplus", "wrong characters")
    yield from columns([header, *(_row(trial) for trial in rehearsal.trials)])
    for change in last.changes[:_QUOTED]:
        yield f"  {_quoted(change.reference)} -> {_quoted(change.text)}"
    yield ""
    yield f"suggested: {_shapes(rehearsal.suggested)}"
    if last.error_rate > _TOO_MUCH:
        yield (
            f"{percent(last.error_rate)} of the characters would still be wrong: consider "
            f"render --place {_worst(rehearsal)}=onnx, which leaves that module on the CPU"
        )


def _row(trial: Trial) -> tuple[str, ...]:
    numbers = (trial.same, trial.changed, trial.lost, trial.surplus)
    return _shapes(trial.shapes), *map(str, numbers), percent(trial.error_rate)


def _shapes(shapes: Shapes) -> str:
    return ", ".join(f"{name} {','.join(map(str, shape))}" for name, shape in shapes.items())


def _worst(rehearsal: Rehearsal) -> str:
    """The module whose suggested shape costs more when it alone is fixed."""
    alone = {
        module: next(t.error_rate for t in rehearsal.trials if t.shapes == {module: shape})
        for module, shape in rehearsal.suggested.items()
    }
    return max(alone, key=lambda module: (alone[module], module == RECOGNITION))


def _quoted(text: str | None) -> str:
    return "(no line)" if text is None else repr(one_line(text, 60))
