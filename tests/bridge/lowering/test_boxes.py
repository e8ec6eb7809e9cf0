import numpy as np
import pytest

RNG = np.random.default_rng(7)


def boxes(*shape):
    low = RNG.uniform(0, 30, size=(*shape, 2))
    return np.concatenate([low, low + RNG.uniform(1, 20, low.shape)], -1).astype("float32")


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("variance", [[0.1, 0.1, 0.2, 0.2], "tensor"])
def test_box_coder(check, normalized, variance):
    import paddle

    prior, of_prior = boxes(5), np.abs(boxes(5)) + 0.1
    deltas = RNG.normal(size=(3, 5, 4)).astype("float32") * 0.1

    def function(prior, of_prior, target, deltas):
        given = of_prior if variance == "tensor" else variance
        code = paddle.vision.ops.box_coder
        return (
            code(prior, given, target, "encode_center_size", normalized),
            code(prior, given, deltas, "decode_center_size", normalized),
            code(
                prior, given, deltas.transpose([1, 0, 2]), "decode_center_size", normalized, axis=1
            ),
            of_prior * 2,
        )

    check(function, prior, of_prior, boxes(3), deltas, static=True, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("steps", [[0.0, 0.0], [8.0, 4.0]])
@pytest.mark.parametrize("static", [True, False])
def test_prior_box(check, ordered, steps, static):
    import paddle

    def function(x, image):
        return paddle.vision.ops.prior_box(
            x,
            image,
            min_sizes=[4.0, 9.0],
            max_sizes=[6.0, 12.0],
            aspect_ratios=[1.0, 2.0, 0.5],
            flip=True,
            clip=ordered,
            steps=steps,
            min_max_aspect_ratios_order=ordered,
        )

    x, image = np.zeros((1, 2, 3, 4), "float32"), np.zeros((1, 3, 24, 20), "float32")
    check(function, x, image, static=static)


def test_yolo_box_with_iou(check):
    import paddle

    def function(x, size):
        return paddle.vision.ops.yolo_box(
            x, size, [10, 13, 16, 30], 3, 0.3, 32, scale_x_y=1.2, iou_aware=True
        )

    x = RNG.normal(size=(2, 18, 3, 4)).astype("float32")
    size = np.array([[96, 128], [80, 100]], "int32")
    specs = [((-1, 18, -1, -1), "float32"), ((-1, 2), "int32")]
    check(function, x, size, specs=specs, rtol=1e-4, atol=1e-4)
