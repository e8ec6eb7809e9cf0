"""Builds what a recipe asks for: its models, then its pipelines; or says what that would be."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.cache.planning import Keyed, stages_that_run
from converter.engine.cache.restore import refusal
from converter.engine.cache.store import Cache
from converter.engine.executor import Executor
from converter.engine.origin import digested
from converter.engine.plan import available_cpus, tasks_for
from converter.engine.pool import Observer
from converter.engine.recipe.wording import InKeys, rendered_in_keys, report_in_keys
from converter.engine.rendering import render_all, with_pipelines
from converter.engine.run import (
    Settings,
    check_own_files,
    check_run,
    estimates_for,
    logs_of,
    run_models,
)
from converter.engine.shards import parse_shard, select
from converter.errors import InputError
from converter.model.artefacts import MANIFEST, read_manifest
from converter.model.build_plan import BuildPlan, ModelPlan, StageState
from converter.model.recipe import PlannedModel, PlannedPipeline, Recipe
from converter.model.result import RunReport, Shard
from converter.model.task import Task
from converter.paddlex.config_file import check_replaceable_config


def chosen(recipe: Recipe, shard: str | None) -> tuple[list[PlannedModel], Shard | None]:
    """The recipe's models, or those of one shard (``"2/4"``). Raises ``InputError``."""
    models = list(recipe.models)
    if shard is None:
        return models, None
    return select(models, *parse_shard(shard))


def run_build(
    recipe: Recipe,
    out_dir: Path,
    settings: Settings,
    executor: Executor,
    observer: Observer,
    *,
    shard: str | None = None,
) -> RunReport:
    """Convert a recipe's models into ``out_dir`` and write its pipeline configs there.

    One shard has not all the models that a pipeline may need, and writes none. Raises as
    ``run_models``.
    """
    models, part = chosen(recipe, shard)
    files = digested(recipe.files, Digests(None))
    places = {model.name: model.place for model in models}
    told = InKeys(observer, places)
    report = run_models(models, out_dir, settings, executor, told, shard=part)
    reports = tuple(report_in_keys(each, places[each.name]) for each in report.models)
    report = report.model_copy(update={"recipe": files, "models": reports})
    if report.interrupted or part is not None:
        return report
    started = time.perf_counter()
    pipelines = tuple(
        rendered_in_keys(each)
        for each in render_all(recipe.pipelines, report.models, out_dir, force=settings.force)
    )
    seconds = report.seconds + time.perf_counter() - started
    return with_pipelines(report, pipelines).model_copy(update={"seconds": seconds})


def plan_build(
    recipe: Recipe, out_dir: Path, settings: Settings, *, shard: str | None = None
) -> BuildPlan:
    """What ``run_build`` would do. No worker is started, and nothing is written to ``out_dir``.

    Raises ``InputError`` for what ``run_build`` would refuse before it begins.
    """
    models, part = chosen(recipe, shard)
    models, jobs = check_run(models, out_dir, settings)
    check_own_files(out_dir, logs_of(models, out_dir), settings)
    # Paths only: nothing is made there.
    work = Path(tempfile.gettempdir())
    tasks: Sequence[Task] = tasks_for(
        models, out_dir, work, threads=max(1, available_cpus() // jobs), force=settings.force
    )
    cache = Cache.open(settings.cache) if settings.cache else None
    digests = cache.digests() if cache else Digests(None)
    plans = []
    foretold: dict[str, tuple[dict[str, StageState], str]]
    if cache is not None:
        keyed = Keyed(cache, digests, failures=settings.failures)
        tasks = keyed.all(tasks)
        foretold = {task.name: keyed.states(task) for task in tasks}
    else:
        foretold = {task.name: (dict.fromkeys(task.stages, "run"), "no cache") for task in tasks}
    refused = {task.name: refusal(cache, digests, task) for task in tasks}
    for name, error in refused.items():
        if error is not None:
            foretold[name] = (dict.fromkeys(foretold[name][0], "not run"), error.message)
    running = {name: stages_that_run(states) for name, (states, _) in foretold.items()}
    estimates = estimates_for(tasks, cache, running)
    for task in tasks:
        states, why = foretold[task.name]
        runs = running[task.name]
        told = estimates[task.name]
        plans.append(
            ModelPlan(
                name=task.name,
                source=task.source,
                model=task.model,
                variant=task.variant,
                stages=states,
                why=why,
                refused=refused[task.name] is not None,
                seconds=round(told.seconds, 1) if runs else 0.0,
                peak_memory=told.peak if runs else 0,
                measured=told.known,
            )
        )
    pipelines = recipe.pipelines if part is None else ()
    return BuildPlan(
        recipe=str(recipe.path),
        out_dir=str(out_dir.absolute()),
        cache=str(settings.cache) if settings.cache else None,
        jobs=jobs,
        shard=part,
        models=tuple(plans),
        pipelines=tuple(pipeline.out for pipeline in pipelines),
        refused=_refused_configs(pipelines, out_dir, force=settings.force),
    )


def _refused_configs(
    pipelines: Sequence[PlannedPipeline], out_dir: Path, *, force: bool
) -> dict[str, str]:
    """Configs that would not be written, by name: why not."""
    refused = {}
    for pipeline in pipelines:
        try:
            check_replaceable_config(out_dir / pipeline.out, force=force)
        except InputError as error:
            refused[pipeline.out] = error.message
    return refused


def left_over(recipe: Recipe, out_dir: Path) -> tuple[str, ...]:
    """Models in ``out_dir`` that ``recipe`` does not ask for (any more), by name.

    They stay where they are: another recipe may have made them.
    """
    asked = {model.name for model in recipe.models}
    return tuple(
        sorted(
            manifest.parent.name
            for manifest in out_dir.glob(f"*/{MANIFEST}")
            if manifest.parent.name not in asked
            and any(name.endswith((".onnx", ".om")) for name in read_manifest(manifest.parent))
        )
    )


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that has no models. Raises ``InputError``."""
    if not recipe.models:
        raise InputError(
            f"{recipe.path}: the recipe has no models",
            hint="list models; `paddle2om render` writes a pipeline alone",
        )
