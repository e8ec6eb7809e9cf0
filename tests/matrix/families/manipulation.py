"""Shapes and layouts: reshape, transpose, join, split, tile, flip, roll, diagonals, shapes."""

import paddle
from paddle.nn import functional as F

from tests.matrix.case import Family, f32, i32, i64

family = Family("manipulation", __file__)

x = f32("x", (2, 6, 5), (3, 6, 7))
every = f32("x", (2, 6, 5), (3, 4, 7))
still = f32("x", (2, 6, 5))

for name, function in {
    "reshape_rest": lambda x: x.reshape([0, -1]),
    "reshape_zero": lambda x: x.reshape([0, 0, 5]) if x.shape[-1] == 5 else x.reshape([0, 0, -1]),
    "reshape_split": lambda x: x.reshape([0, 2, 3, -1]),
    "reshape_of_shape": lambda x: x.reshape([paddle.shape(x)[0] * 2, -1]),
    "reshape_to_vector": lambda x: x.reshape([-1]),
    "flatten": lambda x: x.flatten(),
    "flatten_tail": lambda x: x.flatten(1),
    "flatten_head": lambda x: x.flatten(0, 1),
    "squeeze_all": lambda x: x.unsqueeze(1).squeeze(1),
    "squeeze_none": lambda x: paddle.squeeze(x, axis=1),
    "unsqueeze_first": lambda x: x.unsqueeze(0),
    "unsqueeze_last": lambda x: x.unsqueeze(-1),
    "unsqueeze_several": lambda x: x.unsqueeze([0, 2, -1]),
    "transpose": lambda x: x.transpose([2, 0, 1]),
    "transpose_last_two": lambda x: x.transpose([0, 2, 1]),
    "moveaxis": lambda x: paddle.moveaxis(x, 0, 2),
    "swapaxes": lambda x: paddle.transpose(x, [1, 0, 2]),
    "tile": lambda x: paddle.tile(x, [2, 1, 3]),
    "tile_longer": lambda x: paddle.tile(x, [2, 1, 1, 2]),
    "tile_shorter": lambda x: paddle.tile(x, [2]),
    "expand": lambda x: x.unsqueeze(1).expand([-1, 4, -1, -1]),
    "expand_new_axes": lambda x: x.sum(0).expand([3, 2, -1, -1]),
    "flip_first": lambda x: paddle.flip(x, [0]),
    "flip_last": lambda x: paddle.flip(x, [-1]),
    "flip_several": lambda x: paddle.flip(x, [0, 2]),
    "roll": lambda x: paddle.roll(x, 2, 1),
    "roll_negative": lambda x: paddle.roll(x, -1, 2),
    "roll_several": lambda x: paddle.roll(x, [1, -2], [0, 1]),
    "roll_flat": lambda x: paddle.roll(x, 3),
    "rot90": lambda x: paddle.rot90(x, 1, [0, 1]),
    "rot90_twice": lambda x: paddle.rot90(x, 2, [1, 2]),
    "split_sections": lambda x: paddle.split(x, [1, 2, 3], axis=1),
    "split_rest": lambda x: paddle.split(x, [1, -1], axis=1),
    "split_number": lambda x: paddle.split(x, 3, axis=1),
    "chunk": lambda x: paddle.chunk(x, 2, axis=1),
    "unbind": lambda x: paddle.unbind(x, axis=1),
    "unstack": lambda x: paddle.unstack(x, axis=1),
    "stack": lambda x: paddle.stack([x, x * 2.0], axis=1),
    "stack_last": lambda x: paddle.stack([x, x * 2.0], axis=-1),
    "concat": lambda x: paddle.concat([x, x * 2.0, x + 1.0], axis=1),
    "concat_last": lambda x: paddle.concat([x, x * 2.0], axis=-1),
    "concat_constant": lambda x: paddle.concat(
        [x, paddle.ones([paddle.shape(x)[0], 1, paddle.shape(x)[2]])], axis=1
    ),
    "repeat_interleave": lambda x: paddle.repeat_interleave(x, 3, axis=1),
    "repeat_interleave_last": lambda x: paddle.repeat_interleave(x, 2, axis=-1),
    "repeat_interleave_flat": lambda x: paddle.repeat_interleave(x, 2),
    "shape": lambda x: paddle.shape(x),
    "shape_dim": lambda x: paddle.shape(x)[0],
    "numel": lambda x: paddle.numel(x),
    "zeros_like": lambda x: paddle.concat([x, paddle.zeros_like(x)], 1),
    "full_like": lambda x: paddle.full_like(x, 2.5) * x,
    "ones_like_int": lambda x: paddle.ones_like(x, dtype="int64").cumsum(0),
    "broadcast_to": lambda x: paddle.broadcast_to(
        x.unsqueeze(1), [paddle.shape(x)[0], 2, 6, paddle.shape(x)[2]]
    ),
    "tril": lambda x: paddle.tril(x),
    "triu": lambda x: paddle.triu(x),
    "tril_below": lambda x: paddle.tril(x, -1),
    "triu_above": lambda x: paddle.triu(x, 2),
    "diagonal": lambda x: paddle.diagonal(x),
    "diagonal_offset": lambda x: paddle.diagonal(x, offset=1, axis1=1, axis2=2),
    "trace": lambda x: paddle.trace(x, axis1=1, axis2=2),
    "transpose_reshape": lambda x: x.transpose([0, 2, 1]).reshape([0, -1, 2]),
    "expand_as": lambda x: paddle.expand_as(x[:1, :, :1], x),
    "assign": lambda x: paddle.assign(x) * 2.0,
    "tensor_split": lambda x: paddle.tensor_split(x, 4, axis=1),
    "hsplit": lambda x: paddle.hsplit(x, 3),
    "atleast_3d": lambda x: paddle.atleast_3d(x[0]) * 2.0,
}.items():
    family.case(
        name,
        function,
        x,
        static=name
        in (
            "reshape_rest",
            "flip_first",
            "split_sections",
            "tile",
            "diagonal",
            "roll",
            "repeat_interleave",
            "expand",
        ),
    )
family.case(
    "repeat_interleave_tensor",
    lambda x, n: paddle.repeat_interleave(x, n, axis=1),
    still,
    i64("n", (6,), low=1, high=4),
)
family.case("trace_offset", lambda x: paddle.trace(x, offset=-1), f32("x", (4, 5)))
family.case("trace_dynamic", lambda x: paddle.trace(x), f32("x", (4, 5), (6, 3)))
family.case("diag_vector", lambda x: paddle.diag(x), f32("x", (5,)))
family.case("diag_vector_dynamic", lambda x: paddle.diag(x), f32("x", (5,), (3,)))
family.case(
    "diag_offset_padding", lambda x: paddle.diag(x, offset=1, padding_value=6.0), f32("x", (5,))
)
family.case("diag_matrix", lambda x: paddle.diag(x), f32("x", (4, 5)))
family.case("diagflat", lambda x: paddle.diagflat(x), f32("x", (2, 3)))
family.case("diag_embed", lambda x: paddle.diag_embed(x), f32("x", (2, 4), (3, 4)), static=True)
family.case(
    "diag_embed_offset", lambda x: paddle.diag_embed(x, offset=-1, dim1=0, dim2=2), f32("x", (2, 4))
)
family.case(
    "expand_to_input",
    lambda x, y: x.expand(paddle.shape(y)),
    f32("x", (1, 6, 1)),
    f32("y", (2, 6, 5), (3, 6, 7)),
)
family.case(
    "expand_as_dynamic",
    lambda x, y: paddle.expand_as(x, y),
    f32("x", (1, 6, 1)),
    f32("y", (2, 6, 5), (3, 6, 7)),
)
family.case(
    "expand_as_longer",
    lambda x, y: paddle.expand_as(x, y),
    f32("x", (6, 1)),
    f32("y", (2, 6, 5), (3, 6, 7)),
)
family.case("tile_tensor", lambda x, n: paddle.tile(x, n), x, i32("n", (3,), low=1, high=4))
family.case(
    "reshape_tensor",
    lambda x, s: x.reshape(s),
    still,
    i32("s", (2,), draw=lambda rng, shape: [6, 10]),
    weak=False,
)
family.case(
    "reshape_by_other",
    lambda x, y: x.reshape([paddle.shape(y)[0], -1]),
    f32("x", (2, 6, 6)),
    f32("y", (4, 1), (6, 1)),
)
family.case(
    "transpose_rank5",
    lambda x: x.transpose([0, 3, 1, 4, 2]),
    f32("x", (2, 3, 4, 5, 6), (1, 3, 2, 5, 6)),
)
family.case("squeeze_dynamic", lambda x: x.squeeze(1), f32("x", (2, 1, 5), (3, 1, 7)))
family.case("squeeze_every_one", lambda x: paddle.squeeze(x), f32("x", (2, 1, 5, 1)))
family.case(
    "concat_two", lambda x, y: paddle.concat([x, y], axis=1), x, f32("y", (2, 3, 5), (3, 3, 7))
)
family.case(
    "concat_dynamic_axis",
    lambda x, y: paddle.concat([x, y], axis=1),
    f32("x", (2, 3, 4), (2, 5, 4)),
    f32("y", (2, 1, 4), (2, 6, 4)),
)
family.case("split_dynamic_axis", lambda x: paddle.split(x, 2, axis=0), f32("x", (4, 3), (6, 3)))
family.case("chunk_dynamic_axis", lambda x: x[: paddle.shape(x)[0] // 2], f32("x", (4, 3), (6, 3)))
family.case(
    "meshgrid", lambda x, y: paddle.meshgrid(x, y), f32("x", (4,), (3,)), f32("y", (5,), (2,))
)
family.case("combinations", lambda x: paddle.combinations(x, 2), f32("x", (4,)))
family.case(
    "cartesian_prod", lambda x, y: paddle.cartesian_prod([x, y]), f32("x", (4,)), f32("y", (3,))
)
family.case("unflatten", lambda x: paddle.unflatten(x, 1, [2, 3]), still)
family.case("vander", lambda x: paddle.vander(x, 3), f32("x", (4,)))
family.case("flip_dynamic", lambda x: paddle.flip(x, [0, 1]), every)
family.case("roll_dynamic", lambda x: paddle.roll(x, [1, 1], [0, 1]), every)
family.case("pad_sequence_like", lambda x: F.pad(x, [0, 0, 0, 2, 0, 0]), every)
family.case("slice_then_stack", lambda x: paddle.stack([x[:, i] for i in range(6)], 0), x)
family.case(
    "block_diag", lambda x, y: paddle.block_diag([x, y]), f32("x", (2, 3)), f32("y", (3, 2))
)

# Creation from shapes and numbers.
for name, function in {
    "arange_of_shape": lambda x: paddle.arange(paddle.shape(x)[0]) * 2,
    "arange_step": lambda x: paddle.arange(0, paddle.shape(x)[1] * 2, 3),
    "arange_float": lambda x: paddle.arange(0.5, 4.0, 0.5) * x.sum(),
    "linspace": lambda x: paddle.linspace(0.0, 3.0, 7) * x.sum(),
    "linspace_of_shape": lambda x: paddle.linspace(0.0, 1.0, paddle.shape(x)[2]) * x,
    "logspace": lambda x: paddle.logspace(0.0, 2.0, 5) * x.sum(),
    "eye": lambda x: paddle.eye(5, 4) + x.sum(),
    "eye_of_shape": lambda x: paddle.eye(paddle.shape(x)[0]) * x.sum(),
    "full_of_shape": lambda x: paddle.full([paddle.shape(x)[0], 3], 2.5).cumsum(0),
    "zeros_of_shape": lambda x: paddle.zeros([paddle.shape(x)[0], 3]) + x[:, :3, 0],
    "ones_static": lambda x: paddle.ones([6, 1]) * x,
    "tril_indices": lambda x: paddle.tril_indices(4, 4, 0) + paddle.shape(x)[0],
    "triu_indices": lambda x: paddle.triu_indices(4, 4, 1) + paddle.shape(x)[0],
    "to_tensor": lambda x: paddle.to_tensor([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]) * x,
}.items():
    family.case(name, function, x)
