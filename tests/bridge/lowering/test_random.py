"""Random operators: shape, dtype, range and, over many draws, the mean."""

import json

import numpy as np
import paddle
import pytest

P = np.full((50, 40), 0.3, "float32")
WEIGHTS = np.float32([[0.1, 0.0, 0.9], [0.5, 0.5, 0.0]])

CASES = {
    "bernoulli": (paddle.bernoulli, P, (0, 1), 0.3),
    "randint": (lambda x: paddle.randint(3, 8, [50, 40]) + x.astype("int64") * 0, P, (3, 7), 5),
    "uniform": (lambda x: paddle.uniform([50, 40], min=-2.0, max=1.0) + 0 * x, P, (-2, 1), -0.5),
    "gaussian": (lambda x: paddle.normal(3.0, 0.5, [50, 40]) + 0 * x, P, (0, 6), 3),
    "uniform_shape": (lambda x: paddle.uniform(paddle.shape(x), min=0.0, max=1.0), P, (0, 1), 0.5),
    "multinomial": (lambda x: paddle.multinomial(x, 500, replacement=True), WEIGHTS, (0, 2), 1.15),
    "gumbel": (lambda x: paddle.nn.functional.gumbel_softmax(x, hard=True), P, (0, 1), 1 / 40),
}


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("name", CASES)
def test_random(saved, name, opset):
    function, array, (low, high), mean = CASES[name]
    program = saved(function, [array])
    translated, (drawn,) = program.run(opset)
    (wanted,) = program.wanted[0]
    assert translated.random
    assert (drawn.dtype, drawn.shape) == (wanted.dtype, wanted.shape)
    assert low <= drawn.min() < drawn.max() <= high
    assert abs(drawn.mean() - mean) < 0.1 * (high - low)


def test_permutation(saved):
    translated, (drawn,) = saved(lambda x: paddle.randperm(9) + x, [np.zeros(9, "int64")]).run(11)
    assert translated.random == ("fetch_name_0",)
    assert sorted(drawn) == list(range(9))


def test_without_replacement(saved):
    _, (drawn,) = saved(lambda x: paddle.multinomial(x, 2), [WEIGHTS]).run(11)
    assert [sorted(row) for row in drawn] == [[0, 2], [0, 1]]


@pytest.mark.parametrize("name", ["dropout", "rrelu"])
def test_in_training(saved, name):
    """jit.save writes operators for testing; a program saved otherwise may have the others."""
    functions = {
        "dropout": lambda x: paddle.nn.functional.dropout(x, 0.25, training=True),
        "rrelu": lambda x: paddle.nn.functional.rrelu(x - 1.3, 0.1, 0.3, training=True),
    }
    program = saved(functions[name], [P])
    document = json.loads(program.program.read_text())
    for operation in document["program"]["regions"][0]["blocks"][0]["ops"]:
        for attribute in operation["A"] if operation["#"] == f"1.{name}" else []:
            if attribute["N"] == "is_test":
                attribute["AT"]["D"] = False
    program.program.write_text(json.dumps(document))
    translated, (drawn,) = program.run(11)
    assert translated.random == ("fetch_name_0",)
    if name == "dropout":
        assert set(np.round(np.unique(drawn).astype("float64"), 4)) == {0.0, 0.4}
        assert 0.7 < (drawn > 0).mean() < 0.8
    else:
        assert -0.3 <= drawn.min() < -0.25 < -0.15 < drawn.max() <= -0.1
