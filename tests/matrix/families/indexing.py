"""Reading and writing by index: slices, gather, scatter, masks, put and take along axes."""

import numpy as np
import paddle

from tests.matrix.case import Family, boolean, f32, i32, i64

family = Family("indexing", __file__)

x = f32("x", (8, 6, 5), (9, 6, 7))
still = f32("x", (8, 6, 5))
rows = i64("i", (4,), (3,), low=0, high=8)


def unique(rng, shape):
    return rng.permutation(8)[: int(np.prod(shape))]


distinct = i64("i", (4,), (3,), draw=unique)

# Slices, as Python writes them.
for name, function in {
    "slice_first": lambda x: x[0],
    "slice_last": lambda x: x[-1],
    "slice_range": lambda x: x[1:3],
    "slice_negative": lambda x: x[:, -3:-1],
    "slice_step": lambda x: x[::2, 1::2],
    "slice_reversed": lambda x: x[::-1],
    "slice_reversed_last": lambda x: x[..., ::-1],
    "slice_reversed_step": lambda x: x[:, 4:0:-2],
    "slice_ellipsis": lambda x: x[..., 1],
    "slice_new_axis": lambda x: x[:, None, 2],
    "slice_two_ints": lambda x: x[1, 2],
    "slice_to_scalar": lambda x: x[1, 2, 3],
    "slice_beyond": lambda x: x[:, 2:100],
    "slice_list": lambda x: x[[0, 2, 1]],
    "slice_list_second": lambda x: x[:, [3, 0]],
    "slice_two_lists": lambda x: x[[0, 1], [2, 3]],
    "slice_of_shape": lambda x: x[:, : paddle.shape(x)[0] - 6],
    "slice_empty": lambda x: x[:, 2:2],
}.items():
    family.case(
        name, function, x, static=name in ("slice_step", "slice_reversed"), weak="empty" in name
    )
family.case("slice_by_tensor", lambda x, i: x[i], x, rows)
family.case("slice_by_tensor_second", lambda x, i: x[:, i], x, i64("i", (4,), (3,), low=0, high=6))
family.case(
    "slice_by_two_tensors", lambda x, i, j: x[i, j], x, rows, i64("j", (4,), (3,), low=0, high=6)
)
family.case("slice_by_matrix", lambda x, i: x[i], x, i64("i", (2, 3), (3, 2), low=0, high=8))
family.case("slice_by_tensor_and_range", lambda x, i: x[i, 1:3], x, rows)
family.case("slice_by_mask", lambda x: x[x > 0.5], x)
family.case("slice_by_mask_rows", lambda x, m: x[m], x, boolean("m", (8,), (9,)))
family.case("slice_by_mask_and_column", lambda x, m: x[m, 1], x, boolean("m", (8,), (9,)))
family.case("slice_start_tensor", lambda x, i: x[i:], still, i64("i", (), low=0, high=4))
family.case("slice_end_tensor", lambda x, i: x[: i + 1, : i + 2], x, i64("i", (), low=0, high=4))
family.case("slice_int_tensor", lambda x, i: x[i], x, i64("i", (), low=0, high=8))
family.case("slice_api", lambda x: paddle.slice(x, axes=[0, 2], starts=[1, -3], ends=[5, 100]), x)
family.case(
    "slice_api_tensor",
    lambda x, s: paddle.slice(x, axes=[0], starts=s, ends=s + 2),
    x,
    i32("s", (1,), low=0, high=4),
)
family.case("strided_slice", lambda x: paddle.strided_slice(x, [0, 1], [1, 5], [7, 0], [2, -2]), x)
family.case("crop", lambda x: paddle.crop(x, shape=[2, 3, 4], offsets=[1, 2, 0]), x)
family.case("crop_rest", lambda x: paddle.crop(x, shape=[-1, 3, -1], offsets=[1, 2, 0]), still)

# Writing by index.
for name, function in {
    "set_scalar": lambda x: _set(x, (slice(1, 3),), 2.5),
    "set_column": lambda x: _set(x, (slice(None), 2), -1.0),
    "set_last": lambda x: _set(x, (Ellipsis, -1), 3.0),
    "set_step": lambda x: _set(x, (slice(None), slice(None, None, 2)), 4.0),
    "set_block": lambda x: _set(x, (slice(0, 2), slice(1, 4)), 7.0),
    "set_tensor": lambda x: _set(x, (slice(0, 2),), x[2:4] * 2.0),
    "set_row": lambda x: _set(x, (3,), x[0] - 1.0),
    "set_two_rows_list": lambda x: _set(x, ([0, 2],), 5.0),
}.items():
    family.case(name, function, x, static=name == "set_block")


def _set(x, where, value):
    y = x * 1.0
    y[where if len(where) > 1 else where[0]] = value
    return y


family.case("set_by_mask", lambda x: _set(x, (x > 0.5,), 9.0), x)
family.case("set_by_tensor", lambda x, i: _set(x, (i,), 9.0), x, distinct)
family.case(
    "set_by_column_tensor",
    lambda x, i: _set(x, (slice(None), paddle.clip(i, 0, 5)), 9.0),  # Paddle checks no index
    x,
    i64("i", (2,), draw=lambda rng, s: rng.permutation(6)[:2]),
)

# Gather.
for axis in (0, 1, 2, -1):
    name = axis if axis >= 0 else "last"
    family.case(
        f"gather_axis_{name}",
        lambda x, i, a=axis: paddle.gather(x, i, axis=a),
        x,
        i64("i", (4,), (3,), low=0, high=5),
        static=axis == 1,
    )
    family.case(
        f"index_select_axis_{name}",
        lambda x, i, a=axis: paddle.index_select(x, i, axis=a),
        x,
        i64("i", (4,), (3,), low=0, high=5),
    )
family.case(
    "gather_int32", lambda x, i: paddle.gather(x, i), x, i32("i", (4,), (3,), low=0, high=8)
)
family.case("gather_scalar_index", lambda x, i: paddle.gather(x, i), x, i64("i", (), low=0, high=8))
family.case(
    "gather_column_index",
    lambda x, i: paddle.gather(x, i),
    x,
    i64("i", (4, 1), (3, 1), low=0, high=8),
)
family.case("gather_nd", paddle.gather_nd, x, i64("i", (4, 2), (3, 2), low=0, high=6))
family.case("gather_nd_full", paddle.gather_nd, x, i64("i", (4, 3), (3, 3), low=0, high=5))
family.case("gather_nd_rows", paddle.gather_nd, x, i64("i", (2, 3, 1), (1, 4, 1), low=0, high=8))
family.case(
    "take_along_axis",
    lambda x, i: paddle.take_along_axis(x, i, 1),
    x,
    i64("i", (8, 2, 5), (9, 3, 7), low=0, high=6),
)
family.case(
    "take_along_last",
    lambda x, i: paddle.take_along_axis(x, i, -1),
    x,
    i64("i", (8, 6, 2), (9, 6, 3), low=0, high=5),
)
family.case(
    "take_along_axis_broadcast",
    lambda x, i: paddle.take_along_axis(x, i, 1),
    still,
    i64("i", (1, 2, 1), low=0, high=6),
)
family.case("take", paddle.take, still, i64("i", (3, 4), low=0, high=200))
family.case(
    "take_wrap",
    lambda x, i: paddle.take(x, i, mode="wrap"),
    still,
    i64("i", (3,), low=-300, high=600),
)
family.case(
    "index_sample",
    paddle.index_sample,
    f32("x", (4, 9), (3, 8)),
    i64("i", (4, 3), (3, 2), low=0, high=8),
)
family.case(
    "multiplex",
    lambda a, b, i: paddle.multiplex([a, b], i),
    f32("a", (4, 3)),
    f32("b", (4, 3)),
    i32("i", (4, 1), low=0, high=2),
)
family.case(
    "embedding",
    lambda i, w: paddle.nn.functional.embedding(i, w),
    i64("i", (2, 5), (3, 4), low=0, high=8),
    f32("w", (10, 6)),
)
family.layer(
    "embedding_layer",
    lambda: paddle.nn.Embedding(12, 6),
    i64("i", (2, 5), (3, 4), low=0, high=8),
    static=True,
)


class PaddedEmbedding(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.table = paddle.nn.Embedding(12, 6, padding_idx=0)

    def forward(self, i):
        # With a padding index Paddle reads what lies before the table for a number below 0.
        return self.table(paddle.clip(i, 0, 11))


family.layer(
    "embedding_padding",
    lambda: PaddedEmbedding(),
    i64("i", (2, 5), (3, 4), low=0, high=8),
)
family.case(
    "embedding_padding_row",  # of which the weights say something else than zeros
    lambda i, w: paddle.nn.functional.embedding(paddle.clip(i, 0, 9), w, padding_idx=3),
    i64("i", (2, 5), (3, 4), low=0, high=8),
    f32("w", (10, 6)),
    sample=True,
)
family.layer(
    "embedding_int32", lambda: paddle.nn.Embedding(12, 6), i32("i", (2, 5), (3, 4), low=0, high=8)
)

# Scatter.
source = f32("y", (4, 6, 5), (3, 6, 7))
family.case("scatter_overwrite", paddle.scatter, x, distinct, source, static=True)
family.case(
    "scatter_add",
    lambda x, i, y: paddle.scatter(x, i, y, overwrite=False),
    x,
    i64("i", (4,), (3,), low=0, high=8),
    source,
)
family.case(
    "scatter_nd",
    lambda i, y: paddle.scatter_nd(i, y, [8, 6]),
    i64("i", (4, 2), (3, 2), low=0, high=6),
    f32("y", (4,), (3,)),
)
family.case(
    "scatter_nd_add", paddle.scatter_nd_add, x, i64("i", (4, 1), (3, 1), low=0, high=8), source
)
family.case(
    "scatter_nd_add_cells",
    paddle.scatter_nd_add,
    still,
    i64("i", (4, 3), (3, 3), low=0, high=5),
    f32("y", (4,), (3,)),
)
along = i64(
    "i",
    (8, 2, 5),
    (9, 2, 7),
    draw=lambda rng, s: (
        np.stack([rng.permutation(6)[:2] for _ in range(s[0] * s[2])])
        .reshape(s[0], s[2], 2)
        .swapaxes(1, 2)
    ),
)
put = f32("y", (8, 2, 5), (9, 2, 7))
for how in ("assign", "add", "mul", "amax", "amin", "mean"):
    family.case(
        f"put_along_axis_{how}",
        lambda x, i, y, h=how: paddle.put_along_axis(x, i, y, 1, reduce=h),
        x,
        along,
        put,
        static=how == "assign",
    )
family.case(
    "put_along_axis_add_twice",
    lambda x, i, y: paddle.put_along_axis(x, i, y, 1, reduce="add"),
    x,
    i64("i", (8, 2, 5), (9, 2, 7), low=0, high=2),
    put,
)
family.case(
    "put_along_axis_no_self",
    lambda x, i, y: paddle.put_along_axis(x, i, y, 1, reduce="add", include_self=False),
    x,
    along,
    put,
)
family.case("put_along_axis_scalar", lambda x, i: paddle.put_along_axis(x, i, 3.0, 1), x, along)
family.case(
    "index_add",
    lambda x, i, y: paddle.index_add(x, i, 0, y),
    x,
    i64("i", (4,), (3,), low=0, high=8),
    source,
)
family.case(
    "index_add_axis",
    lambda x, i, y: paddle.index_add(x, i, 1, y),
    still,
    i64("i", (3,), low=0, high=6),
    f32("y", (8, 3, 5)),
)
family.case(
    "index_put",
    lambda x, i, j, y: paddle.index_put(x, (i, paddle.clip(j, 0, 5)), y),  # it checks no index
    still,
    distinct,
    i64("j", (4,), (3,), low=0, high=6),
    f32("y", (4, 5), (3, 5)),
)
family.case(
    "index_put_accumulate",
    lambda x, i, y: paddle.index_put(x, (i,), y, accumulate=True),
    still,
    rows,
    f32("y", (4, 6, 5), (3, 6, 5)),
)
family.case("index_fill", lambda x, i: paddle.index_fill(x, i, 0, 7.0), x, distinct)
family.case(
    "slice_scatter",
    lambda x, y: paddle.slice_scatter(x, y, [0], [2], [6], [2]),
    still,
    f32("y", (2, 6, 5)),
)
family.case(
    "select_scatter", lambda x, y: paddle.select_scatter(x, y, 1, 2), still, f32("y", (8, 5))
)
family.case(
    "masked_scatter", paddle.masked_scatter, still, boolean("m", (8, 6, 5)), f32("y", (240,))
)
family.case(
    "diagonal_scatter", lambda x, y: paddle.diagonal_scatter(x, y), f32("x", (4, 5)), f32("y", (4,))
)

# Masks.
family.case(
    "masked_fill",
    lambda x, m: paddle.masked_fill(x, m, -5.0),
    x,
    boolean("m", (8, 6, 5), (9, 6, 7)),
)
family.case(
    "masked_fill_broadcast",
    lambda x, m: paddle.masked_fill(x, m, float("-inf")),
    x,
    boolean("m", (6, 1)),
)
family.case(
    "masked_fill_tensor", paddle.masked_fill, x, boolean("m", (8, 6, 5), (9, 6, 7)), f32("v", ())
)
family.case(
    "masked_select", paddle.masked_select, x, boolean("m", (8, 6, 5), (9, 6, 7)), static=True
)
family.case(
    "where", paddle.where, boolean("m", (8, 6, 5), (9, 6, 7)), x, f32("y", (8, 6, 5), (9, 6, 7))
)
family.case("where_broadcast", paddle.where, boolean("m", (6, 1)), x, f32("y", (5,), (7,)))
family.case("where_scalar", lambda x: paddle.where(x > 0, x, 0.25), x)
family.case("where_index", lambda x: paddle.nonzero(x > 0.3), x, static=True)
family.case(
    "where_index_tuple", lambda x: paddle.nonzero(x > 0.3, as_tuple=True), f32("x", (5, 6), (4, 7))
)
family.case(
    "one_hot",
    lambda i: paddle.nn.functional.one_hot(i, 8),
    i64("i", (2, 5), (3, 4), low=0, high=8),
    static=True,
)
family.case(
    "one_hot_int32",
    lambda i: paddle.nn.functional.one_hot(i, 10),
    i32("i", (2, 5), (3, 4), low=0, high=8),
)
family.case(
    "shard_index", lambda i: paddle.shard_index(i, 20, 2, 0), i64("i", (6, 1), low=0, high=20)
)
