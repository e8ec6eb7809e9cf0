"""The search for the first value that the ONNX file computes otherwise.

Errors accumulate: in a deep model the last values may be further apart than a faulty operator's
own. So no line is drawn through accumulated errors. They only say where to look; what decides is
an operator's *own* error, the difference that remains when it is given the reference's values as
inputs. One operator's rounding is small whatever came before it (``difference.OPERATOR_NOISE``).

1. Compare all values in groups; in a model too large for that, compare the outputs, then halve the
   interval between the last value that agrees and the first that does not, several values at a
   time.
2. Suspects are values that jump: far more error than in anything they are made of. The first, in
   the graph's order, whose own error is more than rounding is the place.
3. If none is confirmed, the own error of every operator whose value was not found to agree is
   computed, in order: the fallback.

What differs and has no effect on the values made of it is a pair that is none (a name that
survived with another meaning), and is passed over. So is a value that the reference does not give
out: what is made of it is computed together with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from converter.accuracy.locate.difference import Difference, difference
from converter.accuracy.locate.pairs import Pairs
from converter.accuracy.onnx_values import BUDGET, OnnxValues
from converter.errors import StageError
from converter.model.memory import release_unused_memory

#: Models whose values take up to this many groups are compared whole.
SCAN_GROUPS = 16

#: A suspect's error is at least this many times the largest of what it is made of.
JUMP = 4.0

#: Values compared at a time when halving.
_SAMPLE = 24

#: Operators whose own error is computed at a time, at most; the budget may hold fewer.
_BATCH = 16


class Source(Protocol):
    """Where the reference's values come from."""

    def evaluate(
        self,
        keys: Iterable[Any],
        inputs: Mapping[str, NDArray[Any]],
        *,
        budget: int,
        sizes: Mapping[Any, int] | None,
    ) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Yield values, at most about ``budget`` bytes held at a time."""


Method: TypeAlias = Literal["scan", "bisection", "local scan"]


@dataclass
class Found:
    """The place (index of the pair), its own error, and how it was found; None without one."""

    index: int | None
    own: Difference | None = None
    method: Method = "scan"


@dataclass
class Search:
    """One search on one set of inputs.

    ``reference_inputs`` and ``candidate_inputs`` are the same arrays under each side's names;
    ``failed`` says that an output was found to differ on them, so that there is something to find.
    ``errors`` and ``own`` are what was measured, by index of the pair, ``seen`` the shape and
    dtype that tensors have in the ONNX file.
    """

    source: Source
    pairs: Pairs
    reference_inputs: Mapping[str, NDArray[Any]]
    candidate_inputs: Mapping[str, NDArray[Any]]
    failed: bool = False
    budget: int = BUDGET
    tell: Callable[[str], None] = lambda _: None
    errors: dict[int, Difference] = field(default_factory=dict)
    own: dict[int, Difference] = field(default_factory=dict)
    seen: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _runs: bool = True  # whether all of the ONNX file can be run on these inputs

    @property
    def candidate(self) -> OnnxValues:
        """The values of the ONNX file."""
        return self.pairs.candidate

    def run(self) -> Found:
        """Find the place; ``index`` is None when there is none: see ``unjudged``."""
        count = len(self.pairs)
        if not count:
            return Found(None)
        if not self._learn_sizes():  # some node cannot be run at all: it is found by itself
            return self._first_place(range(count), "local scan")
        release_unused_memory()
        groups = sum(self._sizes.values()) / self.budget
        if groups > SCAN_GROUPS:
            found = self._bisect()
        else:
            self.measure(range(count))
            found = self._first_place(self._suspects(), "scan")
        differs = self.failed or any(error.matters for error in self.errors.values())
        if found.index is None and differs:
            # In order of the graph, as far as it matters: what agrees cannot be the place.
            return self._first_place([i for i in range(count) if self._doubted(i)], "local scan")
        return found

    def unjudged(self) -> list[str]:
        """Tensors of pairs, and outputs, that may hold the place even when none was found.

        No value that was found to agree, and no operator that was computed by itself, has the
        node that makes them in its region.
        """
        judged = (
            i
            for i in range(len(self.pairs))
            if i not in self.pairs.hidden and (i in self.own or not self._doubted(i))
        )
        made = {name for i in judged for node in self.pairs.region(i).nodes for name in node.output}
        names = set(self.candidate.names) - made
        asked = dict.fromkeys([*(pair.tensor for pair in self.pairs.all), *self.candidate.outputs])
        return [name for name in asked if name in names]

    def measure(self, indices: Iterable[int]) -> None:
        """Compare values that accumulated whatever error comes before them."""
        waiting = [i for i in indices if i not in self.errors and i not in self.pairs.hidden]
        for group in self._grouped(waiting):
            self.tell(f"comparing values: {len(self.errors)} of {len(self.pairs)}")
            tensors = {self.pairs.all[index].tensor: index for index in group}
            reference = self._held(group)
            shown = [
                name for name, index in tensors.items() if self.pairs.all[index].key in reference
            ]
            for name, value in self.candidate.evaluate(
                shown, self.candidate_inputs, budget=self.budget, sizes=self._sizes
            ):
                index = tensors[name]
                self.errors[index] = difference(reference[self.pairs.all[index].key], value)
                self.seen[name] = value.shape, value.dtype
            reference.clear()
            release_unused_memory()

    def error_before(self, index: int) -> float:
        """The largest accumulated error of what a pair is made of, as far as it was measured."""
        before = self.pairs.region(index).before
        return max((self.errors[i].error for i in before if i in self.errors), default=0.0)

    def own_errors(self, indices: Sequence[int]) -> None:
        """Compute what operators do with the reference's own values as inputs.

        There is no result for an operator whose own value the reference does not give out.
        """
        waiting = [index for index in indices if index not in self.own]
        for batch in self._batches(waiting):
            values = self._with_inputs(batch)
            for index in batch:
                if self.pairs.all[index].key in values:
                    self.own[index] = self._own(index, values)
            values.clear()
            release_unused_memory()

    def given(self, index: int, values: Mapping[Hashable, NDArray[Any]]) -> dict[str, Any]:
        """What a pair's nodes read: the reference's values under the ONNX file's names."""
        region = self.pairs.region(index)
        fed = {name: self.candidate_inputs[name] for name in region.inputs}
        for before in region.before:
            pair = self.pairs.all[before]
            value = values[pair.key]
            shape, dtype = self.seen.get(pair.tensor, (value.shape, value.dtype))
            # A scalar on one side may be a vector of one on the other, and float32 float16.
            same = math.prod(shape) == value.size
            fed[pair.tensor] = (value.reshape(shape) if same else value).astype(dtype, copy=False)
        return fed

    def reference_values(self, index: int) -> dict[Hashable, NDArray[Any]]:
        """The reference's value of a pair and of what it is made of."""
        return self._with_inputs([index])

    def _learn_sizes(self) -> bool:
        """Note the bytes of all values; of those before the first that cannot be computed if any.

        Returns whether all can be computed.
        """
        names = [pair.tensor for pair in self.pairs.all]
        low, high = 0, len(names)  # the first ``low`` can be computed, the first ``high`` perhaps
        count = high
        while low < high:
            try:
                self._sizes = self.candidate.sizes(names[:count], self.candidate_inputs)
                low = count
            except StageError:
                self._runs = False
                high = count - 1
            count = (low + high + 1) // 2
        return self._runs

    def _own(self, index: int, values: Mapping[Hashable, NDArray[Any]]) -> Difference:
        key, tensor = self.pairs.all[index].key, self.pairs.all[index].tensor
        try:
            ((_, made),) = self.candidate.evaluate([tensor], self.given(index, values))
        except StageError as error:
            return Difference(math.inf, why=error.message)
        return difference(values[key], made)

    def _with_inputs(self, batch: Iterable[int]) -> dict[Hashable, NDArray[Any]]:
        """The reference's values of some pairs and of what they are made of.

        What the reference does not give out is hidden; what is made of it is then made of more.
        """
        values: dict[Hashable, NDArray[Any]] = {}
        while True:
            needed = {i for index in batch for i in self._around(index)} - self.pairs.hidden
            missing = sorted(i for i in needed if self.pairs.all[i].key not in values)
            if not missing:
                return values
            values |= self._held(missing)

    def _around(self, index: int) -> list[int]:
        """A pair and those that it is made of."""
        return [index, *self.pairs.region(index).before]

    def _held(self, indices: Sequence[int]) -> dict[Hashable, NDArray[Any]]:
        """The reference's values of some pairs; those that it does not give out are hidden."""
        sizes = {
            self.pairs.all[i].key: self._sizes[self.pairs.all[i].tensor]
            for i in indices
            if self.pairs.all[i].tensor in self._sizes
        }
        keys = dict.fromkeys(self.pairs.all[index].key for index in indices)
        values = dict(
            self.source.evaluate(keys, self.reference_inputs, budget=self.budget, sizes=sizes)
        )
        for index in indices:
            if self.pairs.all[index].key not in values:
                self.pairs.hide(index)
        return values

    def _batches(self, indices: Sequence[int]) -> Iterator[list[int]]:
        """Operators whose values and inputs fit into the budget together; never none of them.

        A value of unknown size counts as all of it.
        """
        batch: list[int] = []
        held: set[int] = set()
        for index in indices:
            grown = held.union(self._around(index))
            if batch and (len(batch) == _BATCH or self._bytes(grown, self.budget) > self.budget):
                yield batch
                batch, grown = [], {*self._around(index)}
            batch.append(index)
            held = grown
        if batch:
            yield batch

    def _grouped(self, indices: Sequence[int]) -> Iterator[list[int]]:
        group: list[int] = []
        held = 0
        for index in indices:
            size = self._sizes.get(self.pairs.all[index].tensor, 0)
            if group and held + size > self.budget:
                yield group
                group, held = [], 0
            group.append(index)
            held += size
        if group:
            yield group

    def _doubted(self, index: int) -> bool:
        error = self.errors.get(index)
        return error is None or error.matters

    def _suspects(self) -> list[int]:
        """Values that jump, in the order of the graph."""
        found = []
        for index in sorted(self.errors):
            error = self.errors[index]
            before = [
                self.errors[i].error for i in self.pairs.region(index).before if i in self.errors
            ]
            if error.matters and not error.error <= JUMP * max(before, default=0.0):
                found.append(index)
        return found

    def _is_place(self, index: int) -> bool:
        """Whether a pair differs by itself, and so that the values made of it show it.

        One that nothing is made of is an output, and shows it.
        """
        own = self.own.get(index)
        if own is None or not own.matters:
            return False
        after = self.pairs.after(index)
        if self._runs:
            self.measure([index, *after])
        if index in self.errors and not self.errors[index].matters:
            return False
        measured = [i for i in after if i in self.errors]
        return not measured or any(self.errors[i].matters for i in measured)

    def _first_place(self, indices: Sequence[int], method: Method) -> Found:
        """The first of some operators that is the place, in their order."""
        for batch in self._batches(indices):
            self.tell(f"computing operators by themselves: {len(self.own)} so far")
            self.own_errors(batch)
            for index in batch:
                if self._is_place(index):
                    return Found(index, self.own[index], method)
        return Found(None, method=method)

    def _bisect(self) -> Found:
        """Narrow the interval between agreement and divergence, then walk up to its cause."""
        low, high = -1, len(self.pairs) - 1
        # Samples alone end before the last value: what differs behind them would not be seen.
        outputs = [
            i for i, pair in enumerate(self.pairs.all) if pair.tensor in self.candidate.outputs
        ]
        self.measure(outputs or [high])
        self.measure(self._spread(-1, len(self.pairs)))  # the growth, and the first interval
        while True:
            known = [i for i in sorted(self.errors) if low < i <= high]
            first = next((i for i in known if self.errors[i].matters), None)
            if first is None:
                return Found(None, method="bisection")
            high = first
            low = max(
                (i for i in self.errors if i < high and not self.errors[i].matters), default=-1
            )
            between = self._spread(low, high)
            if not between:
                break
            self.measure(between)
        # Neighbours in the graph's order may be on other branches: go by what it is made of.
        place = high
        while True:
            before = self.pairs.region(place).before
            self.measure(before)
            if not self.pairs.hidden.isdisjoint(before):
                continue  # it is made of others than it seemed
            worse = [i for i in before if self.errors[i].matters]
            if not worse:
                break
            place = max(worse, key=lambda i: self.errors[i].error)
        return self._first_place([place], "bisection")

    def _spread(self, low: int, high: int) -> list[int]:
        """Some indices between two, evenly spread, that fit into one group."""
        inside = [i for i in range(low + 1, high) if i not in self.pairs.hidden]
        step = max(1, math.ceil(len(inside) / _SAMPLE))
        chosen = [*inside[step // 2 :: step]]
        while len(chosen) > 1 and self._bytes(chosen) > self.budget:
            chosen = chosen[len(chosen) % 2 :: 2]
        return chosen

    def _bytes(self, indices: Iterable[int], unknown: int = 0) -> int:
        return sum(self._sizes.get(self.pairs.all[index].tensor, unknown) for index in indices)
