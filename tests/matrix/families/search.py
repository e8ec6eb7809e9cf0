"""Search, sort, top-k, unique, histogram."""

import numpy as np
import paddle

from tests.matrix.case import Family, f32, i32, i64

family = Family("search", __file__)

x = f32("x", (3, 8, 5), (2, 8, 7))
row = f32("x", (3, 9), (2, 9))
ascending = f32("s", (8,), draw=lambda rng, shape: np.sort(rng.normal(0, 1.5, shape), -1))
rows_ascending = f32(
    "s", (3, 8), (2, 8), draw=lambda rng, shape: np.sort(rng.normal(0, 1.5, shape), -1)
)


# What these look up has to ascend: on anything else Paddle's answer is that of its own search.
def searchsorted(s, v, **options):
    return paddle.searchsorted(paddle.sort(s), v, **options)


def bucketize(v, s, **options):
    return paddle.bucketize(v, paddle.sort(s), **options)


for name in ("argmax", "argmin"):
    function = getattr(paddle, name)
    family.case(f"{name}_axis", lambda x, f=function: f(x, axis=1), x, static=True)
    family.case(f"{name}_last", lambda x, f=function: f(x, axis=-1), x)
    family.case(f"{name}_keepdim", lambda x, f=function: f(x, axis=1, keepdim=True), x)
    family.case(f"{name}_flat", lambda x, f=function: f(x), x)
    family.case(f"{name}_flat_keepdim", lambda x, f=function: f(x, keepdim=True), x)
    family.case(f"{name}_int32", lambda x, f=function: f(x, axis=1, dtype="int32"), x)
family.case(
    "argmax_int64",
    lambda x: paddle.argmax(x, axis=1),
    i64("x", (3, 8), draw=lambda rng, s: np.stack([rng.permutation(8) for _ in range(3)])),
)
for name in ("sort", "argsort"):
    function = getattr(paddle, name)
    family.case(f"{name}_last", lambda x, f=function: f(x), x, static=True)
    family.case(f"{name}_axis", lambda x, f=function: f(x, axis=1), x)
    family.case(f"{name}_descending", lambda x, f=function: f(x, axis=1, descending=True), x)
    family.case(f"{name}_dynamic_axis", lambda x, f=function: f(x, axis=0), x)
    family.case(f"{name}_vector", lambda x, f=function: f(x), f32("x", (9,), (6,)))
    family.case(
        f"{name}_int64",
        lambda x, f=function: f(x, axis=-1),
        i64("x", (2, 8), draw=lambda rng, s: np.stack([rng.permutation(8) for _ in range(2)])),
    )
family.case("topk", lambda x: paddle.topk(x, 3), row, static=True)
family.case("topk_axis", lambda x: paddle.topk(x, 3, axis=1), x)
family.case("topk_smallest", lambda x: paddle.topk(x, 3, largest=False), row)
family.case("topk_one", lambda x: paddle.topk(x, 1), row)
family.case("topk_tensor", lambda x, k: paddle.topk(x, k), row, i32("k", (1,), low=2, high=5))
family.case("topk_of_shape", lambda x: paddle.topk(x, paddle.shape(x)[0]), row)
family.case(
    "topk_int64",
    # Made unequal: which of two equal numbers comes first is nobody's promise.
    lambda x: paddle.topk(x * 8 + paddle.arange(8), 2),
    i64("x", (2, 8), draw=lambda rng, s: np.stack([rng.permutation(8) for _ in range(2)])),
)
family.case("kthvalue", lambda x: paddle.kthvalue(x, 2, axis=-1), row, static=True)
family.case("kthvalue_axis_keepdim", lambda x: paddle.kthvalue(x, 3, axis=1, keepdim=True), x)
family.case(
    "mode",
    lambda x: paddle.mode(x, axis=-1)[0],
    f32("x", (3, 9), draw=lambda rng, s: rng.integers(0, 4, s)),
)
family.case(
    "mode_keepdim",
    lambda x: paddle.mode(x, axis=1, keepdim=True)[0],
    f32("x", (3, 9), draw=lambda rng, s: rng.integers(0, 3, s)),
)
family.case(
    "mode_indices",
    lambda x: paddle.mode(x),
    f32("x", (3, 9), draw=lambda rng, s: rng.integers(0, 4, s)),
)
family.case("nonzero", paddle.nonzero, i64("x", (3, 5), (2, 7), low=0, high=3))
few = i64("x", (12,), (9,), low=0, high=5)
family.case("unique", paddle.unique, few, static=True)
family.case("unique_inverse", lambda x: paddle.unique(x, return_inverse=True), few)
family.case("unique_counts", lambda x: paddle.unique(x, return_counts=True), few)
family.case("unique_everything", lambda x: paddle.unique(x, True, True, True), few)
family.case(
    "unique_int32_indices", lambda x: paddle.unique(x, return_inverse=True, dtype="int32"), few
)
family.case("unique_axis", lambda x: paddle.unique(x, axis=0), i64("x", (6, 2), low=0, high=2))
family.case(
    "unique_float", paddle.unique, f32("x", (12,), draw=lambda rng, s: rng.integers(0, 5, s))
)
family.case("unique_consecutive", paddle.unique_consecutive, i64("x", (12,), low=0, high=2))
family.case(
    "unique_consecutive_counts",
    lambda x: paddle.unique_consecutive(x, True, True),
    i64("x", (12,), low=0, high=2),
)
family.case("searchsorted", searchsorted, ascending, f32("v", (4,), (6,)))
family.case(
    "searchsorted_right",
    lambda s, v: searchsorted(s, v, right=True),
    ascending,
    f32("v", (4,), (6,)),
)
family.case("searchsorted_rows", searchsorted, rows_ascending, f32("v", (3, 4), (2, 4)))
family.case(
    "searchsorted_int32",
    lambda s, v: searchsorted(s, v, out_int32=True),
    ascending,
    f32("v", (4,), (6,)),
)
family.case(
    "searchsorted_ties",
    searchsorted,
    i64("s", (6,), draw=lambda rng, s: np.sort(rng.integers(0, 4, s))),
    i64("v", (4,), low=0, high=5),
)
family.case("bucketize", bucketize, f32("v", (3, 4), (2, 6)), ascending)
family.case(
    "bucketize_right",
    lambda v, s: bucketize(v, s, right=True),
    f32("v", (3, 4), (2, 6)),
    ascending,
)
family.case("bincount", lambda x: paddle.bincount(x, minlength=8), i64("x", (12,), low=0, high=8))
family.case("bincount_dynamic", lambda x: paddle.bincount(x), i64("x", (12,), (9,), low=0, high=8))
family.case(
    "bincount_weights",
    lambda x, w: paddle.bincount(x, w, minlength=8),
    i64("x", (12,), low=0, high=8),
    f32("w", (12,)),
)
family.case(
    "histogram", lambda x: paddle.histogram(x, bins=5, min=-2, max=2), f32("x", (20,), (30,))
)
family.case("histogram_range_of_data", lambda x: paddle.histogram(x, bins=4), f32("x", (20,)))
family.case(
    "histogram_density",
    lambda x: paddle.histogram(x, bins=5, min=-3, max=3, density=True),
    f32("x", (20,)),
)
family.case("isin", paddle.isin, i64("x", (3, 4), low=0, high=6), i64("v", (3,), low=0, high=6))
family.case(
    "index_of_sorted", lambda x: paddle.take_along_axis(x, paddle.argsort(x, axis=-1), -1), row
)
