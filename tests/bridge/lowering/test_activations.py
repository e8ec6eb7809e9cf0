import numpy as np
import pytest

X = np.array([[-3.0, -1.5, -0.5, -0.0], [0.0, 0.4, 1.0, 20.0]], "float32")


@pytest.mark.parametrize("opset", [7, 11, 13, 17])
def test_celu(check, opset):
    import paddle

    check(lambda x: paddle.nn.functional.celu(x, alpha=0.7), X, opset=opset)


@pytest.mark.parametrize("opset", [7, 11, 13, 17])
def test_stanh(check, opset):
    import paddle

    check(lambda x: paddle.stanh(x, scale_a=0.6, scale_b=1.7), X, opset=opset)
