"""Which shapes a sweep has."""

from __future__ import annotations

import math

from converter.accuracy.inputs import make_inputs, plan_cases, plan_sweep
from converter.accuracy.inputs.sweep import OPT_ELEMENTS, SWEEP_ELEMENTS
from converter.model.tensor import ShapeHint, TensorSpec


def spec(name, *shape, dtype="float32"):
    return TensorSpec(name=name, dtype=dtype, shape=shape)


LINE = (spec("x", "batch", 3, 48, "width"),)
LINE_HINTS = {"x": ShapeHint(min=(1, 3, 48, 160), opt=(1, 3, 48, 320), max=(8, 3, 48, 3200))}
DETECTOR = (
    spec("im_shape", "batch", 2),
    spec("image", "batch", 3, "height", "width"),
    spec("scale_factor", "batch", 2),
)


def shapes(specs, hints, name):
    return {swept.what: swept.case.shapes[name] for swept in plan_sweep(specs, hints)}


def test_a_text_line_is_swept_over_what_inference_yml_names_and_more():
    assert shapes(LINE, LINE_HINTS, "x") == {
        "min": (1, 3, 48, 160),
        "opt": (1, 3, 48, 320),
        "max": (4, 3, 48, 1760),
        "batch 3": (3, 3, 48, 320),
        "width odd": (1, 3, 48, 319),
        "width max": (1, 3, 48, 3200),
    }


def test_what_is_too_large_has_a_stand_in_that_says_so():
    hints = {"x": ShapeHint(min=(1, 3, 32, 32), opt=(1, 3, 736, 736), max=(1, 3, 4000, 4000))}
    swept = {s.what: s for s in plan_sweep((spec("x", "b", 3, "h", "w"),), hints)}

    assert swept["max"].instead_of == {"x": (1, 3, 4000, 4000)}
    assert swept["opt"].instead_of is None
    assert swept["opt"].case.shapes == {"x": (1, 3, 736, 736)}
    for what, each in swept.items():
        size = math.prod(each.case.shapes["x"])
        assert size <= (OPT_ELEMENTS if what == "opt" else SWEEP_ELEMENTS)
    height, width = swept["max"].case.shapes["x"][2:]
    assert min(height, width) > 400
    assert height % 32 == width % 32 == 0


def test_a_large_batch_of_a_fixed_size_is_run_all_the_same():
    found = shapes((spec("image", "batch", 3, 640, 640),), {}, "image")

    assert found == {"batch 1": (1, 3, 640, 640), "batch 3": (3, 3, 640, 640)}


def test_every_free_dim_is_odd_once_and_small_and_large():
    found = shapes((spec("ids", "batch", "length", dtype="int64"),), {}, "ids")

    assert found == {
        "batch 1": (1, 16),
        "batch 3": (3, 16),
        "sequence odd": (1, 15),
        "sequence small": (1, 1),
        "sequence large": (1, 64),
    }


def test_two_dims_of_one_role_are_told_apart():
    found = shapes((spec("x", "batch", "time", "features"),), {}, "x")

    assert found["sequence time odd"] == (1, 15, 16)
    assert found["sequence features large"] == (1, 16, 64)


def test_no_shape_is_there_twice_and_all_fit_the_signature():
    for specs, hints in ((LINE, LINE_HINTS), (DETECTOR, {})):
        swept = [each.case.shapes for each in plan_sweep(specs, hints)]
        assert len(swept) > 5
        assert all(one not in swept[:i] for i, one in enumerate(swept))
        for each in swept:
            bound = {}
            for tensor in specs:
                for dim, extent in zip(tensor.shape, each[tensor.name], strict=True):
                    wanted = bound.setdefault(dim, extent) if isinstance(dim, str) else dim
                    assert extent == wanted >= 1


def test_labels_differ_from_those_of_the_usual_cases():
    labels = [case.label for case in plan_cases(LINE, LINE_HINTS, None)]
    labels += [swept.case.label for swept in plan_sweep(LINE, LINE_HINTS)]

    assert len(labels) == len(set(labels))


def test_a_static_model_has_nothing_to_sweep():
    assert plan_sweep((spec("x", 1, 3, 48, 320),), {}) == []
    assert plan_sweep((), {}) == []


def test_a_detectors_size_and_scale_follow_every_shape():
    for swept in plan_sweep(DETECTOR, {}):
        values = make_inputs(swept.case, DETECTOR, None)
        batch, _, height, width = swept.case.shapes["image"]
        assert values["image"].shape == (batch, 3, height, width)
        assert values["im_shape"].tolist() == [[height, width]] * batch
        assert values["scale_factor"].tolist() == [[1.0, 1.0]] * batch
