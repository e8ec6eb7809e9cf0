"""Which cases are run when Paddle refuses some: with a predictor that refuses on demand."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.predictor import _named
from converter.accuracy.reference import PaddleReference
from converter.errors import StageError
from converter.model.tensor import TensorSpec


def spec(name, *shape, dtype="float32"):
    return TensorSpec(name=name, dtype=dtype, shape=shape)


class Predictor:
    """Computes ``function`` and refuses inputs that ``accepts`` does not take; counts its runs."""

    def __init__(self, accepts=lambda x: True, function=np.copy):
        self.accepts, self.function = accepts, function
        self.shapes, self.refused = [], []

    def run(self, inputs, output_names):
        (x,) = inputs.values()
        self.shapes.append(x.shape)
        if not self.accepts(x):
            self.refused.append(x.shape)
            raise StageError(f"refused {list(x.shape)}", hint="")
        return {name: self.function(x) for name in output_names}


def reference(predictor, *inputs, value_range=None):
    return PaddleReference(
        predictor, inputs, (spec("y"),), hints={}, value_range=value_range, seed=0
    )


VECTOR = spec("x", "batch", 10)
IMAGE = spec("x", "batch", 3, "height", "width")


def test_all_as_planned_takes_four_runs():
    predictor = Predictor()
    whole = reference(predictor, VECTOR)
    cases = list(whole.cases())
    assert len(predictor.shapes) == len(cases) == 4
    assert {case.case.kind for case in cases} == {"uniform", "wide"}
    assert (whole.rejected, whole.only_shape, whole.uncovered()) == ([], "", [])
    assert not whole.too_wide()
    assert list(whole.cases()) == cases
    assert len(predictor.shapes) == 4


def test_only_batch_one():
    predictor = Predictor(lambda x: x.shape[0] == 1)
    whole = reference(predictor, VECTOR)
    cases = list(whole.cases())
    assert len(cases) == 4
    assert {case.case.shapes["x"] for case in cases} == {(1, 10)}
    assert len({case.case.seed for case in cases}) == 4
    assert len({case.case.label for case in cases}) == 4
    assert {case.case.kind for case in cases} == {"uniform", "wide"}
    assert whole.only_shape == "x[1, 10]"
    assert whole.rejected == ["x[2, 10]: refused [2, 10]"]
    # Refused once, not once per case.
    assert predictor.refused == [(2, 10)]


def test_only_one_spatial_size():
    predictor = Predictor(lambda x: x.shape[2:] == (224, 224))
    whole = reference(predictor, IMAGE)
    cases = list(whole.cases())
    assert {case.case.shapes["x"] for case in cases} == {(1, 3, 224, 224), (2, 3, 224, 224)}
    assert whole.only_shape == ""
    assert whole.uncovered() == ["width 224"]  # both planned heights are 192
    assert len(predictor.refused) == len(set(predictor.refused))


def test_only_one_shape_of_an_image():
    predictor = Predictor(lambda x: x.shape == (1, 3, 224, 224))
    whole = reference(predictor, IMAGE)
    cases = list(whole.cases())
    assert {case.case.shapes["x"] for case in cases} == {(1, 3, 224, 224)}
    assert len({case.case.seed for case in cases}) == 4
    assert whole.only_shape
    assert len(predictor.refused) == len(set(predictor.refused))


def test_nothing_runs():
    predictor = Predictor(lambda x: False)
    with pytest.raises(StageError, match=r"refused \[1, 10\]"):
        list(reference(predictor, VECTOR).cases())


def test_values_that_paddle_refuses_are_tamed_once():
    predictor = Predictor(lambda x: x.min() >= 0)
    whole = reference(predictor, spec("x", "batch", 10, dtype="int64"))
    cases = list(whole.cases())
    assert len(cases) == 4
    assert all(case.inputs["x"].min() >= 0 for case in cases)
    assert "refused" in whole.too_wide()["signed"]
    # The shapes were not at fault, and signed values were tried once.
    assert whole.rejected == []
    assert len(predictor.refused) == 1 + ("wide" in whole.too_wide())


@pytest.mark.parametrize(
    ("accepts", "kind"),
    [
        (lambda x: x.min() > 0, "positive"),
        (lambda x: x.min() >= 0 and x.max() < 2, "binary"),
        (lambda x: not x.any(), "zero"),
    ],
)
def test_integers_that_paddle_refuses_are_limited(accepts, kind):
    whole = reference(Predictor(accepts), spec("x", "batch", 10, dtype="int64"))
    cases = list(whole.cases())
    assert {case.case.kind for case in cases} == {kind}
    assert "uniform" in whole.too_wide()
    assert whole.rejected == []


def test_values_that_give_nan_are_tamed():
    def logarithm(x):
        with np.errstate(all="ignore"):
            return np.log(x + 0.1)

    predictor = Predictor(function=logarithm)
    whole = reference(predictor, VECTOR)
    cases = list(whole.cases())
    assert all(np.isfinite(case.outputs["y"]).all() for case in cases)
    assert list(whole.too_wide()) == ["wide"]
    assert len(predictor.shapes) == 5


def test_a_model_that_always_has_nan_keeps_wide_values():
    predictor = Predictor(function=lambda x: x * np.nan)
    whole = reference(predictor, VECTOR)
    assert {case.case.kind for case in whole.cases()} == {"uniform", "wide"}
    assert len(predictor.shapes) == 4


def test_first_has_different_shapes_and_kinds():
    predictor = Predictor()
    chosen = reference(predictor, VECTOR).first(2)
    assert [case.case.shapes["x"] for case in chosen] == [(1, 10), (2, 10)]
    assert {case.case.kind for case in chosen} == {"uniform", "wide"}
    assert len(predictor.shapes) == 4
    assert len(reference(Predictor(), spec("x", 1, 10)).first(2)) == 1


def test_outputs_are_paired_by_name_where_the_names_are_the_same():
    one, two = np.array(1), np.array(2)
    assert _named(["a", "b"], ["b", "a"], [two, one]) == {"a": one, "b": two}
    assert list(_named(["a", "b"], ["b", "a"], [two, one])) == ["a", "b"]
    assert _named(["a", "b"], ["fetch_0", "fetch_1"], [one, two]) == {"a": one, "b": two}
    assert _named(["a", "b"], ["b", "c"], [one, two]) == {"a": one, "b": two}
    with pytest.raises(StageError, match="1 outputs"):
        _named(["a", "b"], ["a"], [one])
