"""The run report as Markdown that a CI system shows beside its logs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from converter.model.baseline import BaselineReport
from converter.model.comparison import ValidateFacts
from converter.model.result import ModelReport, RunReport, StageResult, Status
from converter.report import format as fmt
from converter.report.atomic import write_text_through
from converter.report.baseline_text import change_text, update_texts
from converter.report.compared import sweep_text, task_text, task_totals
from converter.report.summary import (
    cell_mark,
    find_stage,
    missing_note,
    model_mark,
    notes_of,
    seconds_of,
    stage_columns,
    stage_fact,
    verdict,
)

#: GitHub refuses a step summary above 1 MiB (2**20 bytes), and then shows none of it.
_MOST_BYTES = 1_000_000

_SIGNS = {"ok": "✅", "cached": "♻️", "warn": "⚠️", "skip": "➖", "bad": "❌"}
_ESCAPED = re.compile(r"([\\`*_\[\]<>|#~$])")


def write_markdown(report: RunReport, path: Path) -> None:
    """Write the summary to ``path``. Raises ``InputError`` when that cannot be."""
    write_text_through(path, render_markdown(report))


def render_markdown(report: RunReport, *, most_bytes: int = _MOST_BYTES) -> str:
    """The summary: the verdict, the failures, the baseline, then a table of all models.

    Rows that would make it larger than ``most_bytes`` are left out, and counted.
    """
    pieces = [*_head(report), *_failures(report)]
    if report.baseline is not None:
        pieces += _baseline(report.baseline, sum(model.known_to_fail for model in report.models))
    text = "\n".join(pieces) + "\n"
    room = most_bytes - len(text.encode()) - 300
    rows, left_out = [], 0
    for line in _rows(report):
        room -= len(line.encode()) + 1
        if room < 0:
            left_out += 1
        else:
            rows.append(line)
    if rows:
        text += "\n" + "\n".join([*_table_head(report), *rows]) + "\n"
    if left_out:
        text += f"\n{fmt.count(left_out, 'model')} more: see report.html.\n"
    # A thousand failures may be too much by themselves.
    return _cut(text, most_bytes)


def _head(report: RunReport) -> Iterator[str]:
    told = verdict(report)
    yield f"## {_SIGNS[told.mark.tone]} paddle2om: {escape(told.headline)}"
    yield ""
    meaning = f" ({told.exit_meaning})" if told.exit_code else ""
    yield f"{fmt.seconds(report.seconds)}, exit code {told.exit_code}{meaning}"
    yield ""
    yield f"`{_code(report.command)}`"
    if report.shard is not None and report.shard.count > 1:
        yield ""
        yield f"Shard {report.shard.index} of {report.shard.count}."


def _failures(report: RunReport) -> Iterator[str]:
    if note := missing_note(report):
        yield ""
        yield f"❌ {escape(note.message)}"
        yield f"<br>hint: {escape(note.hint)}"
    for model in report.models:
        degraded = report.strict and model.status is Status.DEGRADED
        stopped = model.failure or (
            next(s for s in model.stages if s.status is Status.DEGRADED) if degraded else None
        )
        if stopped is None or model.known_to_fail:
            continue
        yield ""
        yield (
            f"<details open><summary>❌ <b>{escape(model.name)}</b>: {stopped.stage} "
            f"{stopped.status}</summary>"
        )
        yield ""
        for note in notes_of(model):
            yield f"- {note.stage}: {escape(fmt.one_line(note.message))}"
            for more in (note.detail, f"hint: {note.hint}" if note.hint else ""):
                if more:
                    yield f"  <br>{escape(fmt.one_line(more))}"
        yield from _outputs(stopped)
        if model.log:
            yield f"- log: `{_code(model.log)}`"
        yield ""
        yield "</details>"
    for pipeline in report.pipelines:
        if pipeline.error:
            yield ""
            yield f"❌ pipeline **{escape(pipeline.name)}**: {escape(pipeline.error.message)}"
            yield f"<br>hint: {escape(pipeline.error.hint)}"
    yield from _known(report)


def _known(report: RunReport) -> Iterator[str]:
    """Failures that the baseline knows: folded, so that others stand out."""
    known = [(model.name, model.failure) for model in report.models if model.known_to_fail]
    if not known:
        return
    yield ""
    yield f"<details><summary>➖ {fmt.count(len(known), 'model')} known to fail</summary>"
    yield ""
    for name, stage in known:
        why = stage.error.message if stage and stage.error else ""
        yield f"- {escape(name)}: {stage.stage if stage else ''}: {escape(fmt.one_line(why, 200))}"
    yield ""
    yield "</details>"


def _outputs(stage: StageResult) -> Iterator[str]:
    if not isinstance(stage.facts, ValidateFacts):
        return
    for task in task_totals(stage.facts):
        detail = f" ({fmt.one_line(task.detail, 160)})" if task.detail else ""
        yield f"- {escape(task_text(task) + detail)}"
    if swept := sweep_text(stage.facts):
        yield f"- sweep: {escape(swept)}"
    failing = [(case, out) for case in stage.facts.cases for out in case.outputs if not out.passed]
    if failing:
        yield ""
        yield from _table(
            ("output", "inputs", "max abs", "cosine", "why"),
            [
                (
                    escape(out.name),
                    escape(case.label),
                    fmt.number(out.max_abs),
                    fmt.cosine(out.cosine),
                    escape(fmt.one_line(out.reason, 160)),
                )
                for case, out in failing[:10]
            ],
        )


def _baseline(baseline: BaselineReport, known: int) -> Iterator[str]:
    yield ""
    failing = f", {known} known to fail" if known else ""
    worse = len(baseline.failures)
    if baseline.updated:
        yield f"Baseline `{_code(baseline.file)}` written."
        for told in update_texts(baseline):
            yield f"<br>{escape(told)}"
    elif baseline.unwritten:
        yield f"⚠️ Baseline `{_code(baseline.file)}` not written: {escape(baseline.unwritten)}."
    elif not baseline.changes:
        yield f"✅ {fmt.count(baseline.compared, 'model')} as in the baseline{failing}."
    else:
        sign = "❌" if worse else "⚠️"
        other = fmt.count(len(baseline.changes) - worse, "other change")
        yield f"{sign} Baseline: {worse} worse, {other}{failing}."
    if baseline.changes:
        yield ""
        yield from _table(
            ("model", "", "change"),
            [(escape(c.model), c.verdict, escape(change_text(c))) for c in baseline.changes[:200]],
        )
        if len(baseline.changes) > 200:
            yield f"\n{fmt.count(len(baseline.changes) - 200, 'more change')}: see report.json."


def _table_head(report: RunReport) -> list[str]:
    names = ("model", *stage_columns(report), *(["task"] if _has_tasks(report) else []), "time")
    return [_row(names), _row(["---"] * len(names))]


def _rows(report: RunReport) -> Iterator[str]:
    stages = stage_columns(report)
    tasks = _has_tasks(report)
    for model in report.models:
        cells = [_cell(model, name) for name in stages]
        sign = _SIGNS[model_mark(model).tone]
        cells += [_task(model)] if tasks else []
        yield _row([f"{sign} {escape(model.name)}", *cells, fmt.seconds(seconds_of(model))])


def _cell(model: ModelReport, name: str) -> str:
    stage = find_stage(model, name)
    if stage is None:
        return ""
    mark = cell_mark(model, stage)
    told = stage_fact(stage).full or (mark.label if mark.tone != "ok" else "")
    return f"{_SIGNS[mark.tone]} {escape(told)}".strip()


def _has_tasks(report: RunReport) -> bool:
    return any(_task(model) for model in report.models)


def _task(model: ModelReport) -> str:
    """What users would notice of the differences, "" where that is not known."""
    facts = model.facts("validate")
    if not isinstance(facts, ValidateFacts):
        return ""
    return escape("; ".join(task_text(task) for task in task_totals(facts)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escape(text: str) -> str:
    """Text that Markdown and HTML show as it is, on one line."""
    return (
        _ESCAPED.sub(r"\\\1", fmt.one_line(text, 2000))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
    )


def _code(text: str) -> str:
    """Text for between backticks, which nothing escapes there."""
    return fmt.one_line(text, 2000).replace("`", "'")


def _cut(text: str, most_bytes: int) -> str:
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    note = "\n\n... cut here: see report.html.\n"
    kept = data[: most_bytes - len(note)].decode(errors="ignore")
    with contextlib.suppress(ValueError):
        kept = kept[: kept.rindex("\n")]
    return kept + note
