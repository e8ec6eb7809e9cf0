"""Boxes of equal score may change places; nothing else may hide behind that."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.boxes import find_boxes
from converter.accuracy.gate import compare_case, gate, reorderings
from converter.accuracy.limits import Limits
from converter.model.comparison import CaseComparison

ROWS = 300


@pytest.fixture
def outputs() -> dict[str, np.ndarray]:
    """Two images with 300 boxes each, sorted by score; rows 10 to 14 have nearly one score."""
    random = np.random.default_rng(3)
    rows = np.zeros((2 * ROWS, 6), "float32")
    for image in range(2):
        part = rows[image * ROWS : (image + 1) * ROWS]
        part[:, 0] = random.integers(0, 5, ROWS)
        part[:, 1] = np.linspace(0.9, 0.1, ROWS)
        part[10:15, 1] = part[10, 1] - np.arange(5) * 1e-6
        part[-3:, 1] = part[-3, 1] - np.arange(3) * 1e-6
        part[:, 2:] = random.uniform(0, 640, (ROWS, 4))
    return {"boxes": rows, "count": np.array([ROWS, ROWS], "int32")}


def compare(reference: dict[str, np.ndarray], rows: np.ndarray, **changes: float) -> CaseComparison:
    candidate = {**reference, "boxes": rows}
    return compare_case("a page", {}, 0, reference, candidate, limits=Limits(**changes))


def swapped(rows: np.ndarray, *pairs: tuple[int, int], scores_stay: bool = False) -> np.ndarray:
    """``rows`` with those exchanged; the score column stays sorted when ``scores_stay``."""
    made = rows.copy()
    for first, second in pairs:
        made[[first, second]] = made[[second, first]]
    if scores_stay:
        made[:, 1] = rows[:, 1]
    return made


def test_equal_scores_may_stand_in_another_order(outputs):
    rows = swapped(outputs["boxes"], (10, 13), (11, 12), (310, 314))
    case = compare(outputs, rows)
    assert case.passed
    boxes = case.outputs[0]
    assert (boxes.moved, boxes.unpaired) == (6, 0)
    assert boxes.max_abs == 0
    assert boxes.shape == (600, 6)
    assert gate([case])[0]
    (said,) = reorderings([case])
    assert "6 of 600 boxes stand elsewhere" in said


def test_rounding_stays_within_the_tolerance_of_each_column(outputs):
    rows = swapped(outputs["boxes"], (10, 11)) * np.float32(1 + 2e-6)
    rows[:, 0] = np.round(rows[:, 0])
    assert compare(outputs, rows).outputs[0].moved == 2
    rows[10, 2] += 0.5
    assert not compare(outputs, rows).passed


def test_what_stands_in_order_is_compared_as_ever(outputs):
    case = compare(outputs, outputs["boxes"].copy())
    assert case.passed
    assert case.outputs[0].moved == case.outputs[0].unpaired == 0
    assert not reorderings([case])


@pytest.mark.parametrize(
    "wrong",
    [
        # Boxes of different scores: a candidate that does not sort.
        lambda rows: swapped(rows, (20, 40)),
        # Boxes that got each other's scores.
        lambda rows: swapped(rows, (20, 40), scores_stay=True),
        # Boxes of equal score, of different images.
        lambda rows: swapped(rows, (12, 312), scores_stay=True),
        # One box twice, another one lost, in the midst of the list.
        lambda rows: np.concatenate([rows[:11], rows[10:11], rows[12:]]),
        # Another class, a coordinate half a pixel off.
        lambda rows: rows + np.eye(600, 6, k=-12, dtype="float32") * [1, 0, 0, 0, 0, 0],
        lambda rows: rows + np.eye(600, 6, k=-9, dtype="float32") * [0, 0, 0, 0.5, 0, 0],
        lambda rows: np.full_like(rows, np.nan),
        lambda rows: np.zeros_like(rows),
    ],
    ids=["order", "scores", "images", "twice", "class", "coordinate", "nan", "zeros"],
)
def test_wrong_boxes_fail(outputs, wrong):
    rows = wrong(outputs["boxes"]).astype("float32")
    case = compare(outputs, rows)
    assert not case.passed
    assert not gate([case])[0]


def test_a_box_at_the_cut_may_be_another_one(outputs):
    rows = outputs["boxes"].copy()
    rows[299, 2:] += 50.0
    case = compare(outputs, rows)
    assert case.passed
    assert (case.outputs[0].moved, case.outputs[0].unpaired) == (0, 1)
    assert "1 at the cut-off are others" in reorderings([case])[0]


def test_not_many_of_them(outputs):
    outputs["boxes"][280:300, 1] = outputs["boxes"][299, 1]
    rows = outputs["boxes"].copy()
    rows[296:300, 2:] += 50.0
    assert not compare(outputs, rows).passed


def test_none_of_a_short_list(outputs):
    short = {"boxes": outputs["boxes"][:20], "count": np.array([20], "int32")}
    rows = short["boxes"].copy()
    rows[-1, 2:] += 50.0
    assert not compare(short, rows).passed


def test_another_count_is_not_paired(outputs):
    candidate = {**outputs, "count": np.array([ROWS - 1, ROWS + 1], "int32")}
    candidate["boxes"] = swapped(outputs["boxes"], (10, 13))
    assert not compare_case("a page", {}, 0, outputs, candidate, None).passed


def test_the_tolerance_given_decides_what_is_equal(outputs):
    rows = swapped(outputs["boxes"], (20, 21))
    assert not compare(outputs, rows).passed
    assert compare(outputs, rows, atol=0.02).outputs[0].moved == 2


@pytest.mark.parametrize(
    "change",
    [
        {"count": np.array([300, 299], "int32")},
        {"count": np.array([300.0, 300.0], "float32")},
        {"boxes": np.full((600, 6), 0.5, "float32")},
        {"boxes": np.full((600, 6), 2.0, "float32")},
        {"boxes": np.ones((600, 5), "float32")},
        {"boxes": np.ones((600, 6), "int64")},
    ],
    ids=["sum", "float count", "class", "score", "columns", "integers"],
)
def test_what_is_not_boxes(outputs, change):
    assert find_boxes(outputs) == ("boxes", "count")
    assert find_boxes({**outputs, **change}) is None


def test_boxes_of_one_score_have_to_stand_in_order():
    """Where nothing tells boxes apart, pairing would let any order pass."""
    random = np.random.default_rng(0)
    rows = np.zeros((40, 6), "float32")
    rows[:, 2:] = random.uniform(0, 100, (40, 4))
    counts = np.array([40], "int32")
    reference = {"boxes": rows, "counts": counts}
    candidate = {"boxes": rows[::-1].copy(), "counts": counts}
    compared = compare_case("x", {}, 0, reference, candidate, None)
    assert not compared.passed


@pytest.mark.parametrize("dtype", ["U8", "S8", "complex64"])
def test_boxes_that_are_no_numbers_fail_and_do_not_crash(dtype: str) -> None:
    rows = np.array([[0, 0.9, 1, 2, 3, 4], [1, 0.5, 4, 5, 6, 7]], np.float32)
    counts = np.array([2], np.int32)
    made = {"b": rows.astype(dtype), "n": counts}
    case = compare_case("case", {}, 0, {"b": rows, "n": counts}, made)
    assert not case.passed
    assert "cannot be compared" in case.outputs[0].reason


@pytest.mark.parametrize("missing", ["boxes", "count"])
def test_an_output_that_is_missing_beside_boxes_is_said(outputs, missing):
    candidate = {name: array for name, array in outputs.items() if name != missing}
    case = compare_case("a page", {}, 0, outputs, candidate, limits=Limits())
    assert not case.passed
    by_name = {output.name: output for output in case.outputs}
    assert f"output {missing!r} is missing in the candidate" in by_name.pop(missing).reason
    assert all(output.passed for output in by_name.values())
