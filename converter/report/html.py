"""The run report as one HTML file that needs nothing else: no network, no script to be read."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from converter.model.comparison import ValidateFacts
from converter.model.result import (
    ExportFacts,
    InspectFacts,
    ModelReport,
    PipelineReport,
    RunReport,
    StageResult,
    Status,
)
from converter.model.tensor import TensorSpec
from converter.report import commands, compared, recognised, summary
from converter.report import format as fmt
from converter.report.baseline_text import change_text, compared_text, update_texts
from converter.report.variants import Group, groups
from converter.resources import template_dir

#: Larger images are named instead of embedded: a report is mailed and attached.
_IMAGE_LIMIT = 8_000_000

#: What a file starts with says what it is; its name may say something else.
_IMAGE_TYPES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


#: With more failures than this, each opens when it is chosen: a thousand open ones load slowly.
_OPEN = 20


@dataclass(frozen=True)
class SignatureRow:
    """One graph input or output, as Paddle and as the ONNX file declare it."""

    role: str
    paddle: TensorSpec | None
    onnx: TensorSpec | None


def render_html(
    report: RunReport, *, image_roots: tuple[Path, ...] = (), files: str | None = None
) -> str:
    """Return the page. Images are looked for in the output directory and in the roots only.

    ``files`` leads from the page to the output directory (``.``, ``../out``): logs and artefacts
    are links then. Without it they are named only.
    """
    roots = (Path(report.out_dir), *image_roots)
    template = report_environment().get_template("report.html.j2")
    return template.render(
        report=report,
        files=files,
        groups=sorted(groups(report), key=_is_fine),
        reproducible=commands.reproducible(report),
        verdict=summary.verdict(report),
        tally=summary.tally(report),
        stages=summary.stage_columns(report),
        repairs=summary.repair_totals(report),
        cached=_cached_mark(report),
        missing=summary.missing_note(report, len(report.missing)),
        few_failed=sum(_has_failed(model) for model in report.models) <= _OPEN,
        peak_memory=max(map(summary.peak_memory_of, report.models), default=0),
        image_of=lambda pipeline: embedded_image(pipeline, roots),
    )


def _href(files: str, path: str) -> str:
    """The link from a page to a file of the output directory; never to another scheme."""
    return quote(os.path.normpath(f"{files}/{path}"), errors="replace")


def _is_fine(group: Group) -> bool:
    """Whether nothing of the group failed; what failed comes first."""
    return not any(_has_failed(row.model) for row in group.rows)


def _has_failed(model: ModelReport) -> bool:
    """Whether it failed, and was not known to."""
    return model.failure is not None and not model.known_to_fail


def _cached_mark(report: RunReport) -> summary.Mark | None:
    """The mark of cached stages, whose word is not repeated in the table; None without any."""
    mark = summary.MARKS[Status.CACHED]
    marks = (summary.stage_mark(stage) for model in report.models for stage in model.stages)
    return mark if mark in marks else None


def _sort_value(stage: StageResult) -> str | None:
    """What a script reads as the number that the cell is sorted by."""
    value = summary.stage_value(stage)
    return None if value is None else "Infinity" if math.isinf(value) else repr(value)


def report_environment() -> Environment:
    """The templates, with the filters that print numbers as the tool does everywhere."""
    environment = Environment(
        loader=FileSystemLoader(template_dir()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.filters.update(
        at_least=fmt.at_least,
        change=change_text,
        command=fmt.command_block,
        one_line=fmt.one_line,
        command_text=commands.command_text,
        cosine=fmt.cosine,
        integer=fmt.integer,
        number=fmt.number,
        percent=fmt.percent,
        seconds=fmt.seconds,
        setting=fmt.setting,
        shape=fmt.shape,
        size=fmt.size,
        timestamp=fmt.timestamp,
    )
    environment.globals.update(
        convert_words=commands.convert_words,
        reproduce_words=commands.reproduce_words,
        cell_mark=summary.cell_mark,
        count=fmt.count,
        href=_href,
        compared_text=compared_text,
        update_texts=update_texts,
        find_stage=summary.find_stage,
        marks=summary.MARKS,
        model_mark=summary.model_mark,
        not_run=summary.NOT_RUN,
        notes_of=summary.notes_of,
        operators_of=operators_of,
        peak_memory_of=summary.peak_memory_of,
        reads_like_paddle=recognised.reads_like_paddle,
        seconds_of=summary.seconds_of,
        signature_of=signature_of,
        smallest_passing=smallest_passing,
        stage_fact=summary.stage_fact,
        sort_value=_sort_value,
        sweep_rows=compared.sweep_rows,
        task_text=compared.task_text,
        task_totals=compared.task_totals,
        text_rows=recognised.text_rows,
        warning=summary.WARNING,
    )
    return environment


def _finalize(value: Any) -> Any:
    """Make control characters visible in everything the template prints."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return fmt.printable(value)
    return value


def operators_of(facts: InspectFacts) -> list[tuple[str, int]]:
    """Operators of the Paddle program, the most frequent first."""
    return sorted(facts.operators.items(), key=lambda item: (-item[1], item[0]))


def signature_of(model: ModelReport) -> Iterator[SignatureRow]:
    """Inputs and outputs of the Paddle program beside those of the ONNX file."""
    paddle, onnx = model.facts("inspect"), model.facts("export")
    for role in ("inputs", "outputs"):
        left = getattr(paddle, role) if isinstance(paddle, InspectFacts) else ()
        right = getattr(onnx, role) if isinstance(onnx, ExportFacts) else ()
        for one, other in zip_longest(left, right):
            yield SignatureRow(role.removesuffix("s"), one, other)


def smallest_passing(facts: ValidateFacts) -> float | None:
    """The atol with which every output of every case passes; None when there is no such atol."""
    values = [output.passing_atol for case in facts.cases for output in case.outputs]
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def embedded_image(pipeline: PipelineReport, roots: tuple[Path, ...]) -> str | None:
    """Return the pipeline's image as a data URI; None when it is not there or not fit for one."""
    for root in roots if pipeline.image else ():
        try:
            file = (root / str(pipeline.image)).resolve()
            if not file.is_relative_to(root.resolve()) or not file.is_file():
                continue
            if file.stat().st_size > _IMAGE_LIMIT:
                continue
            data = file.read_bytes()
        except (OSError, ValueError, RuntimeError):  # the last one for a loop of links
            continue
        kind = next((kind for head, kind in _IMAGE_TYPES.items() if data.startswith(head)), None)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            kind = "image/webp"
        if kind:
            return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return None
