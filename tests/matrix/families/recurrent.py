"""Recurrent layers: cells, directions, depths, lengths, states, layouts."""

import paddle
from paddle import nn

from tests.matrix.case import Family, f32, i64

family = Family("recurrent", __file__)

x = f32("x", (2, 7, 4), (3, 5, 4))
lengths = i64("n", (2,), (3,), low=2, high=6)


class Run(nn.Layer):
    """A recurrent layer with all of its results, the final states flattened."""

    def __init__(self, inner: nn.Layer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x, *rest):
        return self.inner(x)


class WithLengths(nn.Layer):
    def __init__(self, inner: nn.Layer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x, n):
        # Paddle aborts on a length of 0 and on one above the number of steps.
        return self.inner(x, sequence_length=paddle.clip(n, 1, 5))


class WithState(nn.Layer):
    def __init__(self, inner: nn.Layer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x, h):
        return self.inner(x, h)


class WithLstmState(nn.Layer):
    def __init__(self, inner: nn.Layer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x, h, c):
        return self.inner(x, (h, c))


class OutputOnly(nn.Layer):
    def __init__(self, inner: nn.Layer) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


for name, kind in (("rnn", nn.SimpleRNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
    family.layer(f"{name}_output", lambda k=kind: OutputOnly(k(4, 5)), x, static=True)
    family.layer(name, lambda k=kind: k(4, 5), x, static=True)
    family.layer(f"{name}_two_layers", lambda k=kind: k(4, 5, num_layers=2), x)
    family.layer(f"{name}_two_layers_output", lambda k=kind: OutputOnly(k(4, 5, num_layers=2)), x)
    family.layer(
        f"{name}_both_ways", lambda k=kind: k(4, 5, direction="bidirect"), x, static=name == "lstm"
    )
    family.layer(
        f"{name}_both_ways_two_layers",
        lambda k=kind: k(4, 5, num_layers=2, direction="bidirect"),
        x,
    )
    family.layer(f"{name}_time_major", lambda k=kind: k(4, 5, time_major=True), x)
    family.layer(f"{name}_lengths", lambda k=kind: WithLengths(k(4, 5)), x, lengths)
    family.layer(
        f"{name}_lengths_both_ways",
        lambda k=kind: WithLengths(k(4, 5, direction="bidirect")),
        x,
        lengths,
    )
for name, kind in (("rnn", nn.SimpleRNN), ("gru", nn.GRU)):
    family.layer(
        f"{name}_state", lambda k=kind: WithState(k(4, 5)), x, f32("h", (1, 2, 5), (1, 3, 5))
    )
family.layer(
    "lstm_state",
    lambda: WithLstmState(nn.LSTM(4, 5)),
    x,
    f32("h", (1, 2, 5), (1, 3, 5)),
    f32("c", (1, 2, 5), (1, 3, 5)),
)
family.layer("rnn_relu", lambda: nn.SimpleRNN(4, 5, activation="relu"), x)
family.layer("lstm_three_layers", lambda: nn.LSTM(4, 5, num_layers=3), x)
row = f32("x", (2, 4), (3, 4))
for name, kind in (
    ("rnn_cell", nn.SimpleRNNCell),
    ("lstm_cell", nn.LSTMCell),
    ("gru_cell", nn.GRUCell),
):
    family.layer(name, lambda k=kind: k(4, 5), row)
family.layer("gru_cell_state", lambda: WithState(nn.GRUCell(4, 5)), row, f32("h", (2, 5), (3, 5)))


class Crnn(nn.Layer):
    """What text recognition does: columns of a feature map into a two-way LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 8, 3, stride=(4, 1), padding=1)
        self.lstm = nn.LSTM(8, 6, num_layers=2, direction="bidirect")
        self.out = nn.Linear(12, 9)

    def forward(self, x):
        columns = nn.functional.relu(self.conv(x)).mean(2).transpose([0, 2, 1])
        return nn.functional.softmax(self.out(self.lstm(columns)[0]))


family.layer("crnn", Crnn, f32("x", (2, 3, 32, 20), (1, 3, 32, 28)))
family.case(
    "gather_tree",
    # Paddle refuses parents that are none of the two beams.
    lambda i, p: paddle.nn.functional.gather_tree(i, paddle.clip(p, 0, 1)),
    i64("i", (3, 2, 2), low=0, high=9),
    i64("p", (3, 2, 2), low=0, high=2),
)
