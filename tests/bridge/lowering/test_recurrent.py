import numpy as np
import pytest

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 5, 4)).astype("float32")
SPEC = ((-1, -1, 4), "float32")


def layer(name, **options):
    import paddle

    paddle.seed(7)
    return getattr(paddle.nn, name)(4, 5, **options)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("direction", ["forward", "bidirect"])
@pytest.mark.parametrize("opset", [8, 11, 17])
def test_layers_and_their_states(check, name, direction, opset):
    check(layer(name, num_layers=2, direction=direction), X, specs=[SPEC], opset=opset)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("direction", ["forward", "bidirect"])
def test_sequence_lengths(check, name, direction):
    import paddle

    class Model(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layer(name, direction=direction)

        def forward(self, x, lengths):
            return self.inner(x, sequence_length=lengths)

    lengths = np.array([5, 2, 3], "int64")
    check(Model(), X, lengths, specs=[SPEC, ((-1,), "int64")], more=[[X[:2], lengths[1:]]])


def test_first_states_and_time_major(check):
    import paddle

    class Model(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layer("LSTM", num_layers=2, time_major=True)

        def forward(self, x, h, c):
            return self.inner(x, (h, c))

    states = [RNG.normal(size=(2, 5, 5)).astype("float32") for _ in range(2)]
    state = ((2, -1, 5), "float32")
    check(Model(), X, *states, specs=[SPEC, state, state])


def test_rectified(check):
    check(layer("SimpleRNN", activation="relu", direction="bidirect"), X, specs=[SPEC])


def test_gather_tree(check):
    import paddle

    ids, parents = RNG.integers(0, 9, (4, 2, 3)), RNG.integers(0, 3, (4, 2, 3))
    specs = [((4, -1, -1), "int64")] * 2
    check(paddle.nn.functional.gather_tree, ids, parents, specs=specs)
