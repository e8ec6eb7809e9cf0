"""The values inside a PIR program that can be compared, and programs that give them out."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.bridge.lowering.program_json import (
    assign,
    block_operations,
    blocks_of,
    fetch,
    largest_value,
    read_from_outside,
    typed_results,
    with_operations,
    without_dead,
)
from converter.bridge.random_outputs import random_values
from converter.model.pir_document import (
    JsonObject,
    attribute,
    operand_ids,
    operation_name,
    parameter_name,
    result_ids,
    result_types,
)

#: Attributes that say where an operator comes from, not what it does.
_ORIGIN = ("struct_name", "op_callstack", "op_role", "op_role_var", "op_namescope")

#: Works in place on its running statistics alone.
_BATCH_NORM = "pd_op.batch_norm_"


@dataclass(frozen=True)
class ProgramValue:
    """A value of the program's own block that depends on the inputs, and what makes it.

    ``operator`` is the full name (``pd_op.conv2d``), ``index`` its place in the program,
    ``location`` the layer that it comes from as the program says it ("" when it does not).
    ``parameters`` are the names of those that the operator reads directly or through constants;
    ``reads`` are the values that depend on the inputs.
    """

    number: int
    operator: str
    index: int
    location: str
    parameters: tuple[str, ...]
    reads: tuple[int, ...]


class ProgramValues:
    """Which values there are, and programs that fetch some of them.

    Left out are values that nothing reads, that are no dense tensors, that depend on parameters
    alone, or that random numbers have an influence on. Paddle computes equal operators once:
    ``same`` has the first value for those that repeat it.
    """

    def __init__(self, document: JsonObject) -> None:
        self._document = document
        self._operations = block_operations(document)
        self._random = random_values(document)
        self._fetched: dict[int, str] = {}
        self._changed: set[int] = set()
        self._types: dict[int, Any] = {}
        self.same: dict[int, int] = {}
        self.values: tuple[ProgramValue, ...] = ()
        self._walk()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names under which the program gives out its outputs, in order."""
        fetches = [op for op in self._operations if operation_name(op) == "pd_op.fetch"]
        fetches.sort(key=lambda operation: attribute(operation, "col") or 0)
        return tuple(str(attribute(operation, "name")) for operation in fetches)

    def _walk(self) -> None:
        seen: dict[str, list[int]] = {}
        behind: dict[int, tuple[str, ...]] = {}  # parameters behind values that hold no input
        varies: set[int] = set()
        used: set[int] = set()
        found: list[ProgramValue] = []
        for index, operation in enumerate(self._operations):
            name = operation_name(operation)
            reads = read_from_outside([operation])
            used.update(reads)
            if name == "pd_op.fetch":
                source = operand_ids(operation)[0]
                self._fetched.setdefault(source, str(attribute(operation, "name")))
                continue
            results = typed_results(operation)
            if name == "builtin.parameter":
                behind[results[0][0]] = (parameter_name(operation),)
                continue
            if name.endswith("_") and name != _BATCH_NORM:
                self._changed.update(reads)
            if name in ("pd_op.data", "pd_op.feed"):
                varies.update(number for number, _ in results)
                continue
            self._types.update(results)
            parameters = tuple(
                dict.fromkeys(entry for number in reads for entry in behind.get(number, ()))
            )
            if varies.isdisjoint(reads):
                behind.update((number, parameters) for number, _ in results)
                continue
            changing = tuple(number for number in reads if number in varies)
            varies.update(number for number, _ in results)
            self._note_repetition(operation, [number for number, _ in results], seen)
            dense = result_types(operation)
            location = str(attribute(operation, "struct_name") or "")
            found += [
                ProgramValue(number, name, index, location, parameters, changing)
                for number, kind in dense.items()
                if kind is not None and number not in self._random
            ]
        self.values = tuple(value for value in found if value.number in used)

    def _note_repetition(
        self, operation: JsonObject, results: list[int], seen: dict[str, list[int]]
    ) -> None:
        if blocks_of(operation) or operation_name(operation).endswith("_"):
            return
        told = [
            entry
            for entry in operation.get("A", [])
            if not (isinstance(entry, dict) and entry.get("N") in _ORIGIN)
        ]
        reads = [self.same.get(number, number) for number in operand_ids(operation)]
        key = json.dumps([operation["#"], told, reads])
        first = seen.setdefault(key, results)
        if first is not results:
            self.same.update(zip(results, first, strict=True))

    def fetch(self, numbers: Collection[int], path: Path) -> dict[int, str]:
        """Write a program to ``path`` that gives out these values; return their output names.

        What it does not need for them is left out of it. The program's parameters stay, so that
        the same parameter file belongs to it.
        """
        wanted = {self.same.get(number, number) for number in numbers}
        fetched = {number: name for number, name in self._fetched.items() if number in wanted}
        fresh = largest_value(self._operations) + 1
        operations: list[JsonObject] = []
        tail: list[JsonObject] = []
        for operation in self._operations:
            if operation_name(operation) == "pd_op.fetch":
                if fetched.get(operand_ids(operation)[0]) != attribute(operation, "name"):
                    continue
                source = operand_ids(operation)[0]
                kind = self._types.get(source) or operation["O"][0]["TT"]
                name = fetched[source]
                tail.append(fetch(name, len(tail), source, fresh, kind))
                fresh += 1
                continue
            operations.append(operation)
            for number in result_ids(operation):
                if number not in wanted or number in fetched:
                    continue
                kind, source = self._types[number], number
                if number in self._changed:  # later operators write into it: keep a copy
                    operations.append(assign(number, fresh, kind))
                    source, fresh = fresh, fresh + 1
                name = f"value.{number}"
                tail.append(fetch(name, len(tail), source, fresh, kind))
                fetched[number] = name
                fresh += 1
        kept = without_dead([*operations, *tail])
        path.write_text(
            json.dumps(with_operations(self._document, kept), ensure_ascii=False), encoding="utf-8"
        )
        return {number: fetched[self.same.get(number, number)] for number in numbers}
