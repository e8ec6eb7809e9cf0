"""How many rows the tables have that a model's integer inputs index, as far as its graph says."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from converter.model.tensor import TensorSpec


class IndexLimits:
    """Follows inputs through operators that keep their values, in program order.

    Values are whatever a graph calls them by.
    """

    def __init__(self) -> None:
        self._input_of: dict[Hashable, str] = {}
        self._rows: dict[str, int] = {}

    def starts(self, value: Hashable, name: str) -> None:
        """``value`` is the input ``name``."""
        self._input_of[value] = name

    def keeps(self, source: Hashable, results: Iterable[Hashable]) -> None:
        """An operator gives what it takes, in another shape or dtype."""
        if name := self._input_of.get(source):
            self._input_of.update(dict.fromkeys(results, name))

    def looks_up(self, indices: Hashable, rows: int) -> None:
        """An operator takes rows of a table, which has ``rows``."""
        name = self._input_of.get(indices)
        if name and rows > 0:
            self._rows[name] = min(rows, self._rows.get(name, rows))

    def on(self, specs: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
        """The inputs, each with what is known of it; of several tables the smallest counts."""
        return tuple(
            spec.model_copy(update={"index_limit": self._rows[spec.name]})
            if spec.name in self._rows and spec.dtype.startswith(("int", "uint"))
            else spec
            for spec in specs
        )
