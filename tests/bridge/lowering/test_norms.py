import numpy as np
import pytest

RNG = np.random.default_rng(4)


def values(*shape):
    return RNG.normal(size=shape).astype("float32")


def randomised(layer):
    """``layer`` with parameters and statistics that are not 0 and 1."""
    import paddle

    for parameter in [*layer.parameters(), *layer.buffers()]:
        parameter.set_value(paddle.to_tensor(np.abs(values(*parameter.shape)) + 0.1))
    return layer


@pytest.mark.parametrize("opset", [7, 11])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_channels_last(check, opset, affine):
    import paddle

    given = None if affine else False
    layer = paddle.nn.BatchNorm2D(4, weight_attr=given, bias_attr=given, data_format="NHWC")
    specs = [((-1, -1, -1, 4), "float32")]
    check(randomised(layer), values(2, 3, 5, 4), opset=opset, specs=specs)


def test_batch_norm_of_the_batch(check):
    import paddle

    layer = randomised(paddle.nn.BatchNorm2D(4, use_global_stats=False))
    check(layer, values(2, 4, 3, 5), specs=[((-1, 4, -1, -1), "float32")], atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 3, 2, 4)])
@pytest.mark.parametrize("affine", [True, False])
def test_group_norm_of_other_ranks(check, shape, affine):
    import paddle

    given = None if affine else False
    layer = paddle.nn.GroupNorm(3, 6, weight_attr=given, bias_attr=given)
    specs = [((-1, 6, *[-1] * (len(shape) - 2)), "float32")]
    check(randomised(layer), values(*shape), specs=specs, atol=1e-5)


def test_group_norm_channels_last(check):
    import paddle

    layer = randomised(paddle.nn.GroupNorm(3, 6, data_format="NHWC"))
    check(layer, values(2, 4, 3, 6), specs=[((-1, -1, -1, 6), "float32")], atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm_over_two_axes(check, bias):
    import paddle

    layer = paddle.nn.LayerNorm([3, 4], bias_attr=None if bias else False)
    specs = [((-1, 3, 4), "float32")]
    check(randomised(layer), values(2, 3, 4), opset=17, specs=specs, atol=1e-5)


def test_spectral_norm(check):
    import paddle

    layer = paddle.nn.SpectralNorm([4, 3, 2], dim=1, power_iters=2)
    check(layer, values(4, 3, 2), static=True, atol=1e-5)
