"""A build's plan as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from converter.model.build_plan import BuildPlan, ModelPlan
from converter.report import format as fmt


def plan_lines(plan: BuildPlan) -> Iterator[str]:
    """One line per model, what it is waiting for behind it, and a sum at the end."""
    width = max((len(model.name) for model in plan.models), default=0)
    for model in plan.models:
        yield f"{model.name:<{width}}  {_fate(model)}"
    for name in plan.pipelines:
        why = f"  refused: {plan.refused[name]}" if name in plan.refused else ""
        yield f"pipeline {name}{why}"
    yield summary(plan)


def _fate(model: ModelPlan) -> str:
    """What becomes of a model, and why."""
    if model.refused:
        return f"refused: {model.why}"
    if not model.runs:
        failed = [stage for stage, state in model.stages.items() if state == "failed"]
        return f"{failed[0]} failed: {model.why}" if failed else "cached"
    todo = ", ".join(stage for stage, state in model.stages.items() if state == "run")
    guessed = "" if model.measured else "about "
    time = f"{guessed}{fmt.seconds(model.seconds)}"
    if model.untimed:
        untimed = f"time of {', '.join(model.untimed)} not known"
        time = f"{time}, {untimed}" if model.seconds else untimed
    took = f"{time}, {fmt.size(model.peak_memory)}"
    return f"run {todo} ({took}): {model.why}"


def summary(plan: BuildPlan) -> str:
    """How many models run, and for how long."""
    runs = [model for model in plan.models if model.runs]
    failed = sum("failed" in model.stages.values() for model in plan.models)
    part = f" of shard {plan.shard.index}/{plan.shard.count}" if plan.shard else ""
    told = f"{fmt.count(len(plan.models), 'conversion')}{part}: {len(runs)} to run, "
    refused = sum(model.refused for model in plan.models)
    told += f"{len(plan.models) - len(runs) - failed - refused} cached"
    told += f", {failed} failed before" if failed else ""
    told += f", {refused} refused (-o another directory, or --force)" if refused else ""
    if runs:
        # As if they were packed without gaps; no shorter than the longest.
        wall = max(sum(m.seconds for m in runs) / plan.jobs, max(m.seconds for m in runs))
        told += f"; about {fmt.seconds(wall)} with {plan.jobs} at a time" if wall else ""
        untimed = dict.fromkeys(stage for model in runs for stage in model.untimed)
        told += f"; time of {', '.join(untimed)} not known" if untimed else ""
    return told
