import numpy as np
import pytest

X = np.arange(2 * 8 * 4 * 6, dtype="float32").reshape(2, 8, 4, 6)
LAST = np.ascontiguousarray(X.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("opset", [9, 11])
def test_pixel_shuffle_channels_last(check, opset):
    import paddle

    specs = [((-1, -1, -1, 8), "float32")]
    function = paddle.nn.functional.pixel_shuffle
    check(lambda x: function(x, 2, "NHWC"), LAST, opset=opset, specs=specs)


@pytest.mark.parametrize("name", ["pixel_unshuffle", "channel_shuffle"])
@pytest.mark.parametrize("data_format", ["NCHW", "NHWC"])
@pytest.mark.parametrize("opset", [9, 13])
def test_shuffles(check, name, data_format, opset):
    import paddle

    x, shape = (X, (-1, 8, 4, 6)) if data_format == "NCHW" else (LAST, (-1, 4, 6, 8))
    if name == "channel_shuffle":
        shape = tuple(extent if extent == 8 else -1 for extent in shape)
    function = getattr(paddle.nn.functional, name)
    check(lambda x: function(x, 2, data_format), x, opset=opset, specs=[(shape, "float32")])
