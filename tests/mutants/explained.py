"""Mutants that no test can or need notice, with the reason for each."""

from __future__ import annotations

_SIGN = "only the sign of this number is used: both sides of a comparison are multiplied by it"

_PIECES = "how large the pieces are changes no value"
_ZERO = "a zero is split into zero and zero either way"
_EXPONENT = "two to plus and minus 1022 are normal numbers, too"
_TOP = "selecting the last rank gives the largest value, too"
_SHIFT = "NumPy shifts 64 bits by 64 to zero, which the other branch gives"

#: (module, function, change) -> why it survives.
EXPLAINED: dict[tuple[str, str, str], str] = {
    ("verdict", "module", "1 -> 2"): _SIGN,
    ("columns", "_beside_masks", "0 -> 1"): "the index is read only where something differs",
    ("columns", "_columns", "True -> False"): "both tensors have one shape",
    ("columns", "worst_part", "0.0 -> 1.0"): "the difference is not read where nothing differs",
    ("columns", "worst_part", "0 -> 1"): "the index is read only where something differs",
    ("metrics.ulp", "_ordered", "False -> True"): "a copy of the chunk has the same values",
    ("metrics.tensors", "module", "1 -> 2"): _PIECES,
    ("metrics.tensors", "module", "16 -> 17"): _PIECES,
    ("metrics.tensors", "module", "1022 -> 1023"): _EXPONENT,
    (
        "metrics.tensors",
        "scaled_by_power",
        "abs(exponent) < _LARGEST_EXPONENT -> abs(exponent) <= _LARGEST_EXPONENT",
    ): _EXPONENT,
    ("metrics.tensors", "is_comparable", "8 -> 9"): "no dtype has 9 bytes",
    ("metrics.tensors", "chunks", "1 -> 2"): "NumPy's reshape takes -2 for -1",
    ("metrics.tensors", "_integer_difference", "part < 0 -> part <= 0"): _ZERO,
    ("metrics.tensors", "_integer_difference", "0 -> 1"): _ZERO,
    (
        "metrics.tensors",
        "_integer_difference",
        "below[0] - below[1] -> below[0] + below[1]",
    ): "one of the two is unsigned and so has nothing below zero",
    ("metrics.differences", "snr_db", "noise < math.inf -> noise <= math.inf"): (
        "-20 times the logarithm of infinity is -infinity, too"
    ),
    ("metrics.differences", "worst_index", "1.0 -> 2.0"): "every difference is more than -1",
    ("metrics.agreement", "_rows", "1 -> 2"): _PIECES,
    ("metrics.agreement", "_rows", "0 -> 1"): "both tensors have one shape",
    ("metrics.agreement", "_rows", "-1 -> 1"): _PIECES,
    ("metrics.agreement", "_rows", "True -> False"): "both tensors have one shape",
    ("metrics.selection", "percentiles", "count <= KEPT -> count < KEPT"): (
        "sorting and selecting give the same values"
    ),
    ("metrics.selection", "percentiles", "rank < count - 1 -> rank <= count - 1"): _TOP,
    ("metrics.selection", "percentiles", "count - 1 -> count + 1"): _TOP,
    ("metrics.selection", "percentiles", "True -> False"): "a value for each rank",
    ("measure", "measure", "1.0 -> 2.0"): "no rank is above the last",
    ("metrics.selection", "_select", "shift < 48 -> shift <= 48"): _SHIFT,
    ("metrics.selection", "_select", "48 -> 49"): _SHIFT,
    ("gate", "_other_spread", "1 -> 2"): "NumPy's reshape takes -2 for -1",
    (
        "gate",
        "_has_numbers",
        "metrics.count_nan(tensor) + metrics.count_inf(tensor) < tensor.size -> "
        "metrics.count_nan(tensor) + metrics.count_inf(tensor) >= tensor.size",
    ): "only whether both sides have the same answer is asked",
    ("metrics.patterns", "is_constant", "1 -> 2"): "NumPy's reshape takes -2 for -1",
    ("verdict", "judge", "side > 0 -> side >= 0"): "a side is 1 or -1",
    ("boxes", "module", "1 << 17 -> 1 >> 17"): _PIECES,
    ("boxes", "module", "1 -> 2"): _PIECES,
    ("boxes", "module", "17 -> 18"): _PIECES,
    ("boxes", "_partners", "max -> min"): _PIECES,
    ("boxes", "_partners", "1 -> 2"): _PIECES,
    ("boxes", "_images", "True -> False"): "one end for each count, by the line before",
    ("measure", "incomparable", "0 -> 1"): "a zero more is neither NaN nor infinite",
    ("measure", "at", "1 -> 2"): "NumPy's reshape takes -2 for -1",
    ("gate", "compare_case", "False -> True"): "the verdict on the whole case replaces it",
}
