"""Task-level agreement sees what it should, and its gate is not passed by nothing."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.task.agreement import disagreements, gate_task, task_agreement
from converter.accuracy.task.detections import overlap
from converter.errors import GateError
from converter.model.comparison import CaseComparison
from converter.model.inference_yml import InferenceYml

TEXT = InferenceYml(postprocess={"name": "CTCLabelDecode", "character_dict": ["a", "b"]})
CLASS = InferenceYml(postprocess={"Topk": {"topk": 1, "label_list": ["cat", "dog"]}})
MAP = InferenceYml(postprocess={"name": "DBPostProcess", "thresh": 0.3})
BOXES = InferenceYml(labels=("title", "table"))


def line(*classes: int) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[list(classes)][None]


def found(yml, wanted, made):
    task = task_agreement(yml, {"y": np.asarray(wanted)}, {"y": np.asarray(made)})
    assert task is not None
    return task


def test_texts_collapse_repeats_and_differ_by_a_letter():
    same = found(TEXT, line(1, 1, 0, 1, 3, 2), line(1, 0, 1, 3, 2, 2))
    other = found(TEXT, line(1, 0, 2), line(1, 0, 1))
    assert (same.agreeing, same.items) == (1, 1)
    assert other.detail == "line 0: 'ab' became 'aa'"


def test_lines_on_which_nobody_reads_anything_are_no_texts():
    none = line(0, 0, 0)
    lines = np.concatenate([none, line(1, 0, 2)])
    empty, both = found(TEXT, none, none), found(TEXT, lines, lines)
    assert (empty.items, both.items, both.agreeing) == (0, 1, 1)
    with pytest.raises(GateError, match="no text"):
        gate_task([case(empty)], 1.0, hint="look")
    lost = found(TEXT, line(1, 0, 2), none)
    assert (lost.items, lost.agreeing) == (1, 0)


def test_classes_by_name():
    task = found(CLASS, np.float32([[1, 0], [0, 1]]), np.float32([[1, 0], [1, 0]]))
    assert (task.items, task.agreeing, task.detail) == (2, 1, "image 1: dog became cat")


def test_text_pixels_near_the_threshold_are_no_difference():
    wanted = np.float32([0.3001, 0.9, 0.1, 0.9]).reshape(1, 1, 2, 2)
    near = np.float32([0.2999, 0.9, 0.1, 0.9]).reshape(1, 1, 2, 2)
    lost = np.float32([0.3001, 0.9, 0.1, 0.1]).reshape(1, 1, 2, 2)
    assert found(MAP, wanted, near).agreement == 1
    assert found(MAP, wanted, lost).detail == "1 of 3 text pixels are lost, 0 are new"


def test_boxes_in_another_order_match_and_moved_or_new_ones_do_not():
    rows = np.float32([[0, 0.9, 0, 0, 100, 100], [1, 0.8, 200, 0, 300, 50]])
    moved = rows + np.float32([0, 0, 0, 0, 0, 0])
    moved[0, 2:] += 30
    swapped = found(BOXES, rows, rows[::-1])
    assert (swapped.items, swapped.agreeing) == (2, 2)
    task = found(BOXES, rows, moved)
    assert (task.items, task.agreeing) == (3, 1)
    assert "title at 0, 0, 100, 100" in task.detail


@pytest.mark.parametrize(
    ("box", "least"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 15, 10), 1 / 3),  # 50 of 150
        ((5, 5, 15, 15), 25 / 175),
        ((0, 0, 10, 4), 0.4),  # inside
        ((2, -5, 6, 20), 40 / 160),  # across
        ((10, 0, 20, 10), 0.0),  # touches
        ((20, 20, 30, 30), 0.0),  # apart in both directions
        ((-30, 20, -20, 30), 0.0),
    ],
)
def test_the_overlap_is_the_shared_part_of_the_union(box, least):
    first, second = np.float64([0, 0, 10, 10]), np.float64(box)
    assert overlap(first, second) == pytest.approx(least)
    assert overlap(second, first) == pytest.approx(least)
    moved = np.float64([100, 50, 100, 50])
    assert overlap(first + moved, second + moved) == pytest.approx(least)


def test_boxes_with_an_order_of_reading_are_boxes():
    rows = np.float32([[0, 0.9, 0, 0, 100, 100], [1, 0.8, 200, 0, 300, 50]])
    for more in (1, 2):
        wide = np.hstack([rows, np.ones((2, more), np.float32)])
        assert found(BOXES, wide, wide[::-1]).agreeing == 2
        assert found(BOXES, wide, wide[:1]).detail.startswith("table at 200, 0, 300, 50 (")
    other = {"y": np.ones((2, 9), np.float32)}
    assert task_agreement(BOXES, other, other) is None


def case(task) -> CaseComparison:
    return CaseComparison(label="data", input_shapes={}, seed=0, outputs=(), passed=True, task=task)


def test_the_gate_fails_on_a_difference_and_on_nothing():
    other = case(found(CLASS, np.float32([[1, 0]]), np.float32([[0, 1]])))
    same = case(found(CLASS, np.float32([[1, 0]]), np.float32([[1, 0]])))
    assert len(disagreements([same, other])) == 1
    gate_task([same], 1.0, hint="look")
    gate_task([other], None, hint="look")
    for cases in ([same, other], [case(None)], []):
        with pytest.raises(GateError):
            gate_task(cases, 1.0, hint="look")
