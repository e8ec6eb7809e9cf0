import numpy as np

RNG = np.random.default_rng(7)


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
