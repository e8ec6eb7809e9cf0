import numpy as np
import pytest

RNG = np.random.default_rng(2)


def values(*shape):
    return RNG.normal(size=shape).astype("float32")


IMAGE = values(2, 4, 9, 8)
FIRST_SPEC = [((-1, 4, -1, -1), "float32")]
LAST_SPEC = [((-1, -1, -1, 4), "float32")]
LAST = np.ascontiguousarray(IMAGE.transpose(0, 2, 3, 1))


def functional():
    import paddle

    return paddle.nn.functional


def weighted(function, *shape, inputs=1):
    """A layer that calls ``function`` with its inputs and weights of this shape."""
    import paddle

    class Weighted(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            initial = paddle.nn.initializer.Assign(values(*shape))
            self.weights = self.create_parameter(shape, default_initializer=initial)

    def one(self, x):
        return function(x, self.weights)

    def three(self, x, y, z):
        return function(x, y, z, self.weights)

    Weighted.forward = one if inputs == 1 else three
    return Weighted()


@pytest.mark.parametrize("padding", ["SAME", "VALID", 1, [1, 0, 0, 2]])
@pytest.mark.parametrize("groups", [1, 4])
def test_channels_last(check, padding, groups):
    shape = (8, 4 // groups, 3, 3)
    arguments = {"stride": 2, "padding": padding, "groups": groups, "data_format": "NHWC"}
    check(
        weighted(lambda x, w: functional().conv2d(x, w, **arguments), *shape),
        LAST,
        specs=LAST_SPEC,
        atol=1e-5,
    )


@pytest.mark.parametrize("static", [True, False])
def test_same_padding_ignores_dilations(check, static):
    shape = (5, 4, 3, 3)
    arguments = {"padding": "SAME", "dilation": 2}
    specs = None if static else FIRST_SPEC
    function = functional().conv2d
    check(
        weighted(lambda x, w: function(x, w, **arguments), *shape),
        IMAGE,
        specs=specs,
        static=static,
        atol=1e-5,
    )


def test_channels_last_volume(check):
    shape = (3, 2, 2, 2, 2)
    x = values(1, 4, 5, 3, 2)
    check(
        weighted(lambda x, w: functional().conv3d(x, w, data_format="NDHWC"), *shape),
        x,
        static=True,
        atol=1e-5,
    )


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("static", [True, False])
def test_transposed_with_same_padding(check, stride, static):
    shape = (4, 3, 3, 2)
    check(
        weighted(
            lambda x, w: functional().conv2d_transpose(x, w, stride=stride, padding="SAME"), *shape
        ),
        IMAGE,
        static=static,
        specs=None if static else FIRST_SPEC,
        atol=1e-5,
    )


@pytest.mark.parametrize("size", [(19, 17), (20, 18)])
@pytest.mark.parametrize("static", [True, False])
def test_transposed_with_an_output_size(check, size, static):
    shape = (4, 3, 3, 3)
    specs = [(IMAGE.shape, "float32")] if static else [((-1, 4, 9, 8), "float32")]
    check(
        weighted(
            lambda x, w: functional().conv2d_transpose(x, w, stride=2, output_size=size), *shape
        ),
        IMAGE,
        specs=specs,
        atol=1e-5,
    )


def test_transposed_with_a_computed_output_size(check):
    import paddle

    shape = (4, 3, 3, 3)

    def function(x, weights):
        size = paddle.shape(x)[2:] * 2
        return functional().conv2d_transpose(x, weights, stride=2, padding=1, output_size=size)

    check(weighted(function, *shape), IMAGE, atol=1e-5, specs=FIRST_SPEC)


def test_transposed_channels_last(check):
    shape = (4, 3, 3, 3)
    arguments = {"stride": 2, "output_padding": 1, "data_format": "NHWC"}
    check(
        weighted(lambda x, w: functional().conv2d_transpose(x, w, **arguments), *shape),
        LAST,
        specs=LAST_SPEC,
        atol=1e-5,
    )


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("opset", [11, 19])
def test_deformable(check, masked, opset):
    import paddle

    if masked and opset >= 19:
        pytest.skip("left to paddle2onnx")
    shape = (6, 2, 3, 3)
    arguments = {"stride": 2, "padding": 1, "dilation": 1, "groups": 2, "deformable_groups": 2}

    def function(x, offset, mask, weights):
        given = mask if masked else None
        made = paddle.vision.ops.deform_conv2d(x, offset, weights, mask=given, **arguments)
        return made, mask * 2

    offset, mask = values(2, 36, 5, 4) * 2, np.abs(values(2, 18, 5, 4))
    specs = [((-1, 4, -1, -1), "float32"), ((-1, 36, -1, -1), "float32")]
    specs += [((-1, 18, -1, -1), "float32")]
    check(
        weighted(function, *shape, inputs=3),
        IMAGE,
        offset,
        mask,
        specs=specs,
        opset=opset,
        atol=1e-5,
    )
