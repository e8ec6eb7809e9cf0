"""Which tolerance an output is judged by: its dtype's default, and what the user says instead.

``docs/explanation/tolerances.md`` gives the evidence for the defaults.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from converter.accuracy import metrics
from converter.errors import InputError
from converter.model.tolerance import Tolerance, ToleranceOverride, override_for

EXACT = Tolerance(atol=0.0, rtol=0.0, min_cosine=1.0)

#: Measured for float32; for the narrower types about 2 (atol) and 20 (rtol) unit roundoffs, which
#: are 2^-11 and 2^-8. float64 outputs of inference models are mostly casts of float32 arithmetic.
_DEFAULTS = {
    "float64": Tolerance(atol=1e-5, rtol=1e-4, min_cosine=0.9999),
    "float32": Tolerance(atol=1e-5, rtol=1e-4, min_cosine=0.9999),
    "float16": Tolerance(atol=1e-3, rtol=1e-2, min_cosine=0.999),
    "bfloat16": Tolerance(atol=8e-3, rtol=8e-2, min_cosine=0.99),
}


def default_tolerance(dtype: np.dtype[Any] | str) -> Tolerance:
    """Return the tolerance for outputs of ``dtype``: exact for integers and bools.

    Raises ``InputError`` for dtypes that ``metrics`` does not compare.
    """
    name = dtype if isinstance(dtype, str) else dtype.name
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    if name == "bool" or metrics.is_integral(np.dtype(name)):
        return EXACT
    raise InputError(
        f"no default tolerance for dtype {name}", hint=f"known: {', '.join(_DEFAULTS)}"
    )


@dataclass(frozen=True)
class Limits:
    """Everything that decides the tolerance of an output.

    ``base`` is None for the default of the output's dtype. ``atol`` and ``rtol`` replace those of
    every float output, ``tolerances`` what they name of single ones. With ``wider`` other than 1
    ``atol`` and ``rtol`` are multiplied by it, and limits that have no default are not checked.
    """

    base: Tolerance | None = None
    atol: float | None = None
    rtol: float | None = None
    tolerances: Mapping[str, ToleranceOverride] = field(default_factory=dict)
    wider: float = 1.0

    def of(self, name: str, dtype: np.dtype[Any] | str) -> Tolerance:
        """The tolerance of the output ``name``. Raises ``InputError`` for one that is none.

        Integers and bools are compared exactly whatever is given; only ``min_exact`` lets some
        elements differ.
        """
        self.check(name)
        given, base = self._given(name), default_tolerance(dtype)
        if base == EXACT:
            exact = {key: v for key, v in given.items() if key not in EXACT_ANYWAY}
            return EXACT.model_copy(update=exact)
        found = (self.base or base).model_copy(update=given)
        if self.wider == 1:
            return found
        return Tolerance(
            atol=self.wider * found.atol,
            rtol=self.wider * found.rtol,
            min_cosine=found.min_cosine,
        )

    def widened(self, factor: float) -> Limits:
        """The same, ``factor`` times as wide."""
        return replace(self, wider=self.wider * factor)

    def check(self, name: str) -> None:
        """Raise ``InputError`` for a tolerance of ``name`` that is none, whatever its dtype is."""
        check_tolerance((self.base or EXACT).model_copy(update=self._given(name)))

    def _given(self, name: str) -> dict[str, float]:
        both = {key: v for key, v in (("atol", self.atol), ("rtol", self.rtol)) if v is not None}
        return both | override_for(name, self.tolerances).given


#: Limits that mean nothing for integers and bools.
EXACT_ANYWAY = ("atol", "rtol", "min_cosine")


def check_tolerance(tolerance: Tolerance) -> None:
    """Raise ``InputError`` for a tolerance that is none: NaN, negative, infinite."""
    most = (tolerance.atol, tolerance.rtol, tolerance.max_relative_l2, tolerance.max_ulp)
    shares = (tolerance.min_top1, tolerance.min_top5, tolerance.min_exact)
    if not (
        all(value is None or (math.isfinite(value) and value >= 0) for value in most)
        and all(value is None or 0 <= value <= 1 for value in shares)
        and -1 <= tolerance.min_cosine <= 1
    ):
        raise InputError(
            f"not a tolerance: {tolerance!r}",
            hint="atol and rtol are finite and not negative; min_cosine is between -1 and 1, "
            "shares are between 0 and 1",
        )
