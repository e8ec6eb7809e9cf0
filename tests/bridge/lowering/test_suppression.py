import numpy as np
import pytest

RNG = np.random.default_rng(8)


def boxes(*shape):
    low = RNG.uniform(0, 20, size=(*shape, 2))
    return np.concatenate([low, low + RNG.uniform(4, 16, low.shape)], -1).astype("float32")


def scores(*shape):
    count = int(np.prod(shape))
    return ((RNG.permutation(count) + 0.5) / count).reshape(shape).astype("float32")


OPTIONS = [
    {},
    {"keep_top_k": 5, "nms_top_k": 6},
    {"keep_top_k": -1, "nms_top_k": -1, "background_label": 1},
    {"keep_top_k": 4, "normalized": False, "score_threshold": 0.7},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_multiclass_nms(check, options):
    import paddle
    from paddle import _C_ops

    chosen = {
        "score_threshold": 0.2,
        "nms_top_k": 100,
        "keep_top_k": 100,
        "nms_threshold": 0.4,
        "normalized": True,
        "nms_eta": 1.0,
        "background_label": -1,
        **options,
    }

    def function(b, s):
        return _C_ops.multiclass_nms3(b, s, None, *chosen.values())

    assert paddle
    specs = [((-1, -1, 4), "float32"), ((-1, 3, -1), "float32")]
    more = [[boxes(1, 9), scores(1, 3, 9)]]
    check(function, boxes(2, 15), scores(2, 3, 15), specs=specs, more=more)


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("limit", [-1, 6])
def test_matrix_nms(check, gaussian, limit):
    import paddle

    def function(b, s):
        return paddle.vision.ops.matrix_nms(
            b, s, 0.1, 0.05, limit, limit, gaussian, background_label=0, return_index=True
        )

    twins = boxes(2, 12)
    twins[:, 4:7] = twins[:, 3:4]
    specs = [((-1, -1, 4), "float32"), ((-1, 3, -1), "float32")]
    check(function, twins, scores(2, 3, 12), specs=specs, rtol=1e-4)


@pytest.mark.parametrize("pixel_offset", [True, False])
def test_generate_proposals(check, pixel_offset):
    import paddle

    def function(s, d, size, anchors):
        return paddle.vision.ops.generate_proposals(
            s,
            d,
            size,
            anchors,
            paddle.full([3, 4, 2, 4], 0.5),
            pre_nms_top_n=20,
            post_nms_top_n=6,
            nms_thresh=0.5,
            min_size=3.0,
            pixel_offset=pixel_offset,
            return_rois_num=True,
        )

    deltas = RNG.normal(size=(2, 8, 3, 4)).astype("float32")
    size = np.array([[30, 28], [24, 36]], "float32")
    specs = [((-1, 2, 3, 4), "float32"), ((-1, 8, 3, 4), "float32")]
    specs += [((-1, 2), "float32"), ((3, 4, 2, 4), "float32")]
    arrays = (scores(2, 2, 3, 4), deltas, size, boxes(3, 4, 2))
    check(function, *arrays, specs=specs, rtol=1e-4, atol=1e-4)
    # No box of the second image is large enough: Paddle gives one of zeros for it.
    size[1] = 2
    check(function, *arrays, specs=specs, rtol=1e-4, atol=1e-4)
