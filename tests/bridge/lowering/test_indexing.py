"""Gathering, scattering, masks, and what is done with computed indices."""

import numpy as np
import paddle
import pytest

X = np.arange(24, dtype="float32").reshape(2, 3, 4) - 7.5
M = X > 2
V = np.array([1.5, -2.0, 3.25], "float32")
IDX = np.array([2, 0], "int64")
NEG = np.array([-1, 0], "int64")

T = np.array([[1, 0, 2], [0, 2, 1]], "int64")


def _set(x, index, value):
    return paddle.static.setitem(x * 1, index, value)


CASES = {
    "gather": (lambda x, i: paddle.gather(x, i, axis=1), [X, IDX]),
    "gather_int32": (lambda x, i: paddle.gather(x, i), [X.reshape(6, 4), IDX.astype("int32")]),
    "gather_0d_index": (lambda x, i: paddle.gather(x, i, axis=1), [X, np.int64(2)]),
    "gather_column_index": (
        lambda x, i: paddle.gather(x, i),
        [X.reshape(6, 4), IDX[:, None]],
        {"static": True},
    ),
    "gather_axis_tensor": (
        lambda x, i: paddle.gather(x, i, paddle.full([1], 1, "int32")),
        [X, IDX],
    ),
    "gather_nd": (lambda x, i: paddle.gather_nd(x, i), [X, np.int64([[0, 1], [1, 2]])]),
    "gather_nd_int32": (lambda x, i: paddle.gather_nd(x, i), [X, np.int32([[0, 1, 2], [1, 2, 3]])]),
    "index_select": (lambda x, i: paddle.index_select(x, i, axis=2), [X, IDX]),
    "index_select_int32": (
        lambda x, i: paddle.index_select(x, i, axis=-1),
        [X, IDX.astype("int32")],
    ),
    "index_sample": (
        lambda x, i: paddle.index_sample(x, i),
        [X[0], np.int64([[0, 1], [3, 3], [2, 0]])],
    ),
    "take_along_axis": (
        lambda x, i: paddle.take_along_axis(x, i, 1, broadcast=False),
        [X[0, :2, :3], T],
    ),
    "take_along_axis_broadcast": (
        lambda x, i: paddle.take_along_axis(x, i, 1),
        [X, np.int64([[[2], [0]]])],
    ),
    "take": (lambda x, i: paddle.take(x, i), [X, T], {"static": True}),
    "take_wrap": (lambda x, i: paddle.take(x, i, mode="wrap"), [X, T - 30], {"static": True}),
    "take_clip": (lambda x, i: paddle.take(x, i, mode="clip"), [X, T * 20 - 5], {"static": True}),
    "put_along_axis": (
        lambda x, i, v: paddle.put_along_axis(x, i, v, 0, broadcast=False),
        [X[0], T, X[1, :2, :3]],
    ),
    "put_along_axis_broadcast": (
        lambda x, i: paddle.put_along_axis(x, i, 9.0, 1),
        [X[0], np.int64([[1]])],
    ),
    "put_along_axis_int": (
        lambda x, i: paddle.put_along_axis(x, i, 9, 1, broadcast=False),
        [X[0].astype("int64"), T],
        {"static": True},
    ),
    "scatter": (lambda x, i, v: paddle.scatter(x, i, v), [X[0], IDX, X[1, :2]]),
    "scatter_int32": (
        lambda x, i, v: paddle.scatter(x, i, v),
        [X[0], IDX.astype("int32"), X[1, :2]],
    ),
    "scatter_add": (
        lambda x, i, v: paddle.scatter(x, i, v, overwrite=False),
        [X[0], np.int64([2, 2]), X[1, :2]],
    ),
    "scatter_column": (
        lambda x, i, v: paddle.scatter(x, i, v),
        [X[0], IDX[:, None], X[1, :2]],
        {"static": True},
    ),
    "scatter_nd": (
        lambda i, v: paddle.scatter_nd(i, v, [3, 4]),
        [np.int64([[1], [1]]), X[1, :2]],
        {"static": True},
    ),
    "scatter_nd_add": (
        lambda x, i, v: paddle.scatter_nd_add(x, i, v),
        [X[0], np.int64([[1, 1], [1, 1], [0, 2]]), V],
        {"static": True},
    ),
    "scatter_nd_add_int": (
        lambda x, i, v: paddle.scatter_nd_add(x, i, v),
        [T, np.int64([[1, 1], [1, 1], [0, 2]]), np.int64([4, 5, 6])],
        {"static": True},
    ),
    "index_add": (
        lambda x, i, v: paddle.index_add(x, i, 1, v),
        [X[0], np.int64([1, 1]), X[1, :, :2]],
    ),
    "index_add_first": (
        lambda x, i, v: paddle.index_add(x, i, 0, v),
        [X[0], np.int32([1, 0]), X[1, :2]],
    ),
    "index_fill": (lambda x, i: paddle.index_fill(x, i, 1, 5.0), [X, IDX]),
    "index_put": (
        lambda x, i, j, v: paddle.index_put(x, (i, j), v),
        [X[0], np.int64([0, 2, 1]), np.int64([1, 1, 3]), V],
    ),
    "index_put_one": (lambda x, i, v: paddle.index_put(x, (i,), v), [X[0], IDX, X[1, :2]]),
    "index_put_scalar": (lambda x, i, v: paddle.index_put(x, (i,), v), [X[0], IDX, V[:1]]),
    "index_put_negative": (lambda x, i, v: paddle.index_put(x, (i,), v), [X[0], NEG, V[:1]]),
    "index_put_add": (
        lambda x, i, j, v: paddle.index_put(x, (i, j), v, accumulate=True),
        [X[0], np.int64([0, 0, 1]), np.int64([1, 1, 3]), V],
    ),
    "index_put_bool": (lambda x, m, v: paddle.index_put(x, (m,), v), [X, M, V[:1]]),
    "masked_select": (lambda x, m: paddle.masked_select(x, m), [X, M]),
    "masked_fill": (lambda x, m: paddle.masked_fill(x, m, -1.0), [X, M]),
    "masked_fill_broadcast": (lambda x, m: paddle.masked_fill(x, m, 0.5), [X, M[0, 0]]),
    "masked_fill_tensor": (lambda x, m, v: paddle.masked_fill(x, m, v), [X, M, np.float32(2)]),
    "masked_fill_int": (lambda x, m: paddle.masked_fill(x, m, 3), [X.astype("int64"), M]),
    "masked_scatter": (
        lambda x, m, v: paddle.masked_scatter(x, m, v),
        [X[0], M[1], X.reshape(-1) * 2],
        {"static": True},
    ),
    "where": (lambda m, x: paddle.where(m, x, x * 2.0), [M, X]),
    "where_scalar": (lambda m, x: paddle.where(m, x, 0.0), [M, X]),
    "where_broadcast": (lambda m, x, y: paddle.where(m, x, y), [M, X, V[:, None]]),
    "where_int": (lambda m, x: paddle.where(m, x, x + 1), [M, X.astype("int64")]),
    "where_bool": (lambda m, x: paddle.where(m, x > 0, x < 4), [M, X]),
    "where_index": (lambda m: paddle.nonzero(m), [M]),
    "nonzero_tuple": (lambda m: paddle.nonzero(m, as_tuple=True), [M]),
    "nonzero_float": (lambda x: paddle.nonzero(x), [np.float32([[0, 1], [2, 0]])]),
    "nonzero_int": (lambda x: paddle.nonzero(x), [T]),
    "multiplex": (
        lambda x, y, i: paddle.multiplex([x, y], i),
        [X[0, :2], X[1, :2], np.int32([[1], [0]])],
        {"static": True},
    ),
    "repeat_interleave": (lambda x: paddle.repeat_interleave(x, 2, axis=1), [X]),
    "repeat_interleave_flat": (lambda x: paddle.repeat_interleave(x, 3), [X]),
    "repeat_interleave_last": (lambda x: paddle.repeat_interleave(x, 2, axis=-1), [X]),
    "repeat_interleave_tensor": (
        lambda x, r: paddle.repeat_interleave(x, r, axis=1),
        [X, np.int32([1, 0, 2])],
    ),
    "repeat_interleave_tensor64": (
        lambda x, r: paddle.repeat_interleave(x, r, axis=0),
        [X, np.int64([3, 1])],
    ),
    "set_scalar": (lambda x: _set(x, (0, 1), 5.0), [X]),
    "set_slice": (lambda x: _set(x, (slice(None), slice(0, 2)), 5.0), [X]),
    "set_two_axes": (lambda x: _set(x, (slice(0, 1), slice(1, 3), slice(1, 4)), 5.0), [X]),
    "set_steps": (lambda x: _set(x, (slice(None), slice(None), slice(0, 4, 2)), 5.0), [X]),
    "set_steps_two": (lambda x: _set(x, (slice(None), slice(0, 3, 2), slice(1, 4, 2)), 5.0), [X]),
    "set_negative_step": (
        lambda x, v: _set(x, (slice(None), slice(None, None, -1)), v),
        [X, X * 2],
    ),
    "set_negative_index": (lambda x: _set(x, (slice(None), -1), 5.0), [X]),
    "set_ellipsis": (lambda x: _set(x, (Ellipsis, 1), 5.0), [X]),
    "set_tensor": (lambda x, v: _set(x, (slice(None), slice(1, 3)), v), [X, V[:1]]),
    "set_tensor_two": (lambda x, v: _set(x, (slice(0, 1), slice(1, 3)), v), [X, X[:1, :2] * 3]),
    "set_tensor_decrease": (lambda x, v: _set(x, (slice(None), 1), v), [X, X[:, 0] * 2]),
    "set_list": (lambda x: _set(x, (0, 0), paddle.to_tensor([1.0, 2, 3, 4])), [X]),
    "set_whole": (lambda x: _set(x, slice(None), 3.0), [X]),
    "set_none": (lambda x, v: _set(x, (slice(None), None, 1), v), [X, X[:, :1] * 2]),
    "set_mask": (lambda x, m: _set(x, m, 4.0), [X, M]),
    "set_index_tensor": (lambda x, i: _set(x, i, 4.0), [X[0], IDX]),
    "set_int": (lambda x: _set(x.astype("int64") * 1, (slice(None), 1), 7).astype("float32"), [X]),
    "set_open_end": (lambda x: _set(x, (slice(None), slice(-2, None)), 7.0), [X]),
    "get_index_tensor": (lambda x, i: x[:, i], [X, IDX]),
    "get_negative_index_tensor": (lambda x, i: x[:, i], [X, NEG]),
    "get_two_index_tensors": (lambda x, i, j: x[i, j], [X, np.int64([0, 1]), np.int64([2, 1])]),
    "get_split_index_tensors": (
        lambda x, i, j: x[i, :, j],
        [X, np.int64([0, 1]), np.int64([2, 1])],
    ),
    "get_mask": (lambda x, m: x[m], [X, M]),
    "get_mask_rows": (lambda x, m: x[m], [X, np.array([True, False])]),
    "get_steps": (lambda x: x[:, ::2, 1:4:2], [X]),
    "get_negative_steps": (lambda x: x[:, ::-1, 3:0:-2], [X]),
    "get_none": (lambda x: x[:, None, 1], [X]),
    "get_bounds_tensor": (lambda x, i: x[:, i : i + 1], [X, np.int64([1])]),
    "get_0d_tensor": (lambda x, i: x[:, i], [X, np.int64(1)]),
    "slice_bounds_from_shape": (lambda x: x[:, : x.shape[2] - 2], [X]),
    "slice_negative": (lambda x: x[:, -2:, :-1], [X]),
    "slice_beyond": (lambda x: x[:, 1:100], [X]),
    "slice_int": (lambda x: x[:, 1:], [T]),
    "slice_bool": (lambda x: x[:, 1:], [M]),
    "strided_slice": (lambda x: paddle.strided_slice(x, [1, 2], [0, 3], [3, 0], [2, -1]), [X]),
    "strided_slice_whole_back": (lambda x: paddle.strided_slice(x, [1], [-1], [-100], [-1]), [X]),
    "select_scatter": (
        lambda x, v: paddle.select_scatter(x, v, 1, 2),
        [X, X[:, 0]],
        {"static": True},
    ),
    "slice_scatter": (
        lambda x, v: paddle.slice_scatter(x, v, [2], [0], [4], [2]),
        [X, X[:, :, :2]],
        {"static": True},
    ),
    "diagonal_scatter": (lambda x, v: paddle.diagonal_scatter(x, v), [X[0], V], {"static": True}),
    "index_get_2d": (lambda x, i: x[i], [X[0], T]),
    "embedding": (lambda i: paddle.nn.functional.embedding(i, paddle.to_tensor(X[0])), [T]),
    "embedding_padding": (
        lambda i: paddle.nn.functional.embedding(i, paddle.to_tensor(X[0]), padding_idx=0),
        [T],
    ),
    "embedding_int32": (
        lambda i: paddle.nn.functional.embedding(i, paddle.to_tensor(X[0])),
        [T.astype("int32")],
    ),
}
for _mode in ("add", "mul", "multiply", "amin", "amax", "mean"):
    for _self in (True, False):
        CASES[f"put_along_axis_{_mode}_{_self}"] = (
            lambda x, i, v, mode=_mode, s=_self: paddle.put_along_axis(
                x, i, v, 0, mode, include_self=s, broadcast=False
            ),
            [X[0], np.int64([[1, 0, 1], [1, 2, 1]]), X[1, :2, :3]],
        )


@pytest.mark.parametrize("name", CASES)
def test_indexing(check_case, name):
    check_case(CASES[name])


TABLE = np.random.default_rng(0).normal(size=(300, 16)).astype("float32")


def padded():
    """An embedding whose padding row is not zero in the saved weights."""

    class Layer(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.table = paddle.nn.Embedding(*TABLE.shape, padding_idx=2)
            self.table.weight.set_value(TABLE)

        def forward(self, x0):
            return self.table(x0)

    return Layer()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_padding_of_an_embedding_takes_no_second_table(saved, dtype):
    """paddle2onnx multiplies the table with a mask as large as it is."""
    model = saved(padded(), [T.astype(dtype)], more=[[np.full((1, 5), 2, dtype)]])
    assert not model.wanted[1][0].any()
    for opset in (7, 11, 17):
        translated = model.compare(opset, atol=0, rtol=0)
        assert [repair.name for repair in translated.repairs] == ["lower-embedding"]
        assert translated.model.ByteSize() < TABLE.nbytes + 2000


def test_padding_of_an_embedding_in_a_loop(saved):
    """As a decoder has it: each round looks up what the one before has found."""

    class Layer(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.layer = padded()

        def forward(self, x0):
            i = paddle.zeros([1], "int64")
            y = paddle.zeros([2, 16])
            while i < 3:
                y = y + self.layer(x0 + i)
                i = i + 1
            return y

    model = saved(Layer(), [np.int64([1, 7])], static=True, more=[[np.int64([2, 0])]])
    for opset in (11, 17):
        translated = model.compare(opset)
        assert "lower-embedding" in [repair.name for repair in translated.repairs]
        assert translated.model.ByteSize() < TABLE.nbytes + 10000
