"""Matrix products, and decompositions of small matrices of known size."""

import numpy as np
import paddle
import pytest

rng = np.random.default_rng(5)
A = rng.normal(size=(2, 3, 4)).astype("float32")
B = rng.normal(size=(2, 4, 5)).astype("float32")
SQ = rng.normal(size=(2, 4, 4)).astype("float32")
SQ[0, 0, 0] = 0.0  # needs pivoting
SPD = (SQ @ SQ.transpose(0, 2, 1) + np.eye(4)).astype("float32")
R = rng.normal(size=(2, 4, 3)).astype("float32")
V = rng.normal(size=4).astype("float32")
S = {"static": True, "atol": 2e-4, "rtol": 2e-4}
D = {"specs": [((-1, 4, 4), "float32")], "atol": 2e-4, "rtol": 2e-4}

CASES = {
    "inverse": (lambda x: paddle.inverse(x), [SQ], S),
    "inverse_batch": (lambda x: paddle.inverse(x), [SQ], D),
    "inverse_one": (lambda x: paddle.inverse(x), [SQ[0]], S),
    "inverse_pivots": (
        lambda x: paddle.inverse(x),
        [np.float32([[0, 2, 0], [0, 0, 3], [4, 0, 0]])],
        S,
    ),
    "det": (lambda x: paddle.linalg.det(x), [SQ], S),
    "det_batch": (lambda x: paddle.linalg.det(x), [SQ], D),
    "det_singular": (lambda x: paddle.linalg.det(x), [np.float32([[1, 2], [2, 4]])], S),
    "det_sign": (lambda x: paddle.linalg.det(x), [np.float32([[0, 1], [1, 0]])], S),
    "slogdet": (lambda x: paddle.linalg.slogdet(x), [SQ], S),
    "solve": (lambda x, y: paddle.linalg.solve(x, y), [SQ, R], S),
    "solve_vector": (lambda x, y: paddle.linalg.solve(x, y), [SQ[0], V], S),
    "cholesky": (lambda x: paddle.linalg.cholesky(x), [SPD], S),
    "cholesky_upper": (lambda x: paddle.linalg.cholesky(x, upper=True), [SPD], S),
    "cholesky_solve": (
        lambda y, x: paddle.linalg.cholesky_solve(y, x),
        [R, np.linalg.cholesky(SPD)],
        S,
    ),
    "triangular_solve": (lambda x, y: paddle.linalg.triangular_solve(x, y), [np.triu(SPD), R], S),
    "triangular_solve_lower": (
        lambda x, y: paddle.linalg.triangular_solve(x, y, upper=False),
        [np.tril(SPD), R],
        S,
    ),
    "triangular_solve_transposed": (
        lambda x, y: paddle.linalg.triangular_solve(x, y, transpose=True),
        [np.triu(SPD), R],
        S,
    ),
    "triangular_solve_unit": (
        lambda x, y: paddle.linalg.triangular_solve(x, y, unitriangular=True),
        [np.triu(SPD), R],
        S,
    ),
    "matrix_power": (lambda x: paddle.linalg.matrix_power(x, 3), [SQ], S),
    "matrix_power_0": (lambda x: paddle.linalg.matrix_power(x, 0), [SQ], S),
    "matrix_power_negative": (lambda x: paddle.linalg.matrix_power(x, -2), [SPD], S),
    "multi_dot": (
        lambda x, y, z: paddle.linalg.multi_dot([x, y, z]),
        [A[0], B[0], B[0].T.copy()],
        {"atol": 1e-5},
    ),
    "multi_dot_vectors": (
        lambda x, y, z: paddle.linalg.multi_dot([x, y, z]),
        [V, B[0], B[0, 0]],
        {"atol": 1e-5},
    ),
    "mv": (lambda x, v: paddle.mv(x, v), [A[0], V]),
    "bmm": (lambda x, y: paddle.bmm(x, y), [A, B]),
    "dot": (lambda x, y: paddle.dot(x, y), [V, V * 2]),
    "dot_rows": (lambda x, y: paddle.dot(x, y), [A[0], A[1]]),
    "inner": (lambda x, y: paddle.inner(x, y), [A[0], A[1]], {"static": True}),
    "outer": (lambda x, y: paddle.outer(x, y), [V, V]),
    "matmul_transposed": (
        lambda x, y: paddle.matmul(x, y, True, True),
        [A, rng.normal(size=(2, 5, 3)).astype("float32")],
    ),
    "matmul_vector": (lambda x, y: paddle.matmul(x, y), [A, V]),
    "matmul_vectors": (lambda x, y: paddle.matmul(x, y), [V, V]),
    "matmul_vector_matrix": (lambda x, y: paddle.matmul(x, y), [V, B]),
    "matmul_double": (lambda x, y: paddle.matmul(x, y), [A.astype("float64"), B.astype("float64")]),
    "matmul_int": (
        lambda x, y: paddle.matmul(x, y),
        [np.int64([[1, 2], [3, 4]]), np.int64([[1], [2]])],
    ),
    "matmul_int32": (
        lambda x, y: paddle.matmul(x, y),
        [np.int32([[1, 2], [3, 4]]), np.int32([[1], [2]])],
    ),
    "tensordot": (
        lambda x, y: paddle.tensordot(x, y, [[0, 2], [0, 1]]),
        [A, B],
        {"static": True, "atol": 1e-5},
    ),
    "einsum": (lambda x, y: paddle.einsum("bij,bjk->bik", x, y), [A, B]),
    "einsum_contract": (lambda x, y: paddle.einsum("bij,bjk->ik", x, y), [A, B], {"atol": 1e-5}),
    "einsum_outer": (lambda x, y: paddle.einsum("i,j->ij", x, y), [V, V]),
    "einsum_trace": (lambda x: paddle.einsum("bij->bji", x), [A]),
    "einsum_sum": (lambda x: paddle.einsum("bij->b", x), [A]),
    "einsum_ellipsis": (lambda x, y: paddle.einsum("...ij,...jk->...ik", x, y), [A, B]),
    "einsum_implicit": (lambda x, y: paddle.einsum("bij,bjk", x, y), [A, B]),
    "einsum_dot": (lambda x, y: paddle.einsum("i,i->", x, y), [V, V]),
    "bilinear": (
        lambda x, y: paddle.nn.functional.bilinear(
            x, y, paddle.to_tensor(SQ[:, :, :3]), paddle.to_tensor(V[None, :2])
        ),
        [A[0], A[1, :, :3]],
        {"atol": 1e-5, "static": True},
    ),
    "matrix_transpose": (lambda x: paddle.matrix_transpose(x), [A]),
    "addmm": (lambda x: paddle.addmm(x, x, x), [SQ[0]], {"atol": 1e-5}),
    "householder": (lambda x: paddle.linalg.vecdot(x, x), [A], {"atol": 1e-5}),
}


@pytest.mark.parametrize("name", CASES)
def test_linear_algebra(check_case, name):
    check_case(CASES[name])
