"""Where Paddle's answer jumps, a candidate may land on the other side; nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from converter.accuracy.gate import compare_case, gate, jumps
from converter.accuracy.limits import Limits
from converter.accuracy.nearby import CHANGES, DRAWS, agree_nearby, nearby_inputs
from converter.model.comparison import CaseComparison

Arrays = dict[str, np.ndarray]


def compare(b: Arrays, a: Arrays, wider: float = 1.0) -> CaseComparison:
    return compare_case("a page", {}, 0, b, a, limits=Limits(wider=wider))


def chooser(image: np.ndarray) -> Arrays:
    """A model that keeps the larger of two halves: a jump where they are equal."""
    left, right = np.split(image.astype("float64"), 2, axis=3)
    return {"kept": (left if left.mean() >= right.mean() else right + 3.0).astype("float32")}


def smooth(image: np.ndarray) -> Arrays:
    return {"kept": np.tanh(image * 2.0 + 0.3)}


@pytest.fixture
def tie() -> Arrays:
    """An image whose halves have one mean but for 3e-8."""
    random = np.random.default_rng(0)
    image = random.uniform(0.2, 0.8, (1, 3, 16, 32)).astype("float32")
    left, right = np.split(image, 2, axis=3)
    right += left.mean(dtype="float64") - right.mean(dtype="float64")
    return {"image": np.concatenate([left, right], axis=3)}


def judged(model: Callable[[np.ndarray], Arrays], inputs: Arrays, candidate: Arrays):
    answers = ((change, model(near["image"])) for change, near in nearby_inputs(inputs, 0))
    return agree_nearby(compare, model(inputs["image"]), candidate, answers)


def other_side(tie: Arrays) -> Arrays:
    """What a runtime gives that rounds the other way."""
    left, right = np.split(tie["image"], 2, axis=3)
    here = chooser(tie["image"])["kept"]
    return {"kept": right + 3.0 if np.array_equal(here, left) else left}


def test_the_other_choice_is_as_good(tie):
    candidate = other_side(tie)
    assert not compare(chooser(tie["image"]), candidate).passed
    found = judged(chooser, tie, candidate)
    assert found is not None
    assert found.passed
    assert found.nearby in CHANGES
    assert gate([found])[0]
    (said,) = jumps([found])
    assert "Paddle's own answer jumps" in said


def test_a_wrong_answer_is_wrong_on_both_sides(tie):
    wrong = {"kept": other_side(tie)["kept"] * np.float32(1.01)}
    assert judged(chooser, tie, wrong) is None


def test_nothing_is_excused_where_the_answer_does_not_jump(tie):
    near = {"kept": smooth(tie["image"])["kept"] + np.float32(1.3e-4)}
    assert not compare(smooth(tie["image"]), near).passed
    assert judged(smooth, tie, near) is None


def test_a_clear_choice_stays(tie):
    image = tie["image"].copy()
    image[..., :16] += 0.01
    wrong = {"kept": np.split(image, 2, axis=3)[1] + 3.0}
    assert judged(chooser, {"image": image}, wrong) is None


def test_another_shape_is_not_looked_into(tie):
    def unwanted():
        raise AssertionError("Paddle was run")
        yield

    candidate = {"kept": np.zeros((2, 2), "float32")}
    assert agree_nearby(compare, chooser(tie["image"]), candidate, unwanted()) is None


def test_only_images_change(tie):
    sizes = {"im_shape": np.ones((1, 2), "float32"), "ids": np.ones((1, 3, 4, 4), "int64")}
    assert not list(nearby_inputs(sizes, 0))
    made = list(nearby_inputs({**tie, **sizes}, 0))
    assert len(made) == len(CHANGES) * DRAWS
    for change, inputs in made:
        np.testing.assert_array_equal(inputs["im_shape"], sizes["im_shape"])
        relative = np.abs(inputs["image"] / tie["image"] - 1).max()
        assert 0 < relative <= change * 1.01 + 2**-23
