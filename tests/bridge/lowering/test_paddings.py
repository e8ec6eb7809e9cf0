import numpy as np
import pytest

X = np.arange(2 * 3 * 4 * 5, dtype="float32").reshape(2, 3, 4, 5)


@pytest.mark.parametrize("pads", [[1, 2, 3, 0], [0, 0, 2, 4]])
@pytest.mark.parametrize("data_format", ["NCHW", "NHWC"])
@pytest.mark.parametrize("opset", [9, 11])
def test_circular(check, pads, data_format, opset):
    import paddle

    if data_format == "NHWC":
        pads = [min(pad, 3) for pad in pads]

    def function(x):
        return paddle.nn.functional.pad(x, pads, mode="circular", data_format=data_format)

    check(function, X, opset=opset, static=opset == 9)


def test_circular_by_a_computed_amount(check):
    import paddle

    def function(x, pads):
        return paddle.nn.functional.pad(x, pads, mode="circular", data_format="NCDHW")

    pads = np.array([1, 2, 0, 1, 1, 0], "int32")
    specs = [((-1, -1, -1, -1, -1), "float32"), ((6,), "int32")]
    check(function, X[None], pads, specs=specs)
