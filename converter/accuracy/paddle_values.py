"""Evaluates values inside a Paddle program, a group at a time, within a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.accuracy.onnx_values import BUDGET
from converter.accuracy.predictor import PaddlePredictor
from converter.errors import StageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Writes a program that gives out these values to the path; returns their output names.
Fetch = Callable[[Collection[int], Path], dict[int, str]]


class PaddleValues:
    """The values of a PIR program by their numbers; ``fetch`` makes programs that give them out.

    They are run as the reference is: plain kernels, nothing optimised. That giving values out does
    not change them is tested for the outputs, bit for bit.
    """

    def __init__(self, fetch: Fetch, params: Path | None, work_dir: Path, *, threads: int) -> None:
        self._fetch = fetch
        self._params = params
        self._work_dir = work_dir
        self._threads = threads
        #: Values that Paddle does not give out, with its reason.
        self.refused: dict[int, str] = {}

    def evaluate(
        self,
        numbers: Iterable[int],
        inputs: Mapping[str, NDArray[Any]],
        *,
        budget: int = BUDGET,
        sizes: Mapping[int, int] | None = None,
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield values with their numbers, at most about ``budget`` bytes held at a time.

        ``sizes`` are bytes of values; all of unknown size count as nothing. What Paddle cannot
        give out is left out and noted in ``refused``.
        """
        group: list[int] = []
        held = 0
        for number in dict.fromkeys(numbers):
            size = (sizes or {}).get(number, 0)
            if group and held + size > budget:
                yield from self._run(group, inputs)
                group, held = [], 0
            group.append(number)
            held += size
        if group:
            yield from self._run(group, inputs)

    def _run(
        self, group: list[int], inputs: Mapping[str, NDArray[Any]]
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        program = self._work_dir / "values.json"
        names = self._fetch(group, program)
        try:
            predictor = PaddlePredictor(program, self._params, threads=self._threads)
            values = predictor.run(dict(inputs), sorted(set(names.values())))
        except StageError as error:
            if len(group) == 1:
                self.refused[group[0]] = error.message
                return
            # Paddle's own passes may merge or remove a value: find the others all the same.
            middle = len(group) // 2
            yield from self._run(group[:middle], inputs)
            yield from self._run(group[middle:], inputs)
            return
        predictor.release()
        for number in group:
            yield number, values[names[number]]
