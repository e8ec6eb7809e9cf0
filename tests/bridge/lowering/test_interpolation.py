import numpy as np
import pytest

X = np.random.default_rng(9).normal(size=(2, 5, 6, 3)).astype("float32")
MODES = [("nearest", False, 0), ("bilinear", False, 0), ("bilinear", False, 1)]
MODES += [("bilinear", True, 0), ("bicubic", False, 0), ("bicubic", True, 0)]


@pytest.mark.parametrize(("mode", "align_corners", "align_mode"), MODES)
@pytest.mark.parametrize("wanted", [{"size": [7, 4]}, {"scale_factor": 2.0}])
@pytest.mark.parametrize("opset", [11, 13])
def test_channels_last(check, mode, align_corners, align_mode, wanted, opset):
    import paddle

    def function(x):
        return paddle.nn.functional.interpolate(
            x,
            mode=mode,
            align_corners=align_corners,
            align_mode=align_mode,
            data_format="NHWC",
            **wanted,
        )

    specs = [((-1, -1, -1, 3), "float32")]
    check(function, X, specs=specs, opset=opset, atol=1e-5, more=[[X[:1, :4]]])


def test_to_a_computed_size(check):
    import paddle

    def function(x):
        size = paddle.shape(x)
        wanted = [size[1] + 2, size[2] * 2]
        return paddle.nn.functional.interpolate(x, wanted, mode="bilinear", data_format="NHWC")

    check(function, X, specs=[((-1, -1, -1, 3), "float32")], atol=1e-5, more=[[X[:1, :4]]])
