"""Mutants that no test can or need notice, with the reason for each."""

from __future__ import annotations

_SIGN = "only the sign of this number is used: both sides of a comparison are multiplied by it"

#: (module, function, change) -> why it survives.
EXPLAINED: dict[tuple[str, str, str], str] = {
    ("verdict", "module", "1 -> 2"): _SIGN,
    ("columns", "worst_part", "0 -> 1"): "the index is read only where something differs",
    ("metrics.ulp", "_ordered", "False -> True"): "a copy of the chunk has the same values",
    ("metrics.patterns", "is_constant", "1 -> 2"): "NumPy's reshape takes -2 for -1",
    ("verdict", "judge", "side > 0 -> side >= 0"): "a side is 1 or -1",
    ("gate", "compare_case", "False -> True"): "the verdict on the whole case replaces it",
}
