import numpy as np
import pytest

RNG = np.random.default_rng(3)
IMAGE = RNG.normal(size=(2, 3, 5, 6)).astype("float32")
GRID = RNG.uniform(-1.6, 1.6, size=(2, 4, 7, 2)).astype("float32")


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_grid_sample(check, mode, padding_mode, align_corners):
    import paddle

    def function(x, grid):
        return paddle.nn.functional.grid_sample(x, grid, mode, padding_mode, align_corners)

    check(function, IMAGE, GRID, more=[[IMAGE[:1], GRID[1:, :2]]], atol=1e-5)


@pytest.mark.parametrize("opset", [9, 20])
def test_grid_sample_at_other_opsets(check, opset):
    import paddle

    check(paddle.nn.functional.grid_sample, IMAGE, GRID, opset=opset, static=True, atol=1e-5)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_grid_sample_of_a_volume(check, mode):
    import paddle

    x = RNG.normal(size=(1, 2, 3, 4, 5)).astype("float32")
    grid = RNG.uniform(-1.2, 1.2, size=(1, 2, 3, 2, 3)).astype("float32")
    check(lambda x, g: paddle.nn.functional.grid_sample(x, g, mode), x, grid, atol=1e-5)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [[2, 3, 5, 4], [2, 3, 3, 5, 4]])
def test_affine_grid(check, align_corners, size):
    import paddle

    count = len(size) - 2
    theta = RNG.normal(size=(2, count, count + 1)).astype("float32")
    specs = [((-1, count, count + 1), "float32")]
    function = paddle.nn.functional.affine_grid
    check(lambda t: function(t, size, align_corners), theta, specs=specs)


@pytest.mark.parametrize("align_corners", [True, False])
def test_affine_grid_of_a_computed_size(check, align_corners):
    import paddle

    F = paddle.nn.functional
    theta = RNG.normal(size=(2, 2, 3)).astype("float32")
    specs = [((-1, 2, 3), "float32"), ((-1, 3, -1, -1), "float32")]

    def function(theta, x):
        return F.grid_sample(x, F.affine_grid(theta, paddle.shape(x), align_corners))

    check(function, theta, IMAGE, specs=specs, atol=1e-4)
