"""Paddle on inputs that differ by a rounding error: for models whose answer jumps.

A detector that keeps the best 300 of 8400 candidates makes a choice. Where two candidates are
equal but for rounding, Paddle and ONNX Runtime may choose differently, and then the whole answer
differs a little, far beyond the tolerance; nothing is wrong with either. The same happens in Paddle
alone when its input changes by a millionth. That is how such a case is told from a wrong model:
there has to be an input within rounding of the one given on which Paddle (1) answers what the
candidate answers, by the same tolerances as ever, although (2) its own two answers are far apart.

A wrong operator fails (1) nearly everywhere, and where Paddle's answer changes smoothly a candidate
that just misses the tolerance fails (2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from converter.model.comparison import CaseComparison

if TYPE_CHECKING:
    from converter.accuracy.reference import Arrays

#: Largest relative changes of the inputs, smallest first. An 8-bit image is exact to 4e-3, and two
#: runtimes differ by up to 2e-5 in the features of a deep network.
CHANGES = (2.0**-20, 2.0**-18, 2.0**-16)

#: Random changes tried of each size.
DRAWS = 3

#: How many times the tolerance Paddle's own answers have to be apart.
JUMP = 10.0


def nearby_inputs(inputs: Arrays, seed: int) -> Iterator[tuple[float, Arrays]]:
    """Yield the relative change and the changed inputs; only float32 images (rank 4) change.

    Sizes and factors are exact numbers, and integers have nothing near them.
    """
    images = [
        name for name, array in inputs.items() if array.ndim == 4 and array.dtype == np.float32
    ]
    if not images:
        return
    random = np.random.default_rng(seed)
    for change in CHANGES:
        for _ in range(DRAWS):
            changed = dict(inputs)
            for name in images:
                factor = 1 + change * random.uniform(-1, 1, inputs[name].shape)
                changed[name] = (inputs[name] * factor).astype(np.float32)
            yield change, changed


class Compare(Protocol):
    """Compares two sets of outputs, with ``wider`` times the tolerance."""

    def __call__(self, b: Arrays, a: Arrays, wider: float = 1.0) -> CaseComparison:
        """``b`` is the reference, ``a`` the candidate."""


def agree_nearby(
    compare: Compare,
    reference: Arrays,
    candidate: Arrays,
    answers: Iterable[tuple[float, Arrays]],
) -> CaseComparison | None:
    """Compare with the first of Paddle's ``answers`` that the candidate agrees with.

    ``reference`` is Paddle's answer to the input itself, with which the candidate does not agree.
    ``None`` when there is no such answer, or Paddle's answer does not jump there.
    """
    different = [
        name
        for name, tensor in reference.items()
        if name not in candidate or candidate[name].shape != tensor.shape
    ]
    if different:
        return None
    for change, outputs in answers:
        if compare(outputs, reference, JUMP).passed:
            continue
        compared = compare(outputs, candidate)
        if compared.passed:
            return compared.model_copy(update={"nearby": change})
    return None
