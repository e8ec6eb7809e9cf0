"""How far two faithful evaluations of one network are apart, by the dtype that values are kept in.

The networks are chains of matrix products with ReLU, a residual and a normalisation, as inference
models have them, with seeded weights. Both evaluations keep every value and weight in the dtype and
accumulate in float32 (float64 for float64), as kernels do. They differ in what kernels are free to
do: one sums a row at once, the other in blocks whose partial sums are kept in the dtype, and fuses
the residual into the sum. ``cast`` is the case of an output that is only cast to the dtype at the
end, from float32 values that differ by the rounding of another order of summation.

    python tests/benchmarks/measure_dtype_rounding.py

Prints, for each dtype and kind of output, the largest difference relative to the largest value, the
lowest cosine, and both in units of the default tolerance.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from converter.accuracy import metrics
from converter.accuracy.gate import compare_output
from converter.accuracy.limits import default_tolerance

SEEDS, DEPTHS, WIDTH, ROWS, CLASSES, BLOCK = range(5), (8, 24, 64), 256, 32, 100, 64


def evaluate(x, weights, dtype, *, blocked):
    """The last layer's values before a softmax, in ``dtype``."""
    wide = np.float64 if dtype == np.float64 else np.float32

    def product(a, w, extra=None):
        a, w = a.astype(wide), w.astype(wide)
        if not blocked:
            made = (a @ w).astype(dtype)
            return made if extra is None else (made.astype(wide) + extra.astype(wide)).astype(dtype)
        total = np.zeros((len(a), w.shape[1]), dtype) if extra is None else extra
        for start in range(0, a.shape[1], BLOCK):
            part = a[:, start : start + BLOCK] @ w[start : start + BLOCK]
            total = (total.astype(wide) + part).astype(dtype)
        return total

    x = x.astype(dtype)
    for w in weights[:-1]:
        y = product(np.maximum(x, 0), w.astype(dtype), x).astype(wide)
        scale = np.sqrt((y * y).mean(axis=1, keepdims=True) + wide(1e-5))
        x = (y / scale).astype(dtype)
    return product(x, weights[-1].astype(dtype))


def softmax(x):
    y = x.astype(np.float64)
    y = np.exp(y - y.max(axis=1, keepdims=True))
    return (y / y.sum(axis=1, keepdims=True)).astype(x.dtype)


def main():
    """Measure all and print the table."""
    print("dtype     output   depth  max/peak  1-cosine  of rtol  atol needed")
    for name in ("float64", "float32", "float16", "bfloat16", "float16 cast", "bfloat16 cast"):
        dtype = np.dtype(ml_dtypes.bfloat16 if "bf" in name else name.split()[0])
        kept = np.dtype("float32") if "cast" in name else dtype
        tolerance = default_tolerance(dtype)
        for depth in DEPTHS:
            found = {"logits": [], "softmax": []}
            for seed in SEEDS:
                r = np.random.default_rng(seed)
                x = r.standard_normal((ROWS, WIDTH))
                widths = [WIDTH] * depth + [CLASSES]
                weights = [r.standard_normal((WIDTH, w)) / np.sqrt(WIDTH) for w in widths]
                b, a = (evaluate(x, weights, kept, blocked=k).astype(dtype) for k in (False, True))
                for kind, pair in (("logits", (b, a)), ("softmax", (softmax(b), softmax(a)))):
                    judged = compare_output(kind, *pair)
                    share = metrics.scaled(*pair)
                    found[kind].append((share, 1 - judged.cosine, judged.passing_atol))
            for kind, rows in found.items():
                share, turned, atol = (max(column) for column in zip(*rows, strict=True))
                print(
                    f"{name:14} {kind:8} {depth:4} {share:9.2g} {turned:9.2g} "
                    f"{share / tolerance.rtol:8.2g} {atol:9.2g}"
                )


if __name__ == "__main__":
    main()
