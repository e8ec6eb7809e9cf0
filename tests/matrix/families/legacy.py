"""Older, rarer and fused operators that saved models still hold."""

import paddle
from paddle.nn import functional as F

from tests.matrix.case import Family, f32, i64

family = Family("legacy", __file__)

x, y = f32("x", (4, 6), (3, 6)), f32("y", (4, 6), (3, 6))
image = f32("x", (2, 4, 6, 5), (1, 4, 3, 7))
segments = i64("s", (4,), draw=lambda rng, shape: [0, 0, 1, 2])
edges = i64("e", (5,), low=0, high=4)

family.case(
    "sequence_mask", lambda n: F.sequence_mask(n, maxlen=8), i64("n", (4,), (3,), low=0, high=9)
)
family.case(
    "sequence_mask_of_data",
    lambda n: F.sequence_mask(n, dtype="float32"),
    i64("n", (4,), low=1, high=9),
)
family.case(
    "viterbi_decode",
    lambda p, t, n: paddle.text.viterbi_decode(p, t, n, False),
    f32("p", (2, 5, 4)),
    f32("t", (4, 4)),
    i64("n", (2,), draw=lambda rng, shape: [5, 5]),
)
family.case(
    "affine_channel",
    lambda x, s, b: paddle._C_ops.affine_channel(x, s, b, "NCHW"),
    image,
    f32("s", (4,)),
    f32("b", (4,)),
)
family.case(
    "add_position_encoding",
    lambda x: paddle._C_ops.add_position_encoding(x, 0.5, 1.5),
    f32("x", (2, 5, 6)),
)
family.case("shuffle_channel", lambda x: paddle._C_ops.shuffle_channel(x, 2), image)
family.case("pixel_unshuffle_3", lambda x: F.pixel_unshuffle(x, 3), f32("x", (1, 2, 6, 9)))
family.case("segment_sum", paddle.geometric.segment_sum, f32("x", (4, 3)), segments)
family.case("segment_mean", paddle.geometric.segment_mean, f32("x", (4, 3)), segments)
family.case("segment_max", paddle.geometric.segment_max, f32("x", (4, 3)), segments)
family.case(
    "send_u_recv",
    lambda x, e, d: paddle.geometric.send_u_recv(x, e, d),
    f32("x", (4, 3)),
    edges,
    i64("d", (5,), low=0, high=4),
)
family.case(
    "softmax_mask_fuse",
    paddle.incubate.softmax_mask_fuse,
    f32("x", (2, 2, 8, 32)),
    f32("m", (2, 1, 8, 32)),
)
family.case(
    "ctc_greedy", lambda x: paddle.unique_consecutive(x.argmax(-1).flatten()), f32("x", (1, 9, 4))
)
family.case(
    "blank_to_minus_one",
    lambda x: (lambda i: paddle.where(i == 0, paddle.full_like(i, -1), i))(x.argmax(-1)),
    f32("x", (2, 9, 4), (3, 5, 4)),
)
family.case(
    "top_p_by_hand",
    lambda x: (lambda v, i: (paddle.cumsum(F.softmax(v), -1) < 0.8).astype("float32") * v)(
        *paddle.topk(x, 4)
    ),
    x,
)
family.case("zeropad2d", lambda x: F.zeropad2d(x, [1, 0, 2, 1]), image)
family.case(
    "broadcast_tensors",
    lambda x, y: paddle.broadcast_tensors([x, y]),
    f32("x", (4, 1), (3, 1)),
    f32("y", (6,)),
)
family.case("quantise_by_hand", lambda x: paddle.clip(paddle.round(x / 0.05), -127, 127) * 0.05, x)
family.case(
    "one_hot_mask", lambda x, i: F.one_hot(i, 6) * x, x, i64("i", (4,), (3,), low=0, high=6)
)
family.case("multiply_by_shape", lambda x: x * paddle.shape(x)[1].astype("float32"), x)
family.case(
    "hsigmoid",
    lambda x, i, w: F.hsigmoid_loss(x, i, 6, w),
    f32("x", (4, 5)),
    i64("i", (4, 1), low=0, high=6),
    f32("w", (5, 5)),
)
family.case("pixel_norm", lambda x: x / paddle.sqrt((x * x).mean(1, keepdim=True) + 1e-8), image)
family.case(
    "layer_norm_by_hand",
    lambda x: (
        (x - x.mean(-1, keepdim=True)) / paddle.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5)
    ),
    x,
)
