"""The search for the first value that the ONNX file computes otherwise.

Errors accumulate: in a deep model the last values may be further apart than a faulty operator's
own. So no line is drawn through accumulated errors. They only say where to look; what decides is
an operator's *own* error, the difference that remains when it is given the reference's values as
inputs. One operator's rounding is small whatever came before it (``difference.OPERATOR_NOISE``).

1. Compare all values in groups; in a model too large for that, some of them and the outputs, and
   halve the interval between the last value that agrees and the first that does not.
2. Suspects are values that jump: far more error than in anything they are made of. The first, in
   the graph's order, whose own error is more than rounding is the place.
3. If none is confirmed, the own error of every operator whose value was not found to agree is
   computed, in order: the fallback.

What differs and has no effect on the values made of it is a pair that is none (a name that
survived with another meaning), and is passed over.
"""

from __future__ import annotations

import math
import sys
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

#: Operators whose own error is computed at a time, at most.
_BATCH = 16

#: What holds a batch together is its size: no group of values is divided again.
_NO_BUDGET = sys.maxsize


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

    Pairs whose value the reference does not give out are passed through, and never the place.
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
    _runs: bool = True  # the ONNX file, on these inputs

    @property
    def candidate(self) -> OnnxValues:
        """The values of the ONNX file."""
        return self.pairs.candidate

    def run(self) -> Found:
        """Find the place; ``index`` is None when none was found: see ``unjudged``."""
        count = len(self.pairs)
        if not count:
            return Found(None)
        try:
            names = [pair.tensor for pair in self.pairs.all]
            self._sizes = self.candidate.sizes(names, self.candidate_inputs)
        except StageError:  # some node cannot be run at all: it is found by itself
            self._runs = False
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

        The node that makes them is in no region of a value that was found to agree, or that was
        computed by itself.
        """
        judged = (
            i
            for i in range(len(self.pairs))
            if i not in self.pairs.withheld and (i in self.own or not self._doubted(i))
        )
        made = {name for i in judged for node in self.pairs.region(i).nodes for name in node.output}
        left = set(self.candidate.names) - made
        asked = dict.fromkeys([*(pair.tensor for pair in self.pairs.all), *self.candidate.outputs])
        return [name for name in asked if name in left]

    def measure(self, indices: Iterable[int]) -> None:
        """Compare values that accumulated whatever error comes before them."""
        known = self.errors.keys() | self.pairs.withheld
        waiting = [index for index in indices if index not in known]
        for group in self._grouped(waiting):
            self.tell(f"comparing values: {len(self.errors)} of {len(self.pairs)}")
            tensors = {self.pairs.all[index].tensor: index for index in group}
            reference = self._reference_values(group)
            there = {name: i for name, i in tensors.items() if i not in self.pairs.withheld}
            for name, value in self.candidate.evaluate(
                there, self.candidate_inputs, budget=self.budget, sizes=self._sizes
            ):
                index = there[name]
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

        There is no result for those whose own value the reference does not give out.
        """
        for batch in self._batches([index for index in indices if index not in self.own]):
            values = self._values_around(batch)
            for index in batch:
                if index not in self.pairs.withheld:
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
            shaped = value.reshape(shape) if same else value
            fed[pair.tensor] = shaped.astype(dtype, copy=False)
        return fed

    def reference_values(self, index: int) -> dict[Hashable, NDArray[Any]]:
        """The reference's value of a pair and of what it is made of."""
        return self._values_around([index])

    def _own(self, index: int, values: Mapping[Hashable, NDArray[Any]]) -> Difference:
        key, tensor = self.pairs.all[index].key, self.pairs.all[index].tensor
        try:
            ((_, made),) = self.candidate.evaluate([tensor], self.given(index, values))
        except StageError as error:
            return Difference(math.inf, why=error.message)
        return difference(values[key], made)

    def _values_around(self, batch: Sequence[int]) -> dict[Hashable, NDArray[Any]]:
        """The reference's values of these pairs and of all that they are made of."""
        values: dict[Hashable, NDArray[Any]] = {}
        while True:
            keys = {index: self.pairs.all[index].key for index in self._around(batch)}
            missing = [i for i in keys if keys[i] not in values and i not in self.pairs.withheld]
            if not missing:
                return values
            # What turns out to be withheld now is made of others, which may be missing yet.
            values |= self._reference_values(missing)

    def _around(self, batch: Sequence[int]) -> list[int]:
        return sorted({i for index in batch for i in (index, *self.pairs.region(index).before)})

    def _reference_values(self, indices: Sequence[int]) -> dict[Hashable, NDArray[Any]]:
        """The values of a group that fits into the budget; what is not given out is withheld."""
        pairs = {index: self.pairs.all[index] for index in indices}
        sizes = {pair.key: self._sizes.get(pair.tensor, 0) for pair in pairs.values()}
        values = dict(
            self.source.evaluate(sizes, self.reference_inputs, budget=_NO_BUDGET, sizes=sizes)
        )
        for pair in pairs.values():
            if pair.key in values:
                self._sizes.setdefault(pair.tensor, values[pair.key].nbytes)
        if withheld := [i for i, pair in pairs.items() if pair.key not in values]:
            self.pairs.withhold(withheld)
        return values

    def _batches(self, indices: Sequence[int]) -> Iterator[list[int]]:
        """Operators that fit into the budget with all that they read, at least one at a time.

        Sizes are not known where the ONNX file cannot be run: a value counts as the largest that
        it is made of, until it was there.
        """
        batch: list[int] = []
        guessed: dict[int, int] = {}

        def size(index: int) -> int:
            known = self._sizes.get(self.pairs.all[index].tensor)
            return guessed.get(index, 0) if known is None else known

        for index in indices:
            region = self.pairs.region(index)
            read = [*map(size, region.before)]
            read += [self.candidate_inputs[name].nbytes for name in region.inputs]
            guessed[index] = max(read, default=self.budget)
            wider = [*batch, index]
            if batch and (len(wider) > _BATCH or sum(map(size, self._around(wider))) > self.budget):
                yield batch
                wider = [index]
            batch = wider
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
        shown = [self.errors[i].matters for i in after if i in self.errors]
        return not shown or any(shown)

    def _first_place(self, indices: Sequence[int], method: Method) -> Found:
        """The first of some operators, in their order, that is the place."""
        for batch in self._batches(indices):
            self.tell(f"computing operators by themselves: {len(self.own)} of {len(self.pairs)}")
            self.own_errors(batch)
            for index in batch:
                if self._is_place(index):
                    return Found(index, self.own[index], method)
        return Found(None, method=method)

    def _bisect(self) -> Found:
        """Narrow the interval between agreement and divergence, then walk up to its cause."""
        low, high = -1, len(self.pairs) - 1
        # The growth, and the first interval. A fault shows in an output or in some value of which
        # nothing is made: without those, what comes after the sample would not be seen.
        outputs = set(self.candidate.outputs)
        ends = {
            index
            for index, pair in enumerate(self.pairs.all)
            if pair.tensor in outputs or not self.pairs.after(index)
        }
        self.measure(sorted({*self._spread(-1, len(self.pairs)), *ends}))
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
            worse = [i for i in self._measured_before(place) if self.errors[i].matters]
            if not worse:
                break
            place = max(worse, key=lambda i: self.errors[i].error)
        return self._first_place([place], "bisection")

    def _measured_before(self, index: int) -> list[int]:
        """What a pair is made of, compared; for what is withheld, what that is made of."""
        while True:
            before = self.pairs.region(index).before
            self.measure(before)
            if self.pairs.withheld.isdisjoint(before):
                return before

    def _spread(self, low: int, high: int) -> list[int]:
        """Some indices between two, evenly spread, that fit into one group."""
        inside = [i for i in range(low + 1, high) if i not in self.pairs.withheld]
        step = max(1, math.ceil(len(inside) / _SAMPLE))
        chosen = [*inside[step // 2 :: step]]
        while len(chosen) > 1 and self._bytes(chosen) > self.budget:
            chosen = chosen[len(chosen) % 2 :: 2]
        return chosen

    def _bytes(self, indices: Iterable[int]) -> int:
        return sum(self._sizes.get(self.pairs.all[index].tensor, 0) for index in indices)
