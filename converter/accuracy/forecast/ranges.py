"""What of a model's values float16 cannot hold: too large, or so small that nothing is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The largest float16 (IEEE 754 binary16); a number that rounds to more becomes infinite.
LARGEST = 65504.0
_ROUNDS_TO_INF = 65520.0

#: Half of the smallest float16 that is not 0 (2**-24): what is not above it becomes 0.
_ROUNDS_TO_ZERO = 2.0**-25


class Range(NamedTuple):
    """The largest magnitude of a tensor, and the shares of elements that overflow and underflow."""

    largest: float
    overflow: float
    underflow: float

    def joined(self, other: Range) -> Range:
        """The worse of two, of each."""
        return Range(*(max(one, two) for one, two in zip(self, other, strict=True)))


def range_of(array: NDArray[Any]) -> Range:
    """Measure the finite elements of a float32 tensor."""
    magnitude = np.abs(array[np.isfinite(array)]) if array.ndim else np.abs(array).reshape(1)
    if not magnitude.size:
        return Range(0.0, 0.0, 0.0)
    small = (magnitude > 0) & (magnitude <= _ROUNDS_TO_ZERO)
    return Range(
        float(magnitude.max()),
        float((magnitude >= _ROUNDS_TO_INF).mean()),
        float(small.mean()),
    )


def ranges(values: Iterable[tuple[str, NDArray[Any]]]) -> Mapping[str, Range]:
    """Name -> range, of the tensors that hold floats."""
    found: dict[str, Range] = {}
    for name, array in values:
        if array.dtype.kind == "f":
            here = range_of(array)
            found[name] = here.joined(found[name]) if name in found else here
    return found
