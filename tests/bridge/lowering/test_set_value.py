import numpy as np
import pytest

X = np.arange(2 * 6 * 5, dtype="float32").reshape(2, 6, 5) + 1.0


def number(x, y):
    x = x + 0.0
    x[:, 2, :] = y
    return x * 1.0


def negative_number(x, y):
    x = x + 0.0
    x[:, -1, :] = y
    return x * 1.0


def last_axis(x, y):
    x = x + 0.0
    x[..., 1] = y
    return x * 1.0


def steps(x, y):
    x = x + 0.0
    x[:, 1:6:2] = y
    return x * 1.0


def open_ends(x, y):
    x = x + 0.0
    x[:, -3:] = y
    return x * 1.0


def two_axes(x, y):
    x = x + 0.0
    x[1:, 2:4] = y
    return x * 1.0


def new_axis(x, y):
    x = x + 0.0
    x[:, None, 2:5] = y
    return x * 1.0


def everything(x, y):
    x = x + 0.0
    x[:] = y
    return x * 1.0


def nothing(x, y):
    x = x + 0.0
    x[:, 3:3] = y
    return x * 1.0


CASES = {
    "number": (number, (2, 5)),
    "number, broadcast": (number, (1, 5)),
    "number, fewer axes": (number, (5,)),
    "negative number": (negative_number, (2, 5)),
    "last axis": (last_axis, (2, 6)),
    "steps": (steps, (2, 3, 5)),
    "steps, broadcast": (steps, (3, 1)),
    "open ends": (open_ends, (2, 3, 5)),
    "two axes": (two_axes, (1, 2, 5)),
    "new axis": (new_axis, (2, 1, 3, 5)),
    "everything": (everything, (6, 5)),
    "nothing": (nothing, (5,)),
}


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("case", CASES)
def test_a_tensor(check, case, static):
    function, shape = CASES[case]
    y = -np.arange(np.prod(shape), dtype="float32").reshape(shape) - 1.0
    check(function, X, y, static=static)


def constants(x):
    x = x + 0.0
    x[:, 1:3, 0] = -7.0
    return x * 1.0


@pytest.mark.parametrize("opset", [11, 13])
def test_a_constant(check, opset):
    check(constants, X, opset=opset)


def other_dtypes(x, y):
    numbers = x.astype("int64")
    numbers[:, 0] = 5
    flags = x > 3.0
    flags[:, :, 2] = y > 0.0
    return numbers, flags


def test_integers_and_booleans(check):
    check(other_dtypes, X, np.ones((2, 6), "float32") * np.array([[1.0], [-1.0]], "float32"))


def computed(x, y, i):
    x = x + 0.0
    x[:, i, :] = y
    x[:, i + 2 :, 0] = 0.5
    return x * 1.0


def test_a_computed_place(check):
    y = -np.ones((2, 5), "float32")
    places = [np.array(at, "int64") for at in (0, 3, 1)]
    check(computed, X, y, places[0], more=[[X, y, place] for place in places[1:]])


def decoder(x):
    import paddle

    rows = paddle.zeros([x.shape[0], 6, 5], dtype="float32")
    seen = paddle.zeros([x.shape[0], 6], dtype="int64")
    limit = paddle.to_tensor(6)
    row = x[:, 0]
    for step in range(limit):
        row = paddle.tanh(row * 0.5 + x[:, 1])
        rows[:, step, :] = row
        seen[:, step] = row.argmax(axis=1)
        if (seen == 4).any(-1).all():
            break
    return rows[:, 0 : step + 1]


def test_in_a_loop_that_ends_early(check):
    """As SLANet decodes: each step writes a row, the loop breaks on what was written."""
    late = X.copy()
    late[:, :2, 4] = -9.0
    check(decoder, X / 60, specs=[((-1, 6, 5), "float32")], more=[[late / 60]])


def backwards(x, y):
    x = x + 0.0
    x[:, 4:1:-1] = y
    return x * 1.0


def test_a_negative_step(check):
    y = -np.arange(3 * 5, dtype="float32").reshape(3, 5)
    check(backwards, X, y)
