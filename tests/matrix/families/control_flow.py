"""Branches and loops that depend on data, with weights and values from outside."""

import paddle
from paddle import nn

from tests.matrix.case import Family, f32, i64

family = Family("control_flow", __file__)

x = f32("x", (2, 4), (3, 4))
number = i64("n", (), low=1, high=6)


def if_else(x):
    y = x + 1.0 if x.sum() > 0 else x * 2.0
    return y * 3.0


def if_only(x):
    y = x * 1.0
    if x.mean() > -9.0:
        y = y - 1.5
    return y * 2.0


def nested(x):
    if x.sum() > 0:
        y = x + 1.0 if x.max() > 2.0 else x - 1.0
        y = y * 1.5
    else:
        y = -x
    return y * 2.0


def if_shapes(x):
    y = x.sum(axis=0) if x.shape[0] > 2 else x.max(axis=0)
    return y * 2.0


def if_several(x):
    if x.sum() > 0:
        y, z = x + 1.0, x.sum()
    else:
        y, z = x - 1.0, x.mean()
    return y * 1.5, z * 2.0


def if_int(x, n):
    y = x * 2.0 if n > 2 else x - 3.0
    return y + n.astype("float32")


def loop(x, n):
    i = paddle.zeros([], dtype="int64")
    while i < n:
        x = x * 0.5 + 1.0
        i = i + 1
    return x * 1.0


def loop_data(x):
    while x.abs().max() > 0.5:
        x = x * 0.5
    return x * 2.0


def loop_two(x, n):
    i = paddle.zeros([], dtype="int64")
    total = paddle.zeros([4])
    while i < n:
        total = total + x.sum(0) * i.astype("float32")
        i = i + 1
    return total, i * 2


def loop_if(x, n):
    i = paddle.zeros([], dtype="int64")
    while i < n:
        x = x + 1.0 if i % 2 == 0 else x * 0.5
        i = i + 1
    return x * 1.0


def loop_nested(x, n):
    i = paddle.zeros([], dtype="int64")
    while i < n:
        j = paddle.zeros([], dtype="int64")
        while j < i:
            x = x + 0.25
            j = j + 1
        i = i + 1
    return x * 2.0


def loop_range(x, n):
    for i in range(n):
        x = x * 0.5 + i
    return x * 2.0


def loop_break(x, n):
    i = paddle.zeros([], dtype="int64")
    while i < n:
        x = x + 1.0
        i = i + 1
        if x.max() > 3.0:
            break
    return x * 2.0


def loop_append(x, n):
    rows = []
    for i in range(n):
        rows.append(x * i)
    return paddle.stack(rows, 0)


def loop_concat(x, n):
    y = x * 1.0
    i = paddle.zeros([], dtype="int64")
    while i < n:
        y = paddle.concat([y, x * 2.0], axis=0)
        i = i + 1
    return y * 1.0


def loop_rows(x):
    total = paddle.zeros([4])
    for i in range(x.shape[0]):
        total = total * 0.5 + x[i]
    return total * 2.0


def logical(x):
    y = x + 1.0 if (x.sum() > 0 and x.max() > 1.0) or x.min() < -3.0 else x - 1.0
    return y * 2.0


def ternary_tensor(x):
    return paddle.static.nn.cond(x.sum() > 0, lambda: x + 1.0, lambda: x * 3.0) * 2.0


def switch(x, n):
    return (
        paddle.static.nn.switch_case(
            n.astype("int32"),
            {0: lambda: x + 1.0, 1: lambda: x * 2.0, 2: lambda: x - 4.0},
            default=lambda: x * 0.5,
        )
        * 2.0
    )


def case_of(x):
    return (
        paddle.static.nn.case(
            [(x.sum() > 3.0, lambda: x + 1.0), (x.sum() > 0.0, lambda: x * 2.0)],
            default=lambda: x - 4.0,
        )
        * 2.0
    )


def while_api(x, n):
    i = paddle.zeros([], dtype="int64")
    _, y = paddle.static.nn.while_loop(
        lambda i, y: i < n, lambda i, y: [i + 1, y * 0.5 + 1.0], [i, x]
    )
    return y * 2.0


for function in (
    if_else,
    if_only,
    nested,
    if_shapes,
    if_several,
    loop_data,
    loop_rows,
    logical,
    ternary_tensor,
    case_of,
):
    family.case(function.__name__, function, x, static=function in (if_else, loop_data))
for function in (
    if_int,
    loop,
    loop_two,
    loop_if,
    loop_nested,
    loop_range,
    loop_break,
    loop_append,
    loop_concat,
    while_api,
):
    family.case(function.__name__, function, x, number)
family.case("switch", switch, x, i64("n", (), low=0, high=4))


class WeightsInside(nn.Layer):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        y = self.one(x) if x.sum() > 0 else self.other(x)
        return y * 2.0


class ConvInside(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2D(3, 3, 3, padding=1), nn.BatchNorm2D(3)

    def forward(self, x):
        y = self.norm(self.conv(x)) if x.mean() > 0 else x
        return y * 2.0


class WeightsInLoop(nn.Layer):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, n):
        i = paddle.zeros([], dtype="int64")
        while i < n:
            x = paddle.tanh(self.linear(x))
            i = i + 1
        return x * 2.0


class Decoder(nn.Layer):
    """Greedy decoding: what the table and formula models do."""

    def __init__(self):
        super().__init__()
        self.embed, self.cell, self.out = nn.Embedding(8, 6), nn.GRUCell(6, 6), nn.Linear(6, 8)

    def forward(self, h, n):
        token = paddle.zeros([paddle.shape(h)[0]], dtype="int64")
        probs = paddle.zeros([paddle.shape(h)[0], 1, 8])
        i = paddle.zeros([], dtype="int64")
        while i < n:
            _, h = self.cell(self.embed(token), h)
            logits = self.out(h)
            token = logits.argmax(-1)
            probs = paddle.concat([probs, logits.unsqueeze(1)], axis=1)
            i = i + 1
        return probs[:, 1:]


family.layer("if_weights", WeightsInside, x)
family.layer("if_conv", ConvInside, f32("x", (2, 3, 5, 6), (1, 3, 7, 4)))
family.layer("loop_weights", WeightsInLoop, x, number)
family.layer("greedy_decoder", Decoder, f32("h", (2, 6), (3, 6)), i64("n", (), low=3, high=6))
family.case("where_instead", lambda x: paddle.where(x.sum() > 0, x + 1.0, x * 2.0), x)
