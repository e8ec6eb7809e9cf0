"""A plan as text: units and durations are written as the reports write them."""

from __future__ import annotations

import pytest

from converter.model.build_plan import BuildPlan, ModelPlan
from converter.report import format as fmt
from converter.report.build_plan_text import plan_lines

PEAK = 361_000_000


def test_memory_is_in_the_unit_of_the_reports() -> None:
    model = ModelPlan(
        name="a", source="m", stages={"inspect": "run"}, why="new", seconds=1.8, peak_memory=PEAK
    )
    plan = BuildPlan(recipe="zoo.yaml", out_dir="out", cache=None, jobs=1, models=(model,))
    assert next(plan_lines(plan)) == "a  run inspect (about 1.8 s, 361 MB): new"
    assert fmt.size(PEAK) == "361 MB"


@pytest.mark.parametrize(
    ("seconds", "line", "total"),
    [
        (0.0, "time of compile not known, 361 MB", "; time of compile not known"),
        (
            1.8,
            "about 1.8 s, time of compile not known, 361 MB",
            "; about 1.8 s with 1 at a time; time of compile not known",
        ),
    ],
)
def test_a_time_that_nobody_knows_is_not_nothing(seconds: float, line: str, total: str) -> None:
    model = ModelPlan(
        name="a",
        source="m",
        stages={"compile": "run"},
        why="new",
        seconds=seconds,
        peak_memory=PEAK,
        untimed=("compile",),
    )
    plan = BuildPlan(recipe="zoo.yaml", out_dir="out", cache=None, jobs=1, models=(model,))
    first, last = plan_lines(plan)
    assert first == f"a  run compile ({line}): new"
    assert last == f"1 conversion: 1 to run, 0 cached{total}"
