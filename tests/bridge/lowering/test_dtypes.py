"""Dtypes that paddle2onnx or ONNX Runtime lacks for an operator."""

import numpy as np
import paddle
import pytest
from paddle.nn import functional as F

from converter.errors import StageError

X = np.array([[-3.0, -1.5, 0.5, 2.0], [0.0, 0.4, 1.0, 20.0]], "float32")
Y = np.array([[2.0, -1.5, 0.3, 4.0], [-1.0, 1.0, -0.4, 3.0]], "float32")
I = np.array([[-7, 7, 4, 5]], "int16")  # noqa: E741
J = np.array([[3, -3, 4, 6]], "int16")

CASES = {
    "gelu_double": (lambda x: F.gelu(x), [X.astype("float64")]),
    "sigmoid_double": (lambda x: F.sigmoid(x), [X.astype("float64")]),
    "softmax_double": (lambda x: F.softmax(x), [X.astype("float64")]),
    "tanh_double": (lambda x: paddle.tanh(x), [X.astype("float64")]),
    "erf_double": (lambda x: paddle.erf(x), [X.astype("float64")]),
    "floor_double": (lambda x: paddle.floor(x) + paddle.ceil(x), [X.astype("float64")]),
    "relu_double": (lambda x: F.relu(x), [X.astype("float64")]),
    "trig_double": (
        lambda x: paddle.sin(x) + paddle.cos(x) + paddle.tan(x),
        [X.astype("float64")],
    ),
    "exp_double": (
        lambda x: paddle.exp(x) + paddle.log(paddle.abs(x) + 1.0) + paddle.sqrt(paddle.abs(x)),
        [X.astype("float64")],
    ),
    "mod_double": (lambda x, y: paddle.remainder(x, y), [X.astype("float64"), Y.astype("float64")]),
    "matmul_double": (lambda x: paddle.matmul(x, x, transpose_y=True), [X.astype("float64")]),
    "argmax_double": (lambda x: paddle.argmax(x, axis=1), [X.astype("float64")]),
    "cumsum_double": (lambda x: paddle.cumsum(x, axis=1), [X.astype("float64")]),
    "mean_double": (lambda x: paddle.mean(x, axis=1), [X.astype("float64")]),
    "where_double": (
        lambda x, y: paddle.where(x > y, x, y),
        [X.astype("float64"), Y.astype("float64")],
    ),
    "softplus_double": (lambda x: F.softplus(x), [X.astype("float64")]),
    "elu_double": (lambda x: F.elu(x), [X.astype("float64")]),
    "silu_double": (lambda x: F.silu(x), [X.astype("float64")]),
    "linear_double": (
        lambda x, y: F.linear(x, y),
        [X.astype("float64"), Y.T.astype("float64").copy()],
    ),
}
for _d in ("uint8", "int8"):
    _i, _j = np.abs(I).astype(_d), np.abs(J).astype(_d)
    CASES |= {
        f"add_{_d}": (lambda x, y: x + y, [_i, _j]),
        f"divide_{_d}": (lambda x, y: paddle.floor_divide(x, y), [_i, _j]),
        f"equal_{_d}": (lambda x, y: paddle.equal(x, y), [_i, _j]),
        f"less_{_d}": (lambda x, y: paddle.less_than(x, y), [_i, _j]),
        f"max_{_d}": (
            lambda x, y: paddle.maximum(x.astype("int32"), y.astype("int32")).astype(x.dtype),
            [_i, _j],
        ),
        f"cast_{_d}": (lambda x: paddle.cast(x, "float32") / 255.0, [_i]),
        f"to_{_d}": (lambda x, d=_d: paddle.cast(x, d), [np.abs(X)]),
        f"transpose_{_d}": (lambda x: paddle.transpose(x, [1, 0]), [_i]),
        f"gather_{_d}": (lambda x: x[:, 1:3], [_i]),
        f"sum_{_d}": (lambda x: paddle.sum(x, axis=1), [_i]),
        f"bitwise_{_d}": (lambda x, y: paddle.bitwise_and(x, y), [_i, _j]),
        f"scale_{_d}": (lambda x: x * 2, [_i]),
    }


@pytest.mark.parametrize("name", CASES)
def test_dtypes(check_case, name):
    check_case(CASES[name])


@pytest.mark.parametrize(
    ("dtype", "reason", "hint"),
    [
        ("bfloat16", "cast (bfloat16 needs opset 13)", "ask for --opset 13"),
        ("int16", "cast (paddle2onnx 2.1.0 has no int16)", "save the model without"),
    ],
)
def test_dtype_without_a_form_is_named(saved, dtype, reason, hint):
    model = saved(lambda x: x.astype(dtype).astype("float32"), [X])
    with pytest.raises(StageError, match="no right form at opset 11") as raised:
        model.translate(11)
    assert reason in raised.value.message
    assert raised.value.hint.startswith(hint)


def test_bfloat16_converts_where_the_hint_says(check):
    check(lambda x: x.astype("bfloat16").astype("float32"), X, opset=13, lowered=False)
