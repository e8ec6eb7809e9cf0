"""Sorting, searching, counting."""

import numpy as np
import paddle
import pytest

X = np.array([[3.0, 1.0, 2.0, 2.5], [0.5, 9.0, -1.0, 4.0]], "float32")
S = np.array([1.0, 3.0, 5.0, 5.0, 9.0], "float32")
Q = np.array([[0.0, 1.0, 5.0], [4.0, 9.0, 10.0]], "float32")
I = np.array([3, 1, 1, 0, 3, 3], "int64")  # noqa: E741
TIES = np.array([[2.0, 1.0, 2.0, 1.0, 2.0]], "float32")

CASES = {
    "searchsorted": (lambda s, v: paddle.searchsorted(s, v), [S, Q]),
    "searchsorted_right": (lambda s, v: paddle.searchsorted(s, v, right=True), [S, Q]),
    "searchsorted_int32": (lambda s, v: paddle.searchsorted(s, v, out_int32=True), [S, Q]),
    "searchsorted_rows": (lambda s, v: paddle.searchsorted(s, v), [np.stack([S, S + 1]), Q]),
    "searchsorted_int": (
        lambda s, v: paddle.searchsorted(s, v),
        [S.astype("int64"), Q.astype("int64")],
    ),
    "searchsorted_nan": (
        lambda s, v: paddle.searchsorted(s, v),
        [S, np.float32([np.nan, np.inf, 3])],
    ),
    "bucketize": (lambda v: paddle.bucketize(v, paddle.to_tensor(S)), [Q]),
    "bincount": (lambda x: paddle.bincount(x), [I]),
    "bincount_minlength": (lambda x: paddle.bincount(x, minlength=7), [I]),
    "bincount_weights": (lambda x, w: paddle.bincount(x, w), [I, np.float32([1, 2, 3, 4, 5, 6])]),
    "histogram": (lambda x: paddle.histogram(x, bins=5, min=0, max=4), [X]),
    "histogram_auto": (lambda x: paddle.histogram(x, bins=4), [X]),
    "histogram_int": (lambda x: paddle.histogram(x, bins=4, min=0, max=3), [I]),
    "histogram_density": (lambda x: paddle.histogram(x, bins=4, min=0, max=4, density=True), [X]),
    "unique": (lambda x: paddle.unique(x), [I]),
    "unique_all": (
        lambda x: paddle.unique(x, return_index=True, return_inverse=True, return_counts=True),
        [I],
    ),
    "unique_int32": (
        lambda x: paddle.unique(x, return_inverse=True, return_counts=True, dtype="int32"),
        [X],
    ),
    "unique_axis": (lambda x: paddle.unique(x, axis=0), [np.float32([[1, 2], [0, 5], [1, 2]])]),
    "unique_consecutive": (lambda x: paddle.unique_consecutive(x), [I]),
    "unique_consecutive_all": (
        lambda x: paddle.unique_consecutive(x, return_inverse=True, return_counts=True),
        [I],
    ),
    "topk": (lambda x: paddle.topk(x, 2), [X]),
    "topk_axis": (lambda x: paddle.topk(x, 1, axis=0), [X]),
    "topk_smallest": (lambda x: paddle.topk(x, 2, largest=False), [X]),
    "topk_int": (lambda x: paddle.topk(x, 2), [(X * 2).astype("int64")]),
    "topk_int32": (lambda x: paddle.topk(x, 2, largest=False), [(X * 2).astype("int32")]),
    "topk_double": (lambda x: paddle.topk(x, 2), [X.astype("float64")]),
    "topk_k_tensor": (lambda x, k: paddle.topk(x, k), [X, np.int32([3])]),
    "topk_unsorted": (lambda x: paddle.sort(paddle.topk(x, 2, sorted=False)[0]), [X]),
    "argsort": (lambda x: paddle.argsort(x), [X]),
    "argsort_descending": (lambda x: paddle.argsort(x, descending=True), [X]),
    "argsort_axis": (lambda x: paddle.argsort(x, axis=0), [X]),
    "argsort_stable": (lambda x: paddle.argsort(x, stable=True), [TIES]),
    "argsort_stable_descending": (
        lambda x: paddle.argsort(x, stable=True, descending=True),
        [TIES],
    ),
    "argsort_int": (lambda x: paddle.argsort(x), [(X * 2).astype("int64")]),
    "argsort_int32": (lambda x: paddle.argsort(x, descending=True), [(X * 2).astype("int32")]),
    "sort": (lambda x: paddle.sort(x, axis=0), [X]),
    "sort_descending": (lambda x: paddle.sort(x, descending=True), [X]),
    "sort_double": (lambda x: paddle.sort(x), [X.astype("float64")]),
    "msort": (paddle.msort, [X]),
    "isin": (lambda x, y: paddle.isin(x, y), [I, np.int64([1, 5])], {"static": True}),
    "one_hot": (lambda x: paddle.nn.functional.one_hot(x, 5), [I]),
    "one_hot_int32": (lambda x: paddle.nn.functional.one_hot(x, 5), [I.astype("int32")]),
    "sequence_mask": (lambda x: paddle.nn.functional.sequence_mask(x, maxlen=5), [I]),
    "sequence_mask_auto": (lambda x: paddle.nn.functional.sequence_mask(x), [I]),
    "shard_index": (lambda x: paddle.shard_index(x, 20, 2, 0), [np.int64([[1], [12], [9], [19]])]),
    "shard_index_second": (
        lambda x: paddle.shard_index(x, 20, 2, 1, -5),
        [np.int64([[1], [12], [10], [19]])],
    ),
    "top_p": (lambda x: paddle.topk(paddle.nn.functional.softmax(x), 1), [X]),
    "max_with_index": (lambda x: paddle.topk(x, 1, axis=-1)[1], [X]),
}


@pytest.mark.parametrize("name", CASES)
def test_search(check_case, name):
    check_case(CASES[name])
