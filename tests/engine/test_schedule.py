"""The order of tasks, and what may run at once."""

from __future__ import annotations

import pytest

from converter.engine import schedule as schedule_module
from converter.engine.cache.history import Seen
from converter.engine.schedule import Estimate, Schedule, available_memory, estimate
from converter.model.memory import FreeMemory
from converter.model.task import CacheUse, Task
from converter.stages.pipeline import STAGES

GB = 1 << 30


def task(name: str, reference: str | None = None) -> Task:
    use = CacheUse(root="/c", keys={}, reference=reference) if reference else None
    return Task(
        name=name,
        source=f"/m/{name}",
        stages=("inspect",),
        work_dir="/w",
        destination="/d",
        report_root="/r",
        cache=use,
    )


def order(schedule: Schedule, running=()) -> list[str]:
    names = []
    while (chosen := schedule.next(running)) is not None:
        names.append(chosen.name)
    return names


def test_the_longest_is_first():
    estimates = {"a": Estimate(1, 0), "b": Estimate(9, 0), "c": Estimate(4, 0)}

    assert order(Schedule([task(n) for n in "abc"], jobs=1, estimates=estimates)) == ["b", "c", "a"]


def test_without_estimates_the_order_is_as_given():
    assert order(Schedule([task(n) for n in "cab"], jobs=1)) == ["c", "a", "b"]


def test_no_more_than_the_memory_holds_and_one_too_large_runs_alone():
    estimates = {
        "huge": Estimate(9, 20 * GB),
        "large": Estimate(5, 6 * GB),
        "small": Estimate(1, 1 * GB),
    }
    schedule = Schedule(
        [task(n) for n in ("small", "large", "huge")], jobs=3, estimates=estimates, memory=8 * GB
    )

    assert schedule.next([]).name == "huge"
    assert schedule.next(["huge"]) is None
    assert schedule.next([]).name == "large"
    assert schedule.next(["large"]).name == "small"
    assert schedule.next([]) is None


def test_no_more_than_the_jobs():
    schedule = Schedule([task("a"), task("b")], jobs=1)

    assert schedule.next(["x"]) is None
    assert schedule.next([]).name == "a"


def test_variants_of_one_model_are_kept_apart_while_there_is_something_else():
    tasks = [task("a-11", "A"), task("a-13", "A"), task("b", "B")]
    schedule = Schedule(tasks, jobs=2)

    assert schedule.next([]).name == "a-11"
    assert schedule.next(["a-11"]).name == "b"
    assert schedule.next(["a-11"]).name == "a-13"


def test_what_was_measured_is_better_than_what_is_guessed():
    seen = Seen(seconds={"export": 3.0, "validate": 2.0}, peak_memory={"export": GB, "validate": 5})

    assert estimate(10, seen, ["export", "validate"]) == Estimate(5.0, GB, known=True)


def test_only_the_stages_that_run_are_reckoned():
    seen = Seen(seconds={"export": 3.0, "validate": 2.0}, peak_memory={"export": GB, "validate": 5})

    assert estimate(10, seen, ["validate"]) == Estimate(2.0, 5, known=True)
    # Nobody has simplified it: its share of what a model of this size takes.
    assert estimate(100_000_000, seen, ["simplify", "validate", "compile"]) == Estimate(
        pytest.approx(0.55 * 16.0 + 2.0), (400 << 20) + 300_000_000, untimed=("compile",)
    )
    assert estimate(10, seen, ["compile"]).untimed == ("compile",)
    assert estimate(10, Seen(seconds={"compile": 9.0}), ["compile"]).untimed == ()


def test_what_nobody_has_converted_is_guessed_by_its_size():
    """A second and 400 MiB, and so much for every byte: docs/explanation/performance.md."""
    stages = [stage for stage in STAGES if stage != "compile"]
    assert estimate(0, None, stages) == Estimate(pytest.approx(1.0), 400 << 20)
    assert estimate(100_000_000, None, stages) == Estimate(
        pytest.approx(16.0), (400 << 20) + 300_000_000, known=False
    )


def test_nine_tenths_of_the_memory_that_is_free_are_planned_with(monkeypatch):
    monkeypatch.setattr(schedule_module, "free_memory", lambda: FreeMemory(10 * GB))
    assert available_memory() == 9 * GB

    monkeypatch.setattr(schedule_module, "free_memory", lambda: None)
    assert available_memory() is None


@pytest.mark.parametrize("again", [True, False])
def test_a_second_try_comes_last(again):
    schedule = Schedule([task("a"), task("b")], jobs=1)
    first = schedule.next([])
    if again:
        schedule.again(first)

    assert order(schedule) == (["b", "a"] if again else ["b"])
