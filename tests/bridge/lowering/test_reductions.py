"""Reductions and scans."""

import numpy as np
import paddle
import pytest

X = np.array([[[3.0, -1.5, 0.5], [-2.0, 3.0, 1.0]], [[0.0, 4.0, 4.0], [0.3, -9.0, 2.0]]], "float32")
N = X.copy()
N[0, 0, 1] = N[1, 1, 1] = np.nan
I = (X * 2).astype("int64")  # noqa: E741
B = X > 0.4

AXES = {"all": None, "last": -1, "first": 0, "two": [0, 2]}
CASES = {}
for _op in ("sum", "mean", "max", "min", "prod", "amax", "amin", "logsumexp", "all", "any"):
    for _name, _axis in AXES.items():
        for _keep in (False, True):
            if _keep and _name in ("first", "last"):
                continue
            CASES[f"{_op}_{_name}{'_keep' * _keep}"] = (
                lambda x, op=_op, axis=_axis, keep=_keep: getattr(paddle, op)(
                    x, axis=axis, keepdim=keep
                ),
                [B if _op in ("all", "any") else X],
            )
for _op in ("std", "var", "nansum", "nanmean"):
    for _name in ("all", "two"):
        CASES[f"{_op}_{_name}"] = (
            lambda x, op=_op, axis=AXES[_name]: getattr(paddle, op)(x, axis=axis),
            [X if "nan" not in _op else N],
        )
for _op in ("sum", "max", "prod", "amin"):
    for _dtype in ("int32", "int64", "float64"):
        CASES[f"{_op}_{_dtype}"] = (
            lambda x, op=_op: (getattr(paddle, op)(x, axis=1), getattr(paddle, op)(x)),
            [I.astype(_dtype)],
        )
for _p in (1, 2, 3, 0.5, 0, float("inf"), -float("inf")):
    CASES[f"norm_{_p}"] = (lambda x, p=_p: paddle.linalg.vector_norm(x, p, axis=1), [X])
    CASES[f"norm_{_p}_keep"] = (
        lambda x, p=_p: paddle.linalg.vector_norm(x, p, axis=-1, keepdim=True),
        [X],
    )
    CASES[f"norm_{_p}_all"] = (lambda x, p=_p: paddle.linalg.vector_norm(x, p), [X])
    CASES[f"norm_{_p}_two"] = (lambda x, p=_p: paddle.linalg.vector_norm(x, p, axis=[0, 1]), [X])
for _p in ("fro", 1, -1, float("inf"), -float("inf"), "nuc"):
    if _p != "nuc":
        CASES[f"matrix_norm_{_p}"] = (lambda x, p=_p: paddle.linalg.matrix_norm(x, p), [X])
CASES |= {
    "norm_fro": (lambda x: paddle.linalg.norm(x), [X]),
    "norm_fro_axes": (lambda x: paddle.linalg.norm(x, "fro", [0, 2]), [X]),
    "norm_fro_keep": (lambda x: paddle.linalg.norm(x, "fro", [0, 2], keepdim=True), [X]),
    "sum_bool": (lambda x: paddle.sum(x), [B]),
    "sum_bool_axis": (lambda x: paddle.sum(x, axis=1), [B]),
    "sum_dtype": (lambda x: paddle.sum(x, axis=1, dtype="float64"), [X]),
    "sum_negative_axes": (lambda x: paddle.sum(x, axis=[-1, -2]), [X]),
    "sum_0d": (lambda x: paddle.sum(x), [np.float32(3)]),
    "mean_0d": (lambda x: paddle.mean(x) * 2.0, [np.float32(3)]),
    "sum_axis_tensor": (lambda x: paddle.sum(x, axis=paddle.full([1], 1, "int64")), [X]),
    "mean_int": (lambda x: paddle.mean(x.astype("float32")), [I]),
    "mean_all": (lambda x: paddle._C_ops.mean_all(x), [X]),
    "median": (lambda x: paddle.median(x), [X]),
    "median_axis": (lambda x: paddle.median(x, axis=1), [X]),
    "median_odd": (lambda x: paddle.median(x, axis=2, keepdim=True), [X]),
    "median_min": (lambda x: paddle.median(x, axis=1, mode="min"), [X]),
    "median_min_odd": (lambda x: paddle.median(x, axis=2, mode="min"), [X]),
    "median_nan": (lambda x: paddle.median(x, axis=1), [N]),
    "median_int": (lambda x: paddle.median(x, axis=2), [I]),
    "nanmedian": (lambda x: paddle.nanmedian(x), [N]),
    "nanmedian_axis": (lambda x: paddle.nanmedian(x, axis=2), [N]),
    "nanmedian_axis_keep": (lambda x: paddle.nanmedian(x, axis=1, keepdim=True), [N]),
    "nanmedian_min": (lambda x: paddle.nanmedian(x, axis=2, mode="min"), [N]),
    "quantile": (lambda x: paddle.quantile(x, 0.3, axis=2), [X]),
    "quantile_all": (lambda x: paddle.quantile(x, 0.6), [X]),
    "quantile_list": (
        lambda x: paddle.quantile(x, [0.25, 0.75], axis=1, keepdim=True),
        [X],
        {"static": True},
    ),
    "quantile_nan": (lambda x: paddle.quantile(x, 0.3, axis=1), [N]),
    "nanquantile": (lambda x: paddle.nanquantile(x, 0.3, axis=2), [N]),
    "kthvalue": (lambda x: paddle.kthvalue(x, 2), [X]),
    "kthvalue_axis": (lambda x: paddle.kthvalue(x, 2, axis=1, keepdim=True), [X]),
    "kthvalue_int": (lambda x: paddle.kthvalue(x, 3, axis=2), [(X * 10).astype("int32")]),
    "mode": (
        lambda x: paddle.mode(x),
        [np.float32([[1, 2, 2, 3, 1], [3, 3, 3, 1, 2], [5, 4, 3, 2, 1]])],
    ),
    "mode_axis": (
        lambda x: paddle.mode(x, axis=0, keepdim=True),
        [np.float32([[1, 2], [1, 3], [4, 3], [4, 7]])],
    ),
    "cumprod": (lambda x: paddle.cumprod(x, 1), [X]),
    "cumprod_last": (lambda x: paddle.cumprod(x, -1), [X]),
    "cumprod_int": (lambda x: paddle.cumprod(x, 2), [I]),
    "cumprod_flat": (lambda x: paddle.cumprod(x), [X]),
    "cummax": (lambda x: paddle.cummax(x, 2), [X]),
    "cummax_first": (lambda x: paddle.cummax(x, 0), [X]),
    "cummax_flat": (lambda x: paddle.cummax(x), [X]),
    "cummax_equal": (lambda x: paddle.cummax(x), [np.float32([1, 3, 2, 3, 3, 0])]),
    "cummin": (lambda x: paddle.cummin(x, 1), [X]),
    "cummin_int": (lambda x: paddle.cummin(x, -1), [I]),
    "logcumsumexp": (lambda x: paddle.logcumsumexp(x, 2), [X]),
    "logcumsumexp_flat": (lambda x: paddle.logcumsumexp(x), [X]),
    "logcumsumexp_wide": (
        lambda x: paddle.logcumsumexp(x, 0),
        [np.float32([-200, 3, 90, -50, 90])],
    ),
    "cumsum_reverse": (lambda x: paddle._C_ops.cumsum(x, 1, False, True, False), [X]),
    "cumsum_exclusive": (lambda x: paddle._C_ops.cumsum(x, 1, False, False, True), [X]),
    "reduce_as": (lambda x, y: paddle.reduce_as(x, y), [X, X[:1, :, :1]], {"static": True}),
    "reduce_as_rank": (lambda x, y: paddle.reduce_as(x, y), [X, X[0]], {"static": True}),
    "numel": (lambda x: paddle.numel(x), [X]),
    "count_nonzero": (lambda x: paddle.count_nonzero(x, axis=1), [X]),
    "count_nonzero_all": (lambda x: paddle.count_nonzero(x), [X]),
    "std_biased": (lambda x: paddle.std(x, axis=1, unbiased=False), [X]),
    "argmax": (lambda x: paddle.argmax(x), [X]),
    "argmax_axis": (lambda x: paddle.argmax(x, axis=1), [X]),
    "argmax_keep": (lambda x: paddle.argmax(x, axis=2, keepdim=True, dtype="int32"), [X]),
    "argmax_ties": (lambda x: paddle.argmax(x, axis=2), [X]),
    "argmin_int": (lambda x: paddle.argmin(x, axis=0), [I]),
    "argmax_int32": (lambda x: paddle.argmax(x, axis=0), [I.astype("int32")]),
    "argmin_flat_keep": (lambda x: paddle.argmin(x, keepdim=True), [X]),
    "max_bool_free": (lambda x: paddle.max(x, axis=[0, 1], keepdim=True), [X]),
    "logsumexp_large": (lambda x: paddle.logsumexp(x, axis=0), [np.float32([100, 200, 300])]),
    "nansum_int": (lambda x: paddle.nansum(x), [N]),
    "squared_l2": (lambda x: paddle._C_ops.squared_l2_norm(x), [X]),
    "frobenius": (lambda x: paddle._C_ops.frobenius_norm(x, [1, 2], False, False), [X]),
}


@pytest.mark.parametrize("name", CASES)
def test_reductions(check_case, name):
    function, arrays, *options = CASES[name]
    # Since 18 the axes of all reductions are inputs.
    check_case((function, arrays, {"opsets": (11, 18), **dict(*options)}))
