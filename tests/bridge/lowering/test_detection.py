"""Boxes, anchors, suppression and region pooling against Paddle's own operators."""

import numpy as np
import pytest

OPSETS = pytest.mark.parametrize("opset", [11, 17])
VARIANCE = [0.1, 0.1, 0.2, 0.2]


def boxes(*shape, seed=0):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 40, (*shape, 2))
    return np.concatenate([low, low + rng.uniform(4, 24, low.shape)], -1).astype("float32")


def scores(*shape, seed=0):
    """Far apart, so that no order depends on rounding."""
    count = int(np.prod(shape))
    values = np.random.default_rng(seed).permutation(count) + 0.5
    return (values / count).reshape(shape).astype("float32")


@OPSETS
def test_nms(check, opset):
    from paddle.vision import ops

    check(
        lambda b, s: ops.nms(b, 0.3, s),
        boxes(12),
        scores(12),
        opset=opset,
        specs=[([-1, 4], "float32"), ([-1], "float32")],
        more=[[boxes(30, seed=1), scores(30, seed=1)]],
    )


@OPSETS
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"top": 20, "keep": 10, "background": -1, "normalized": True},
        {"top": 4, "keep": 5, "background": 0, "normalized": True},
        {"top": -1, "keep": -1, "background": 2, "normalized": False},
    ],
)
def test_multiclass_nms(check, opset, batch, options):
    import paddle

    def function(b, s):
        return paddle._C_ops.multiclass_nms3(
            b,
            s,
            None,
            0.1,
            options["top"],
            options["keep"],
            0.4,
            options["normalized"],
            1.0,
            options["background"],
        )

    check(
        function,
        boxes(batch, 15),
        scores(batch, 3, 15),
        opset=opset,
        specs=[([batch, -1, 4], "float32"), ([batch, 3, -1], "float32")],
        more=[[boxes(batch, 40, seed=1), scores(batch, 3, 40, seed=1)]],
    )


@OPSETS
@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_matrix_nms(check, opset, gaussian, batch):
    from paddle.vision import ops

    def function(b, s):
        return ops.matrix_nms(
            b, s, 0.1, 0.05, 8, 10, gaussian, background_label=0, return_index=True
        )

    check(
        function,
        boxes(batch, 15),
        scores(batch, 3, 15),
        opset=opset,
        specs=[([batch, -1, 4], "float32"), ([batch, 3, -1], "float32")],
        more=[[boxes(batch, 40, seed=1), scores(batch, 3, 40, seed=1)]],
    )


@OPSETS
@pytest.mark.parametrize("normalized", [True, False])
def test_box_coder_encodes(check, opset, normalized):
    from paddle.vision import ops

    def function(a, t):
        return ops.box_coder(a, VARIANCE, t, "encode_center_size", box_normalized=normalized)

    specs = [([-1, 4], "float32")] * 2
    check(function, boxes(6), boxes(3, seed=1), opset=opset, specs=specs, rtol=1e-4)


@OPSETS
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("own_variance", [False, True])
def test_box_coder_decodes(check, opset, axis, own_variance):
    from paddle.vision import ops

    coded = np.random.default_rng(2).uniform(-1, 1, (3, 6, 4)).astype("float32")
    anchors = boxes((6, 3)[axis])
    if own_variance:
        variance = np.random.default_rng(3).uniform(0.1, 0.3, anchors.shape).astype("float32")
        check(
            lambda a, v, t: ops.box_coder(a, v, t, "decode_center_size", axis=axis),
            anchors,
            variance,
            coded,
            opset=opset,
            static=True,
            atol=1e-5,
        )
        return
    check(
        lambda a, t: ops.box_coder(a, VARIANCE, t, "decode_center_size", axis=axis),
        anchors,
        coded,
        opset=opset,
        static=True,
        atol=1e-5,
    )


@OPSETS
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("steps", [(0.0, 0.0), (8.0, 6.0)])
def test_prior_box(check, opset, ordered, steps):
    from paddle.vision import ops

    def function(x, i):
        made, variances = ops.prior_box(
            x,
            i,
            [8.0, 16.0],
            [20.0, 30.0],
            [1.0, 2.0],
            flip=True,
            clip=not ordered,
            steps=steps,
            offset=0.3,
            min_max_aspect_ratios_order=ordered,
        )
        return made, variances

    feature, image = np.zeros((1, 4, 5, 6), "float32"), np.zeros((1, 3, 40, 48), "float32")
    check(
        function,
        feature,
        image,
        opset=opset,
        specs=[([1, 4, -1, -1], "float32"), ([1, 3, -1, -1], "float32")],
        more=[[feature[:, :, :3], image[:, :, :30]]],
    )


@OPSETS
@pytest.mark.parametrize("kind", ["roi_pool", "psroi_pool"])
def test_region_pooling(check, opset, kind):
    from paddle.vision import ops

    def function(x, b, n):
        return getattr(ops, kind)(x, b, n, 2, 0.25)

    x = np.random.default_rng(0).normal(size=(2, 8, 16, 20)).astype("float32")
    check(
        function,
        x,
        boxes(5),
        np.array([2, 3], "int32"),
        opset=opset,
        specs=[([2, 8, -1, -1], "float32"), ([-1, 4], "float32"), ([2], "int32")],
        more=[[x[:, :, :15], boxes(3, seed=1), np.array([0, 3], "int32")]],
        rtol=1e-4,
    )


def test_a_changing_threshold_is_refused_by_name(check):
    import paddle

    from converter.errors import StageError

    def function(b, s):
        return paddle._C_ops.multiclass_nms3(b, s, None, 0.1, 20, 10, 0.4, True, 0.9, -1)

    with pytest.raises(StageError, match=r"multiclass_nms3 \(its nms_eta"):
        check(function, boxes(1, 9), scores(1, 3, 9), static=True)
