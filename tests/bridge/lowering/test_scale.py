import numpy as np
import pytest

OPSETS = pytest.mark.parametrize("opset", [7, 11, 13, 17])


@OPSETS
@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_large_integers_stay_exact(check, opset, dtype):
    import paddle

    x = np.array([[2**24 + 1, -(2**30) + 3], [7, 0]], dtype)

    def function(x):  # Paddle 3.3.1 drops a last x + c from the saved program
        return paddle.concat([paddle.scale(x, 1.0, 5.0), paddle.scale(x, 3.0, 1.0, False)], axis=1)

    check(function, x, opset=opset)


@OPSETS
def test_a_scalar_stays_a_scalar(check, opset):
    import paddle

    def function(x):
        y = x.reshape([])
        return paddle.tanh(y * 2.0 + 1.0), paddle.scale(y, 3.0, 0.5, bias_after_scale=False)

    check(function, np.array([1.5], "float32"), opset=opset, static=True)


def test_a_factor_from_a_tensor(check):
    import paddle

    x, factor = np.array([3, 4], "int64"), np.array([5.0], "float32")
    check(lambda x, f: paddle.scale(x, f, 1.0) * x, x, factor, static=True)
