"""Attention and transformers, in the forms that models use."""

import math

import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, boolean, f32, i64

family = Family("attention", __file__)

tokens = f32("x", (2, 5, 8), (3, 7, 8))
heads = (
    f32("q", (2, 5, 2, 4), (3, 7, 2, 4)),
    f32("k", (2, 5, 2, 4), (3, 7, 2, 4)),
    f32("v", (2, 5, 2, 4), (3, 7, 2, 4)),
)

longest = f32("m", (3, 1, 9, 9))
longest_bool = boolean("m", (3, 1, 9, 9))


def cut(mask, batch, length):
    """The part of a mask for the longest batch that fits, as models that keep one cut it."""
    return mask[:batch, :, :length, :length]


def attend_masked(q, k, v, m):
    shape = paddle.shape(q)
    return F.scaled_dot_product_attention(q, k, v, cut(m, shape[0], shape[1]))


family.case("sdpa", lambda q, k, v: F.scaled_dot_product_attention(q, k, v), *heads, static=True)
family.case(
    "sdpa_causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), *heads
)
family.case("sdpa_mask", attend_masked, *heads, longest)
family.case("sdpa_bool_mask", attend_masked, *heads, longest_bool)
family.layer("multi_head", lambda: nn.MultiHeadAttention(8, 2), tokens, static=True)


class Cross(nn.Layer):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiHeadAttention(8, 2, kdim=6, vdim=6)

    def forward(self, x, y):
        return self.attention(x, y, y)


class Masked(nn.Layer):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiHeadAttention(8, 2)

    def forward(self, x, m):
        shape = paddle.shape(x)
        return self.attention(x, x, x, cut(m, shape[0], shape[1]))


class CausalMask(nn.Layer):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        b, t = paddle.shape(x)[0], paddle.shape(x)[1]
        q, k, v = self.qkv(x).reshape([b, t, 3, 2, 4]).transpose([2, 0, 3, 1, 4])
        scores = paddle.matmul(q, k, transpose_y=True) / math.sqrt(4)
        mask = paddle.triu(paddle.full([t, t], -1e9), 1)
        return self.out(
            paddle.matmul(F.softmax(scores + mask), v).transpose([0, 2, 1, 3]).reshape([b, t, 8])
        )


class Rotary(nn.Layer):
    def forward(self, x):
        t = paddle.arange(paddle.shape(x)[1]).astype("float32").unsqueeze(1)
        angle = t * paddle.to_tensor([1.0, 0.1])
        cos, sin = paddle.cos(angle), paddle.sin(angle)
        a, b = x[..., :2], x[..., 2:4]
        return paddle.concat([a * cos - b * sin, a * sin + b * cos], -1)


class Positions(nn.Layer):
    """Learned positions sliced to the length: every BERT-like model has this."""

    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(12, 8), nn.Embedding(20, 8)
        self.norm = nn.LayerNorm(8)

    def forward(self, i):
        ones = paddle.ones_like(i)
        where = paddle.cumsum(ones, axis=1) - ones
        return self.norm(self.token(i) + self.position(where))


class Relative(nn.Layer):
    """Window attention's bias: a table gathered by constant indices."""

    def __init__(self):
        super().__init__()
        self.table = self.create_parameter([49, 2])
        self.register_buffer("index", paddle.arange(16).reshape([4, 4]) * 3)

    def forward(self, x):
        bias = (
            paddle.gather(self.table, self.index.flatten()).reshape([4, 4, 2]).transpose([2, 0, 1])
        )
        return x + bias.unsqueeze(0)


def windows(x):
    """Swin's window partition and cyclic shift."""
    b, h, w, c = x.shape
    x = paddle.roll(x, [-1, -1], [1, 2])
    return x.reshape([b, h // 2, 2, w // 2, 2, c]).transpose([0, 1, 3, 2, 4, 5]).reshape([-1, 4, c])


family.layer("multi_head_cross", Cross, tokens, f32("y", (2, 4, 6), (3, 9, 6)))
family.layer("multi_head_mask", Masked, tokens, longest)
family.layer("multi_head_bool_mask", Masked, tokens, longest_bool)
family.layer("causal_mask", CausalMask, tokens)
family.layer("rotary", Rotary, f32("x", (2, 5, 4), (3, 7, 4)))
family.layer("positions", Positions, i64("i", (2, 5), (3, 7)))
family.layer("relative_bias", Relative, f32("x", (2, 2, 4, 4), (3, 2, 4, 4)))
family.case("windows", windows, f32("x", (2, 4, 6, 3)))
family.case(
    "windows_dynamic_batch", lambda x: windows_dynamic(x), f32("x", (2, 4, 6, 3), (3, 4, 6, 3))
)


def windows_dynamic(x):
    x = paddle.roll(x, [-1, -1], [1, 2])
    return x.reshape([-1, 2, 2, 3, 2, 3]).transpose([0, 1, 3, 2, 4, 5]).reshape([-1, 4, 3])


family.layer("encoder_layer", lambda: nn.TransformerEncoderLayer(8, 2, 16), tokens, static=True)
family.layer(
    "encoder_layer_prenorm_gelu",
    lambda: nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", normalize_before=True),
    tokens,
)
family.layer(
    "encoder", lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2), tokens
)


class DecoderLayer(nn.Layer):
    def __init__(self):
        super().__init__()
        self.decoder = nn.TransformerDecoderLayer(8, 2, 16)

    def forward(self, x, memory):
        return self.decoder(x, memory)


class Seq2Seq(nn.Layer):
    def __init__(self):
        super().__init__()
        self.model = nn.Transformer(8, 2, 1, 1, 16)

    def forward(self, x, y):
        return self.model(x, y)


family.layer("decoder_layer", DecoderLayer, tokens, f32("m", (2, 4, 8), (3, 6, 8)))
family.layer("transformer", Seq2Seq, tokens, f32("y", (2, 4, 8), (3, 6, 8)))
family.case(
    "padding_mask",
    lambda i: ((i == 0).astype("float32") * -1e4).unsqueeze([1, 2]),
    i64("i", (2, 5), (3, 7), low=0, high=3),
)
family.case(
    "alibi",
    lambda x: x + paddle.arange(paddle.shape(x)[2]).astype("float32") * -0.5,
    f32("x", (2, 5, 5), (3, 7, 7)),
)
family.case(
    "softmax_mask",
    lambda x, m: F.softmax(paddle.where(m, x, paddle.full_like(x, -1e9)), -1),
    f32("x", (2, 5, 6), (3, 7, 4)),
    boolean("m", (2, 5, 6), (3, 7, 4)),
)
