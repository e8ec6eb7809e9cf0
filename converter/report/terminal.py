"""The run report in a terminal: a table of models and stages, then what to read and do.

Every mark comes with a word or a number, so the table reads the same without colour, and every
sign has an ASCII stand-in for encodings that cannot show it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from converter.errors import Interrupted
from converter.model.comparison import ValidateFacts
from converter.model.result import ModelReport, PipelineReport, RunReport, Status
from converter.report import format as fmt
from converter.report.baseline_text import change_text, compared_text, hint_text, update_texts
from converter.report.compared import sweep_rows, sweep_text, task_text, task_totals
from converter.report.progress import Progress
from converter.report.recognised import reads_like_paddle, text_rows
from converter.report.summary import (
    KNOWN,
    MARKS,
    NOT_RUN,
    WARNING,
    cell_mark,
    find_stage,
    known_text,
    missing_note,
    notes_of,
    peak_memory_of,
    repair_totals,
    seconds_of,
    skip_reasons,
    stage_columns,
    stage_fact,
    verdict,
)
from converter.report.tones import STYLES, Writer

__all__ = ["Progress", "render_table"]

#: What the number in a narrow column means, said once in the header.
_UNITS = {"export": "opset", "simplify": "nodes", "validate": "max abs"}

#: A failure that the baseline knows, in the narrow table.
_KNOWN_SHORT = "known"

#: Longer names may be folded to make room for the wide table.
_NAME_WIDTH = 24

#: Recognised texts shown of a pipeline; those that differ from Paddle's are always shown.
_TEXTS_SHOWN = 8


def render_table(report: RunReport) -> RenderableType:
    """Return the report as something that ``rich`` prints."""
    return _ReportView(report)


@dataclass(frozen=True)
class _ReportView:
    """Chooses the wide or the narrow table when it knows how wide the terminal is."""

    report: RunReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        write = Writer(options.encoding)
        if self.report.models:
            wide = _table(self.report, write, full=True)
            unbounded = options.update(max_width=10_000)
            needed = Measurement.get(console, unbounded, wide).maximum
            names = max(cell_len(write.line(model.name)) for model in self.report.models)
            fits = needed - max(0, names - _NAME_WIDTH) <= options.max_width
            yield wide if fits else _table(self.report, write, full=False)
            yield ""
            yield from _legend(self.report, write)
        yield from _spaced(
            [
                _missing(self.report, write),
                _notes(self.report, write),
                _skips(self.report, write),
                _repairs(self.report, write),
                _compared(self.report, write),
                _placements(self.report, write),
                *(_pipeline(pipeline, write) for pipeline in self.report.pipelines),
                _baseline(self.report, write),
            ]
        )
        yield _verdict(self.report, write)
        if self.report.interrupted:
            hint = f"{Interrupted.again}; what is in the cache is not done again"
            yield Text("hint: ", "bold").append(hint, "not bold")


def _spaced(blocks: list[list[tuple[str, Text]]]) -> Iterator[RenderableType]:
    """Yield each block that has lines as a hanging indent, with an empty line after it."""
    for lines in filter(None, blocks):
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for head, line in lines:
            grid.add_row(Text(head), line)
        yield grid
        yield ""


def _table(report: RunReport, write: Writer, *, full: bool) -> Table:
    stages = stage_columns(report)
    table = Table(box=None, pad_edge=False, padding=(0, 2 if full else 1, 0, 0))

    def header(name: str, unit: str = "") -> str:
        # rich aligns headers at the bottom: an empty second line keeps the names in one line.
        return name if full else f"{name}\n{unit}"

    table.add_column(header("model"), overflow="fold", min_width=8)
    for stage in stages:
        table.add_column(header(stage, _UNITS.get(stage, "")), no_wrap=True)
    table.add_column(header("time"), no_wrap=True, justify="right")
    table.add_column(header("peak", "memory"), no_wrap=True, justify="right")
    for model in report.models:
        cells = [_cell(model, stage, write, full=full) for stage in stages]
        peak = peak_memory_of(model)
        table.add_row(
            Text(write.line(model.name)),
            *cells,
            fmt.seconds(seconds_of(model)),
            fmt.size(peak) if peak else "",
        )
    return table


def _cell(model: ModelReport, name: str, write: Writer, *, full: bool) -> Text:
    """One stage of one model: its mark and its fact, or the word where there is no fact."""
    stage = find_stage(model, name)
    if stage is None:
        return Text(write.sign(NOT_RUN), STYLES["skip"])
    mark, fact = cell_mark(model, stage), stage_fact(stage)
    words = fact.full if full else fact.compact
    has_fact = bool(words) and stage.status in (Status.FAILED, Status.SKIPPED)
    if mark.tone in ("bad", "skip") and not has_fact:
        words = mark.label
    if mark is KNOWN:
        words = mark.label if full else _KNOWN_SHORT
    return Text(f"{write.sign(mark)} {write.line(words)}".rstrip(), STYLES[mark.tone])


def _legend(report: RunReport, write: Writer) -> Iterator[RenderableType]:
    """Name the signs that stand in the table without their word, where that is needed."""
    marks = dict.fromkeys(
        cell_mark(model, stage) for model in report.models for stage in model.stages
    )
    labels: dict[str, list[str]] = {}
    for mark in marks:
        if mark.tone not in ("bad", "skip"):
            labels.setdefault(write.sign(mark), []).append(mark.label)
    if len(labels) > 1:
        yield Text(
            "   ".join(f"{sign} {' or '.join(words)}" for sign, words in labels.items()), "dim"
        )
        yield ""


def _missing(report: RunReport, write: Writer) -> list[tuple[str, Text]]:
    """The models of shards that were not merged."""
    note = missing_note(report)
    if note is None:
        return []
    hint = Text("hint: ", "bold").append(write.line(note.hint), "not bold")
    return [(write.sign(note.mark), Text(write.line(note.message))), ("", hint)]


def _notes(report: RunReport, write: Writer) -> list[tuple[str, Text]]:
    lines = []
    for model in report.models:
        for note in () if model.known_to_fail else notes_of(model):
            where = Text(f"{write.line(note.model)}: {note.stage}: ", STYLES[note.mark.tone])
            lines.append((write.sign(note.mark), where.append(write.line(note.message), "default")))
            if note.detail:
                lines.append(("", Text(f"note: {write.line(note.detail)}")))
            if note.hint:
                lines.append(("", Text("hint: ", "bold").append(write.line(note.hint), "not bold")))
        if model.failure and model.log and not model.known_to_fail:
            log = str(Path(report.out_dir) / model.log)
            shown = os.path.relpath(log) if log.startswith(f"{Path.cwd()}{os.sep}") else log
            lines.append(("", Text(f"log: {write.line(shown)}", "dim")))
    for model in report.models:
        if model.failure and model.known_to_fail:
            where = Text(f"{write.line(model.name)}: {model.failure.stage}: ", STYLES[KNOWN.tone])
            told = Text.assemble(where, (write.line(known_text(model.failure)), "default"))
            lines.append((write.sign(KNOWN), told))
    return lines


def _skips(report: RunReport, write: Writer) -> list[tuple[str, Text]]:
    """Skipped stages, a reason once with the number of models: a zoo skips in unison."""
    sign = write.sign(MARKS[Status.SKIPPED])
    lines = []
    for skip, count in skip_reasons(report).items():
        told = f"{skip.stage} skipped in {fmt.count(count, 'model')}: {skip.reason}"
        lines.append((sign, Text(write.line(told))))
        if skip.hint:
            hint = Text("hint: ", "bold").append(write.line(skip.hint), "not bold")
            lines.append(("", hint))
    return lines


def _repairs(report: RunReport, write: Writer) -> list[tuple[str, Text]]:
    lines = []
    for total in repair_totals(report):
        head = Text(write.line(f"repair {total.name} ×{total.count}"), "bold")
        where = f" in {fmt.count(total.models, 'model')}: "
        lines.append((write.line("·"), head.append(where + write.line(total.reason), "not bold")))
    return lines


#: With more models than this, only those are told of which users would notice something.
_TOLD_OF = 20


def _compared(report: RunReport, write: Writer) -> list[tuple[str, Text]]:
    """What users would notice of each model's differences, and what a sweep found."""
    lines = []
    for model in report.models:
        facts = model.facts("validate")
        if not isinstance(facts, ValidateFacts):
            continue
        for task in task_totals(facts):
            differs = task.agreeing < task.items
            if differs or len(report.models) <= _TOLD_OF:
                detail = f" ({fmt.one_line(task.detail, 200)})" if task.detail else ""
                sign = WARNING if differs else MARKS[Status.OK]
                lines.append((write.sign(sign), _of(model, task_text(task) + detail, write)))
        swept = sweep_text(facts)
        bad = any(row.case is None or not row.case.passed for row in sweep_rows(facts))
        if swept and (bad or len(report.models) <= _TOLD_OF):
            lines.append((write.line("·"), _of(model, f"sweep: {swept}", write)))
    return lines


def _of(model: ModelReport, told: str, write: Writer) -> Text:
    head = Text(write.line(f"{model.name}:") + " ", "bold")
    return head.append(write.line(told), "not bold")


def _placements(report: RunReport, write: Writer) -> list[tuple[str, Text]]:
    """What PaddleX should run of each model, where there is a choice."""
    placed = [(model.name, model.placement) for model in report.models if model.placement]
    if all(placement.backend == "onnx" and placement.granted for _, placement in placed):
        return []
    lines = []
    for name, placement in placed:
        head = Text(write.line(f"{name} on {placement.backend}:") + " ", "bold")
        why = "; ".join((placement.reason, *placement.cautions))
        lines.append((write.line("·"), head.append(write.line(why), "not bold")))
    return lines


def _pipeline(pipeline: PipelineReport, write: Writer) -> list[tuple[str, Text]]:
    """A pipeline: where its config is and what it read."""
    agrees = reads_like_paddle(pipeline)
    mark = MARKS[Status.FAILED] if pipeline.error else WARNING if agrees is False else None
    mark = mark or MARKS[Status.OK]
    title = Text(write.line(f"pipeline {pipeline.name} ({pipeline.backend}):") + " ", "bold")
    lines = [(write.sign(mark), title.append(write.line(pipeline.config), "not bold"))]
    if pipeline.error:
        lines.append(("", Text(write.line(pipeline.error.message))))
        lines.append(("", Text(f"hint: {write.line(pipeline.error.hint)}")))
    if pipeline.left:
        left = ", ".join(f"{module} ({model})" for module, model in pipeline.left.items())
        lines.append(("", Text(write.line(f"PaddleX's own models: {left}"), "dim")))
    rows = text_rows(pipeline)
    if not rows:
        return lines
    against = {True: ", all as native Paddle", False: ", not all as native Paddle", None: ""}
    read = f"{fmt.count(len(pipeline.texts), 'text')} read{against[agrees]}"
    lines.append(("", Text(f"{read}, {fmt.seconds(pipeline.seconds)}")))
    left_out = 0
    for index, row in enumerate(rows):
        if index >= _TEXTS_SHOWN and row.agrees is not False:
            left_out += 1
            continue
        score = " " * 5 if row.score is None else f"{row.score:.3f}"
        line = Text(f"{score}  {write.line(row.text if row.text is not None else '(not read)')}")
        if row.agrees is False:
            native = row.reference if row.reference is not None else "(nothing)"
            line.append(f"  {WARNING.symbol} Paddle: {write.line(native)}", STYLES["warn"])
        lines.append(("", line))
    if left_out:
        lines.append(("", Text(" " * 7 + write.line(f"… and {left_out} more"), "dim")))
    return lines


#: Changes since the baseline that are shown; report.json has all.
_CHANGES_SHOWN = 30


def _baseline(report: RunReport, write: Writer) -> list[tuple[str, Text]]:
    """What is not as in the baseline, failures first."""
    baseline = report.baseline
    if baseline is None:
        return []
    file = write.line(baseline.file)
    if baseline.updated:
        lines = [(write.sign(MARKS[Status.OK]), Text(f"baseline {file} written"))]
    elif baseline.unwritten:
        told = f"baseline {file} not written: {baseline.unwritten}"
        lines = [(write.sign(NOT_RUN), Text(told))]
    else:
        mark = MARKS[Status.FAILED if baseline.failures else Status.OK]
        told = f"baseline {file}: {compared_text(report)}"
        lines = [(write.sign(mark), Text(told))]
    for change in baseline.changes[:_CHANGES_SHOWN]:
        fails = change in baseline.failures
        text = Text(write.line(f"{change.model}:"), STYLES["bad" if fails else "skip"])
        text.append(" " + write.line(f"{change.verdict}: {change_text(change)}"), "default")
        lines.append(("", text))
    if len(baseline.changes) > _CHANGES_SHOWN:
        more = len(baseline.changes) - _CHANGES_SHOWN
        lines.append(("", Text(write.line(f"… and {more} more: see report.json"), "dim")))
    for told in update_texts(baseline):
        lines.append(("", Text(write.line(told))))
    if of_hint := baseline.to_be_decided:
        hint = Text("hint: ", "bold")
        hint.append(hint_text(of_hint), "not bold")
        lines.append(("", hint))
    return lines


def _verdict(report: RunReport, write: Writer) -> Text:
    result = verdict(report)
    line = Text(f"{write.sign(result.mark)} {result.headline}", f"bold {STYLES[result.mark.tone]}")
    line.append(f" in {fmt.seconds(report.seconds)}", "not bold default")
    if result.exit_code:
        meaning = f" (exit code {result.exit_code}: {result.exit_meaning})"
        line.append(meaning, "not bold default")
    return line
