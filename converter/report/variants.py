"""Conversions of one model, which differ in opset, shape or chip, put together."""

from __future__ import annotations

from dataclasses import dataclass

from converter.model.result import ModelReport, RunReport


@dataclass(frozen=True)
class Row:
    """A conversion and its number in the run, from 1."""

    number: int
    model: ModelReport

    @property
    def label(self) -> str:
        """What it is called among its siblings: ``opset 13 · shapes 1x3x48x320``."""
        return " · ".join(f"{axis} {value}" for axis, value in self.model.variant.items())


@dataclass(frozen=True)
class Group:
    """The conversions of one model, in the order of the run."""

    name: str
    rows: tuple[Row, ...]

    @property
    def has_variants(self) -> bool:
        """Whether there is something to put together."""
        return len(self.rows) > 1

    @property
    def axes(self) -> str:
        """What varies: ``opset × soc``."""
        seen = dict.fromkeys(axis for row in self.rows for axis in row.model.variant)
        return " × ".join(seen)


def groups(report: RunReport) -> tuple[Group, ...]:
    """The run's models, each with its variants, in the order in which the first of them stands."""
    found: dict[tuple[str, str], list[Row]] = {}
    for number, model in enumerate(report.models, start=1):
        alone = not (model.variant and model.model)
        key = (model.name, "") if alone else (model.model, model.source)
        found.setdefault(key, []).append(Row(number, model))
    return tuple(Group(name, tuple(rows)) for (name, _), rows in found.items())
