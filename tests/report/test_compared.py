"""The words for what users would notice, and for the shapes of a sweep."""

from __future__ import annotations

from converter.model.comparison import CaseComparison, SweptShape, ValidateFacts
from converter.model.task_agreement import TaskAgreement
from converter.model.tolerance import Tolerance
from converter.report.accuracy_text import accuracy_text
from converter.report.compared import sweep_rows, sweep_text, task_text, task_totals
from tests.report.report_builders import NAN, output


def case(label: str, *, passed: bool = True, task: TaskAgreement | None = None, **out: object):
    return CaseComparison(
        label=label,
        input_shapes={"x": (1, 3, 48, 320)},
        seed=0,
        outputs=(output(passed=passed, **out),),
        passed=passed,
        task=task,
    )


def shape(what: str, label: str | None, **more: object) -> SweptShape:
    return SweptShape(what=what, input_shapes={"x": (1, 3, 48, 319)}, case=label, **more)


def facts(cases, sweep=()) -> ValidateFacts:
    tolerance = Tolerance(atol=1e-5, rtol=1e-4, min_cosine=0.9999)
    return ValidateFacts(tolerance=tolerance, cases=tuple(cases), sweep=tuple(sweep))


def test_a_refused_shape_is_never_counted_as_compared():
    swept = [shape("min", "a"), shape("width odd", None, refused="Paddle cannot run it")]
    told = facts([case("a", max_abs=2e-6)], swept)

    assert [row.case is None for row in sweep_rows(told)] == [False, True]
    assert sweep_text(told) == (
        "1 of 2 shapes compared, worst max abs 2.0e-06 (min, x 1x3x48x319); "
        "the reference itself refuses 1: width odd, x 1x3x48x319"
    )
    line = accuracy_text(told).splitlines()[-1]
    assert line.startswith("x 1x3x48x319") and "refused by the reference" in line
    nothing = facts([case("a")], swept[1:])
    assert sweep_text(nothing).startswith("0 of 1 shape compared; the reference itself refuses 1")


def test_a_failed_shape_is_named_before_the_worst():
    swept = [shape("min", "a"), shape("max", "b")]
    told = sweep_text(facts([case("a", max_abs=1.0), case("b", passed=False)], swept))
    assert told == "2 of 2 shapes compared, 1 failed: max, x 1x3x48x319"


def test_nan_is_the_worst():
    (row,) = sweep_rows(facts([case("a", max_abs=NAN)], [shape("min", "a")]))
    assert row.max_abs != row.max_abs


def test_a_shape_that_stands_for_a_larger_one_says_so():
    swept = [shape("max", "a", instead_of={"x": (8, 3, 48, 3200)})]
    assert "instead of x 8x3x48x3200, which is too large" in sweep_text(facts([case("a")], swept))


def test_no_sweep_says_nothing():
    assert sweep_text(facts([case("a")])) == ""


def test_task_numbers_are_summed_by_kind_and_keep_the_first_difference():
    one = TaskAgreement(kind="text", items=2, agreeing=1, score_difference=0.1, detail="a, not b")
    other = TaskAgreement(kind="text", items=3, agreeing=3, score_difference=0.2, detail="")
    boxes = TaskAgreement(kind="boxes", items=0, agreeing=0)
    totals = list(task_totals(facts([case("a", task=one), case("b", task=other), case("c")])))
    assert [task_text(task) for task in totals] == ["4 of 5 texts equal, scores within 0.20"]
    assert totals[0].detail == "a, not b"
    assert task_text(boxes) == "no boxes in either"
    none = TaskAgreement(kind="class", items=2, agreeing=0)
    assert task_text(none) == "0 of 2 classes equal"
