"""How far one tensor is from another: pure functions of ``(reference, candidate)``.

Conventions, for every function here:

* ``a`` is the candidate, ``b`` the reference; both have one shape, else ``InternalError``.
* Floats are compared in float64; integers and bools by their exact difference (no overflow, even
  between the int64 extremes), which is rounded once, to float64.
* Equal infinities, and NaN against NaN, differ by 0. An infinity against anything else differs by
  inf, NaN against anything else by NaN, and a NaN difference makes the whole metric NaN.
* A tensor without elements has difference 0. That nothing was compared is for the gate to say.
* Memory: tensors are read in chunks of ``CHUNK`` elements; no tensor is ever held in float64. A
  non-contiguous tensor is copied once, in its own dtype.

Accepted dtypes: bool, integers, float16/32/64 and ml_dtypes' bfloat16 (``is_comparable``).
"""

from converter.accuracy.metrics.agreement import (
    argmax_agreement,
    cosine,
    exact_match,
    top_agreement,
)
from converter.accuracy.metrics.differences import (
    max_abs,
    mean_abs,
    mean_rel,
    peak,
    ratio,
    relative_l2,
    rms,
    scaled,
    snr_db,
    value_range,
    worst_index,
)
from converter.accuracy.metrics.patterns import (
    count_inf,
    count_nan,
    is_constant,
    pattern_mismatch,
)
from converter.accuracy.metrics.selection import percentiles
from converter.accuracy.metrics.tensors import (
    CHUNK,
    Array,
    difference,
    is_comparable,
    is_integral,
    relative,
)
from converter.accuracy.metrics.ulp import ulp_percentiles

__all__ = [
    "CHUNK",
    "Array",
    "argmax_agreement",
    "cosine",
    "count_inf",
    "count_nan",
    "difference",
    "exact_match",
    "is_comparable",
    "is_constant",
    "is_integral",
    "max_abs",
    "mean_abs",
    "mean_rel",
    "pattern_mismatch",
    "peak",
    "percentiles",
    "ratio",
    "relative",
    "relative_l2",
    "rms",
    "scaled",
    "snr_db",
    "top_agreement",
    "ulp_percentiles",
    "value_range",
    "worst_index",
]
