"""What a worker does with a task: run its stages in order and emit each result as it is known."""

from __future__ import annotations

import json
import time
from typing import Any, TextIO

from converter.engine.cache.steps import Steps
from converter.errors import Paddle2omError
from converter.model.result import ErrorInfo, StageResult, Status
from converter.model.task import Task
from converter.stages.job import Job
from converter.stages.pipeline import not_run, stages_named
from converter.stages.placing import place_model
from converter.stages.publish import check_free, publish
from converter.stages.stage import describe_os_error

#: Seconds between two details, and their characters: nobody reads faster.
_TELL_EVERY, _TELL_AT_MOST = 0.25, 300


def run_task(task_id: str, data: dict[str, Any], pipe: TextIO) -> None:
    """Run the task described by ``data`` (a ``Task`` as JSON), writing events to ``pipe``.

    Events: ``stage`` when a stage starts, ``detail`` now and then while it runs, ``waited`` while
    another process makes its result, ``result`` when it has ended, ``done`` at the end.
    Stages after a failed one are reported as skipped. Artefacts move to their destination only
    when every stage is done: under their own names if the model passed, else under ``rejected/``.
    Where files that are not ours are in their place, no stage is run.
    """
    task = Task.model_validate(data)

    def emit(event: str, **fields: Any) -> None:
        pipe.write(json.dumps({"event": event, "task": task_id, **fields}) + "\n")
        pipe.flush()

    def emit_result(result: StageResult) -> None:
        emit("result", result=result.model_dump(mode="json"), news=occupied is None)

    last = 0.0

    def tell(text: str) -> None:
        nonlocal last
        if text.strip() and time.monotonic() - last >= _TELL_EVERY:
            last = time.monotonic()
            emit("detail", text=text[:_TELL_AT_MOST])

    job = Job(task, tell=tell)
    steps = Steps(job, waited=lambda seconds: emit("waited", seconds=seconds))
    occupied = _occupied(task)
    failed = occupied
    first, *later = stages_named(task.stages)
    for stage in (first, *later):
        if failed and failed.stage == stage.name:  # foreseen
            result = failed
        elif failed:
            result = not_run(stage.name, failed)
        else:
            emit("stage", stage=stage.name)
            result = steps.kept(stage) or steps.run(stage)
            if result.status.is_failure:
                failed = result
        job.results[stage.name] = result
        emit_result(result)
        if stage is first and failed is None:
            failed = next(filter(None, (each.foreseen(job) for each in later)), None)
            if failed:
                steps.keep_foreseen(failed)
    if occupied:
        emit("done", artefacts=[], error=occupied.model_dump(mode="json")["error"])
        return
    try:
        job.placement = place_model(job)
        published = publish(job)
    except (OSError, Paddle2omError) as error:
        emit("done", artefacts=[], error=_told(error).model_dump())
        return
    placement = job.placement.model_dump() if job.placement else None
    emit("done", artefacts=[entry.model_dump() for entry in published], placement=placement)


def _occupied(task: Task) -> StageResult | None:
    """The failure of ``publish``, if it is known already that it would refuse."""
    try:
        check_free(task)
    except (OSError, Paddle2omError) as error:
        return StageResult(stage="publish", status=Status.FAILED, error=_told(error))
    return None


def _told(error: OSError | Paddle2omError) -> ErrorInfo:
    return ErrorInfo.of(error if isinstance(error, Paddle2omError) else describe_os_error(error))
