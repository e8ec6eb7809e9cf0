import numpy as np
import pytest


@pytest.mark.parametrize("opset", [7, 11, 17])
def test_acosh(check, opset):
    import paddle

    x = np.array([1.0, 1.0001, 2.0, 1e4, 0.5], "float32")
    check(lambda x: paddle.acosh(x) * x, x, opset=opset)


@pytest.mark.parametrize("opset", [9, 11, 17])
def test_asinh(check, opset):
    import paddle

    check(paddle.asinh, np.array([-1e4, -1.0, 0.0, 1e-3, 7.0], "float32"), opset=opset)


@pytest.mark.parametrize("opset", [7, 11, 17])
def test_atanh(check, opset):
    import paddle

    x = np.array([-0.99, -0.1, 0.0, 0.5, 0.999], "float32")
    check(paddle.atanh, x, opset=opset, rtol=1e-4)
