"""Runs the matrix: saves the cases, converts them with both tools, measures, and judges."""

from __future__ import annotations

import gc
import json
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from converter.engine.plan import tool_versions
from tests.matrix import converting, saving
from tests.matrix.case import Case
from tests.matrix.saving import Saved
from tests.matrix.verdict import Cell, cell_of_bare, cell_of_ours
from tests.matrix.workers import Ended, Work, run_all

Told = Callable[[str], None]


@dataclass
class Results:
    """Everything a run found, as it goes to ``results.json``."""

    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    seconds: float = 0.0
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    versions: dict[str, str] = field(default_factory=tool_versions)
    machine: str = field(default_factory=platform.machine)
    told_shapes: bool = False  # whether paddle2om was told the shapes that a case takes
    note: str = ""  # what the page says about where the cells come from

    def of(self, tool: str, opset: int | None = None) -> list[Cell]:
        """The cells of one tool, at one opset or all."""
        return [c for c in self.cells if c.tool == tool and opset in (None, c.opset)]

    @property
    def unsaved(self) -> dict[str, str]:
        """Cases that Paddle itself could not save or run, with what it said."""
        return {name: facts["unsaved"] for name, facts in self.cases.items() if "unsaved" in facts}

    def over(self, old: Results) -> Results:
        """These results, and what ``old`` has of cases, tools and opsets that did not run now."""
        ran = {(cell.case, cell.tool, cell.opset) for cell in self.cells}
        kept = [c for c in old.cells if (c.case, c.tool, c.opset) not in ran]
        return replace(
            self,
            cases={**old.cases, **self.cases},
            cells=[*kept, *self.cells],
            told_shapes=self.told_shapes and (old.told_shapes or not kept),
            note=self.note or old.note,
        )

    def write(self, path: Path) -> None:
        """Write as JSON, over what is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {**vars(self), "cells": [cell.plain() for cell in self.cells]}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read what ``write`` wrote."""
        content = json.loads(path.read_text("utf-8"))
        cells = [Cell(**{**c, "repairs": tuple(c["repairs"])}) for c in content.pop("cells")]
        return cls(**content, cells=cells)


def preload() -> None:
    """Import what the workers need, once, before they are forked."""
    import inspect

    import numpy
    import onnx
    import onnxruntime
    import paddle
    import paddle.inference
    import paddle.static
    import paddle2onnx.convert  # noqa: F401

    assert onnx and onnxruntime and paddle
    # Paddle's tracer does this for every model; numpy imports a hundred modules on it.
    inspect.getmembers(numpy)
    # What the collector never touches again is never copied by a worker: a fork costs half.
    gc.collect()
    gc.freeze()


def count_unsaved(cases: Sequence[Case], root: Path) -> int:
    """How many cases ``save_all`` will have to save."""
    return sum(not Saved(case, root).done for case in cases)


def save_all(
    cases: Sequence[Case], root: Path, *, jobs: int, told: Told
) -> tuple[list[Saved], dict[str, dict[str, Any]]]:
    """Save the cases that are not in the cache; the saved ones, and facts of all by case id."""
    everything = [Saved(case, root) for case in cases]
    missing = [saved for saved in everything if not saved.done]
    root.mkdir(parents=True, exist_ok=True)
    facts: dict[str, dict[str, Any]] = {}
    work = [
        Work(saved.case.id, partial(saving.save, saved), saved.case.timeout) for saved in missing
    ]
    for ended in run_all(work, jobs):
        told(ended.key)
        if not ended.ok:
            step = ended.value("step", "build")
            facts[ended.key] = {"unsaved": f"{step}: {ended.death} {_last_lines(ended.log)}"}
    for stale in root.glob(".*"):  # what workers that died were building
        shutil.rmtree(stale, ignore_errors=True)
    done = [saved for saved in everything if saved.case.id not in facts]
    facts |= {saved.case.id: saved.facts for saved in done}
    return done, facts


def _last_lines(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    told = [line for line in lines if "Error" in line] or lines
    return " | ".join(told[-2:])[-400:]


def convert_bare(
    saved: Sequence[Saved], opsets: Sequence[int], out: Path, *, jobs: int, keep: bool, told: Told
) -> Iterator[Cell]:
    """Convert with paddle2onnx, a worker per case and opset, and judge."""
    pairs = _pairs(saved, opsets)
    by_key = {(one.case.id, opset): one for one, opset in pairs}
    work = (
        Work(
            (one.case.id, opset),
            partial(converting.bare, one, opset, out / str(opset) / f"{one.case.id}.onnx", keep),
            converting.TIMEOUT,
        )
        for one, opset in pairs
    )
    for ended in run_all(work, jobs):
        told(ended.key[0])
        yield cell_of_bare(by_key[ended.key].case, ended.key[1], ended)


def convert_ours(
    saved: Sequence[Saved], opsets: Sequence[int], out: Path, *, jobs: int, keep: bool, told: Told
) -> Iterator[Cell]:
    """Convert with paddle2om, measure its files independently, and judge."""
    for opset in opsets:
        wanted = [one for one, at in _pairs(saved, opsets) if at == opset]
        directory = out / str(opset)
        reports = converting.ours(wanted, opset, directory, jobs=jobs, told=told)
        files = {
            one.case.id: (one, file)
            for one in wanted
            if (file := converting.file_of(reports[one.case.id], directory))
        }
        work = [
            Work(name, partial(converting.measure, one, file), converting.TIMEOUT)
            for name, (one, file) in files.items()
        ]
        measured: dict[str, Ended] = {ended.key: ended for ended in run_all(work, jobs)}
        for one in wanted:
            name = one.case.id
            yield cell_of_ours(one.case, opset, reports[name], measured.get(name))
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def _pairs(saved: Sequence[Saved], opsets: Sequence[int]) -> list[tuple[Saved, int]]:
    return [(one, opset) for opset in opsets for one in saved if opset in one.case.opsets]
