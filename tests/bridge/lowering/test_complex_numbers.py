"""Complex numbers as pairs of real tensors."""

import numpy as np
import paddle
import pytest

rng = np.random.default_rng(0)
Z = rng.normal(size=(2, 3, 4, 2)).astype("float32")
W = rng.normal(size=(2, 3, 4, 2)).astype("float32")


def _c(function):
    """A function of complex numbers as one of their parts."""

    def parts(*arrays):
        result = function(*map(paddle.as_complex, arrays))
        if "complex" not in str(result.dtype):
            return result
        return paddle.as_real(result), paddle.real(result), paddle.imag(result)

    wrapped = {1: lambda a: parts(a), 2: lambda a, b: parts(a, b)}
    return wrapped[function.__code__.co_argcount]


CASES = {
    "add": (_c(lambda a, b: a + b), [Z, W]),
    "subtract": (_c(lambda a, b: a - b), [Z, W]),
    "multiply": (_c(lambda a, b: a * b), [Z, W]),
    "divide": (_c(lambda a, b: a / b), [Z, W]),
    "broadcast": (_c(lambda a, b: a * b[:1, :, :1]), [Z, W]),
    "scale": (_c(lambda a: a * 2.0 - 1.0), [Z]),
    "add_real": (_c(lambda a: a + paddle.real(a)), [Z]),
    "abs": (_c(lambda a: paddle.abs(a)), [Z]),
    "angle": (_c(lambda a: paddle.angle(a)), [Z]),
    "conj": (_c(lambda a: paddle.conj(a)), [Z]),
    "exp": (_c(lambda a: paddle.exp(a)), [Z]),
    "matmul": (
        _c(lambda a, b: paddle.matmul(a, paddle.transpose(b, [0, 2, 1]))),
        [Z, W],
        {"atol": 1e-5},
    ),
    "matmul_transposed": (
        _c(lambda a, b: paddle.matmul(a, b, transpose_y=True)),
        [Z, W],
        {"atol": 1e-5},
    ),
    "reshape": (_c(lambda a: paddle.reshape(a, [0, -1])), [Z]),
    "transpose": (_c(lambda a: paddle.transpose(a, [2, 0, 1])), [Z]),
    "slice": (_c(lambda a: a[:, 1:, 0]), [Z]),
    "concat": (_c(lambda a, b: paddle.concat([a, b], 1)), [Z, W]),
    "stack": (_c(lambda a, b: paddle.stack([a, b], 1)), [Z, W]),
    "sum": (_c(lambda a: paddle.sum(a, axis=1)), [Z]),
    "mean": (_c(lambda a: paddle.mean(a, axis=1)), [Z]),
    "square": (_c(lambda a: paddle.square(a)), [Z]),
    "reciprocal": (_c(lambda a: paddle.reciprocal(a)), [Z]),
    "unsqueeze": (_c(lambda a: paddle.unsqueeze(a, 1)), [Z]),
    "squeeze": (_c(lambda a: paddle.squeeze(a[:, :1], 1)), [Z]),
    "flip": (_c(lambda a: paddle.flip(a, [1])), [Z]),
    "roll": (_c(lambda a: paddle.roll(a, 1, 1)), [Z]),
    "expand": (_c(lambda a: paddle.expand(a[:1], [2, 3, 4])), [Z], {"static": True}),
    "gather": (_c(lambda a: paddle.gather(a, paddle.to_tensor([1, 0]), axis=1)), [Z]),
    "from_parts": (lambda a, b: paddle.as_real(paddle.complex(a, b)), [Z, W]),
    "from_parts_broadcast": (lambda a, b: paddle.as_real(paddle.complex(a, b)), [Z, W[:1, :, :1]]),
    "polar": (lambda a, b: paddle.as_real(paddle.polar(a, b)), [np.abs(Z), W]),
    "cast": (lambda a: paddle.as_real(paddle.cast(a, "complex64")), [Z]),
    "to_real": (_c(lambda a: paddle.cast(a, "float32")), [Z]),
    "full_like": (_c(lambda a: a + paddle.zeros_like(a)), [Z]),
    "log": (_c(lambda a: paddle.log(a)), [Z]),
    "sin": (_c(lambda a: paddle.sin(a)), [Z]),
    "cos": (_c(lambda a: paddle.cos(a)), [Z]),
    "where": (_c(lambda a, b: paddle.where(paddle.real(a) > 0, a, b)), [Z, W]),
    "equal": (_c(lambda a: a == a), [Z]),
    "sgn": (_c(lambda a: paddle.sgn(a)), [Z]),
    "isnan": (_c(lambda a: paddle.isnan(a)), [Z]),
    "rotary": (
        lambda x, y: (lambda p: (paddle.as_real(p), paddle.real(p), paddle.imag(p)))(
            paddle.as_complex(x) * paddle.complex(y, y + 1.0)
        ),
        [Z[:, :, 0], W[:, :, 0, 0]],
    ),
}

# Dynamic in every axis but the last, which holds the two parts.
CASES = {
    name: (
        function,
        arrays,
        {"specs": [((-1,) * (array.ndim - 1) + array.shape[-1:], "float32") for array in arrays]}
        | dict(*options),
    )
    for name, (function, arrays, *options) in CASES.items()
}


@pytest.mark.parametrize("name", CASES)
def test_complex(check_case, name):
    check_case(CASES[name])
