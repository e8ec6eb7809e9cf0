"""A plan as text: units and durations are written as the reports write them."""

from __future__ import annotations

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
