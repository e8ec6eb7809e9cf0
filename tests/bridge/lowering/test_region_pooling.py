import numpy as np
import pytest

RNG = np.random.default_rng(6)
IMAGES = RNG.normal(size=(2, 8, 9, 11)).astype("float32")
# One that is tiny, one that leaves the image, one in between.
BOXES = np.array([[3, 4, 3.3, 4.2], [-9, 5, 70, 60], [8, 2.5, 30, 20]], "float32")
COUNTS = np.array([1, 2], "int32")
SPECS = [((-1, 8, -1, -1), "float32"), ((-1, 4), "float32"), ((-1,), "int32")]
ONE = [((1, 8, 9, 11), "float32"), ((-1, 4), "float32"), ((1,), "int32")]


def check_regions(check, function, opset=11):
    check(function, IMAGES, BOXES, COUNTS, specs=SPECS, opset=opset, atol=1e-5)
    check(
        function,
        IMAGES[1:],
        BOXES,
        np.array([3], "int32"),
        specs=ONE,
        opset=opset,
        atol=1e-5,
        lowered=False,
    )


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [2, -1])
@pytest.mark.parametrize("opset", [11, 16])
def test_roi_align(check, aligned, ratio, opset):
    import paddle

    def function(x, boxes, counts):
        arguments = {"sampling_ratio": ratio, "aligned": aligned}
        return paddle.vision.ops.roi_align(x, boxes, counts, (3, 2), 0.25, **arguments)

    check_regions(check, function, opset)


def test_roi_pool(check):
    import paddle

    check_regions(check, lambda x, b, n: paddle.vision.ops.roi_pool(x, b, n, (3, 2), 0.25))


def test_psroi_pool(check):
    import paddle

    check_regions(check, lambda x, b, n: paddle.vision.ops.psroi_pool(x, b, n, 2, 0.25))
