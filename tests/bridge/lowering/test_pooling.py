import numpy as np
import pytest

RNG = np.random.default_rng(1)
LINE = RNG.normal(size=(2, 3, 11)).astype("float32")
IMAGE = RNG.normal(size=(2, 3, 11, 7)).astype("float32")
OTHER = RNG.normal(size=(1, 3, 5, 9)).astype("float32")
VOLUME = RNG.normal(size=(1, 2, 5, 4, 7)).astype("float32")
CHANNELS = [(-1, 3, -1, -1), "float32"]


def functional():
    import paddle

    return paddle.nn.functional


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("size", [(4, 3), (1, 5), (15, 10)])
@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("opset", [11, 18])
def test_adaptive_pool2d(check, kind, size, static, opset):
    pool = getattr(functional(), f"adaptive_{kind}_pool2d")
    more = () if static else [[OTHER]]
    check(lambda x: pool(x, size), IMAGE, opset=opset, static=static, more=more)


@pytest.mark.parametrize("kind", ["avg", "max"])
def test_adaptive_pool_of_other_ranks(check, kind):
    F = functional()
    check(lambda x: getattr(F, f"adaptive_{kind}_pool1d")(x, 4), LINE, opset=9)
    check(lambda x: getattr(F, f"adaptive_{kind}_pool3d")(x, (2, 3, 5)), VOLUME)


def test_adaptive_pool_to_a_computed_size(check):
    import paddle

    def function(x, y):
        size = paddle.shape(y)
        return functional().interpolate(x, [size[2], size[3]], mode="area")

    check(function, IMAGE, OTHER, more=[[OTHER, IMAGE[:1]]])


@pytest.mark.parametrize("opset", [9, 11, 17])
@pytest.mark.parametrize("padding", [0, [1, 0, 0, 1]])
def test_windows_behind_the_image(check, opset, padding):
    F = functional()

    def function(x):
        return (
            F.max_pool2d(x, 2, 4, padding, ceil_mode=True),
            F.avg_pool2d(x, 2, 4, padding, ceil_mode=True),
            F.avg_pool2d(x, 2, 4, padding, ceil_mode=True, exclusive=False),
        )

    check(function, IMAGE[:, :, :9], opset=opset, more=[[OTHER], [IMAGE[:, :, :6, :6]]])


@pytest.mark.parametrize("padding", [[0, 1, 0, 1], "SAME"])
def test_padding_counted(check, padding):
    pool = functional().avg_pool2d
    check(lambda x: pool(x, 2, 1, padding, exclusive=False), IMAGE, static=True)


@pytest.mark.parametrize("padding", ["SAME", "VALID", 1, [0, 1]])
def test_channels_last(check, padding):
    F = functional()
    x = IMAGE.transpose(0, 2, 3, 1)

    def function(x):
        return (
            F.max_pool2d(x, 3, 2, padding, data_format="NHWC"),
            F.avg_pool2d(x, 3, 2, padding, data_format="NHWC"),
        )

    check(function, x)


def test_channels_last_adaptive(check):
    x = IMAGE.transpose(0, 2, 3, 1)
    check(lambda x: functional().adaptive_avg_pool2d(x, 2, data_format="NHWC"), x)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("static", [True, False])
def test_indices_of_maxima(check, padding, static):
    x = np.round(IMAGE * 2)  # with ties
    pool = functional().max_pool2d
    check(lambda x: pool(x, 3, 2, padding, return_mask=True), x, static=static)


def test_indices_of_adaptive_maxima(check):
    x = np.round(IMAGE * 2)
    pool = functional().adaptive_max_pool2d
    check(lambda x: pool(x, (3, 2), return_mask=True), x, static=True)


@pytest.mark.parametrize("ceil_mode", [True, False])
@pytest.mark.parametrize("norm", [2, 3.5])
def test_lp_pool(check, norm, ceil_mode):
    x = np.abs(IMAGE)
    check(lambda x: functional().lp_pool2d(x, norm, 3, 2, ceil_mode=ceil_mode), x)


def test_fractional_max_pool(check):
    F = functional()

    def function(x):
        return (
            F.fractional_max_pool2d(x, (4, 3), random_u=0.3),
            F.fractional_max_pool2d(x, (4, 3), kernel_size=2, random_u=0.7),
        )

    check(function, IMAGE, static=True)


@pytest.mark.parametrize("opset", [9, 11])
def test_unpool(check, opset):
    F = functional()

    def function(x):
        pooled, places = F.max_pool2d(x, 2, 2, return_mask=True)
        return F.max_unpool2d(pooled, places, 2, 2)

    check(function, IMAGE[:, :, :10, :6], opset=opset, specs=[((-1, 3, 10, 6), "float32")])
