"""Products of matrices, and factorisations of small ones."""

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, f32, f64

family = Family("linear_algebra", __file__)

a, b = f32("a", (3, 4), (5, 4)), f32("b", (4, 6), (4, 2))
batch_a, batch_b = f32("a", (2, 3, 4), (3, 5, 4)), f32("b", (2, 4, 6), (3, 4, 2))


def well(rng, shape):
    """Matrices that are easy to invert: random, with a heavy diagonal."""
    return rng.normal(0, 0.3, shape) + 2.0 * np.eye(shape[-1])


def definite(rng, shape):
    matrix = well(rng, shape)
    return matrix @ np.swapaxes(matrix, -1, -2)


def cholesky(a, upper=False):
    """The factor of ``a @ a.T + n * I``: Paddle refuses what is not positive definite."""
    size = a.shape[-1]
    product = paddle.matmul(a, a, transpose_y=True)
    return paddle.linalg.cholesky(product + float(size) * paddle.eye(size), upper=upper)


def lower(rng, shape):
    return np.tril(well(rng, shape))


family.case("matmul", paddle.matmul, a, b, static=True)
family.case("matmul_batch", paddle.matmul, batch_a, batch_b)
family.case(
    "matmul_transpose_x",
    lambda a, b: paddle.matmul(a, b, transpose_x=True),
    f32("a", (4, 3), (4, 5)),
    b,
)
family.case(
    "matmul_transpose_y",
    lambda a, b: paddle.matmul(a, b, transpose_y=True),
    a,
    f32("b", (6, 4), (2, 4)),
)
family.case(
    "matmul_transpose_both",
    lambda a, b: paddle.matmul(a, b, True, True),
    f32("a", (2, 4, 3), (3, 4, 5)),
    f32("b", (2, 6, 4), (3, 2, 4)),
)
family.case(
    "matmul_broadcast",
    paddle.matmul,
    f32("a", (2, 1, 3, 4), (3, 1, 5, 4)),
    f32("b", (5, 4, 6), (2, 4, 6)),
)
family.case("matmul_vector_matrix", paddle.matmul, f32("a", (4,)), b)
family.case("matmul_matrix_vector", paddle.matmul, a, f32("b", (4,)))
family.case("matmul_vector_vector", paddle.matmul, f32("a", (4,), (7,)), f32("b", (4,), (7,)))
family.case(
    "matmul_transpose_vector", lambda a, b: paddle.matmul(a, b, transpose_x=True), f32("a", (4,)), b
)
family.case("matmul_float64", paddle.matmul, f64("a", (3, 4)), f64("b", (4, 6)))
family.case("mm", paddle.mm, a, b)
family.case("bmm", paddle.bmm, batch_a, batch_b)
family.case("mv", paddle.mv, a, f32("b", (4,)))
family.case("dot", paddle.dot, f32("a", (4,), (7,)), f32("b", (4,), (7,)))
family.case("dot_batch", paddle.dot, f32("a", (3, 4), (2, 4)), f32("b", (3, 4), (2, 4)))
family.case(
    "addmm",
    lambda c, a, b: paddle.addmm(c, a, b, beta=0.5, alpha=2.0),
    f32("c", (3, 6)),
    f32("a", (3, 4)),
    f32("b", (4, 6)),
)
family.case("addmm_broadcast", paddle.addmm, f32("c", (1, 6)), f32("a", (3, 4)), f32("b", (4, 6)))
family.case(
    "baddbmm",
    lambda c, a, b: paddle.baddbmm(c, a, b, beta=0.5, alpha=2.0),
    f32("c", (2, 3, 6)),
    f32("a", (2, 3, 4)),
    f32("b", (2, 4, 6)),
)
family.case(
    "multi_dot",
    lambda a, b, c: paddle.linalg.multi_dot([a, b, c]),
    f32("a", (3, 4)),
    f32("b", (4, 6)),
    f32("c", (6, 2)),
)
for equation, shapes in (
    ("ij,jk->ik", ((3, 4), (4, 6))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 6))),
    ("bhid,bhjd->bhij", ((2, 2, 3, 4), (2, 2, 5, 4))),
    ("i,j->ij", ((3,), (4,))),
    ("ij->ji", ((3, 4),)),
    ("ii->", ((4, 4),)),
    ("ij->i", ((3, 4),)),
    ("bchw,ck->bkhw", ((2, 3, 4, 5), (3, 6))),
):
    name = equation.replace(",", "_").replace("->", "_to_")
    family.case(
        f"einsum_{name}",
        lambda *t, e=equation: paddle.einsum(e, *t),
        *[f32(n, s) for n, s in zip("abc", shapes, strict=False)],
    )
family.case("einsum_dynamic", lambda a, b: paddle.einsum("bij,bjk->bik", a, b), batch_a, batch_b)
family.case(
    "tensordot",
    lambda a, b: paddle.tensordot(a, b, axes=[[1], [0]]),
    f32("a", (3, 4, 5)),
    f32("b", (4, 6)),
)
family.case("matrix_power", lambda a: paddle.linalg.matrix_power(a, 3), f32("a", (2, 4, 4)))
family.case(
    "matrix_power_negative",
    lambda a: paddle.linalg.matrix_power(a, -2),
    f32("a", (4, 4), draw=well),
)
family.case("transpose_t", lambda a: paddle.t(a), a)
family.case(
    "bilinear",
    lambda x, y, w: F.bilinear(x, y, w),
    f32("x", (3, 4), (2, 4)),
    f32("y", (3, 5), (2, 5)),
    f32("w", (6, 4, 5)),
)
family.layer("linear", lambda: nn.Linear(4, 6), a, static=True)
family.layer("linear_rank3", lambda: nn.Linear(4, 6), batch_a)
family.layer("linear_no_bias", lambda: nn.Linear(4, 6, bias_attr=False), a)
family.layer("linear_twice", lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), a)
family.case(
    "linear_weight_input", lambda x, w, b: F.linear(x, w, b), a, f32("w", (4, 6)), f32("bias", (6,))
)

for size in (2, 3):
    square = f32("a", (size, size), draw=well)
    family.case(f"inverse_{size}", paddle.inverse, square)
    family.case(f"det_{size}", paddle.linalg.det, square)
    family.case(f"slogdet_{size}", paddle.linalg.slogdet, square)
    family.case(f"solve_{size}", paddle.linalg.solve, square, f32("b", (size, 2)))
    family.case(f"cholesky_{size}", cholesky, square)
family.case("inverse_batch", paddle.inverse, f32("a", (4, 3, 3), (2, 3, 3), draw=well))
family.case("inverse_4", paddle.inverse, f32("a", (4, 4), draw=well))
family.case("det_batch", paddle.linalg.det, f32("a", (4, 3, 3), (2, 3, 3), draw=well))
family.case("solve_vector", paddle.linalg.solve, f32("a", (3, 3), draw=well), f32("b", (3,)))
family.case(
    "cholesky_upper",
    lambda a: cholesky(a, upper=True),
    f32("a", (4, 4), draw=well),
)
family.case("cholesky_batch", cholesky, f32("a", (3, 3, 3), (2, 3, 3), draw=well))
family.case(
    "cholesky_solve",
    lambda b, a: paddle.linalg.cholesky_solve(b, a, upper=False),
    f32("b", (3, 2)),
    f32("a", (3, 3), draw=lower),
)
family.case(
    "triangular_solve",
    lambda a, b: paddle.linalg.triangular_solve(a, b, upper=False),
    f32("a", (3, 3), draw=lower),
    f32("b", (3, 2)),
)
family.case("pinv", lambda a: paddle.linalg.pinv(a), f32("a", (4, 3)))
family.case("svd_values", lambda a: paddle.linalg.svd(a)[1], f32("a", (4, 3)))
family.case("svdvals", paddle.linalg.svdvals, f32("a", (4, 3)))
family.case("qr_r", lambda a: paddle.linalg.qr(a, mode="r"), f32("a", (4, 3)))
family.case("eigvalsh", paddle.linalg.eigvalsh, f32("a", (4, 4), draw=definite))
family.case("eigh_values", lambda a: paddle.linalg.eigh(a)[0], f32("a", (4, 4), draw=definite))
family.case("lu", lambda a: paddle.linalg.lu(a), f32("a", (4, 4), draw=well))
family.case("lstsq", lambda a, b: paddle.linalg.lstsq(a, b)[0], f32("a", (5, 3)), f32("b", (5, 2)))
family.case("matrix_rank", paddle.linalg.matrix_rank, f32("a", (4, 3)), weak=True)
family.case("cond", lambda a: paddle.linalg.cond(a), f32("a", (3, 3), draw=well))
family.case("corrcoef", paddle.linalg.corrcoef, f32("a", (3, 8)))
family.case("cov", paddle.linalg.cov, f32("a", (3, 8)))
family.case(
    "householder_product", paddle.linalg.householder_product, f32("a", (4, 3)), f32("tau", (3,))
)
