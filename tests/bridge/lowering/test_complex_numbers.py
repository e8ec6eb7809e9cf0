import numpy as np
import pytest


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_product_of_complex_numbers(check, opset):
    import paddle

    def rotate(x, y):
        product = paddle.as_complex(x) * paddle.complex(y, y + 1.0)
        return paddle.as_real(product), paddle.real(product), paddle.imag(product)

    x = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("float32")
    y = np.random.default_rng(1).normal(size=(2, 3)).astype("float32")
    check(rotate, x, y, opset=opset, static=True)
