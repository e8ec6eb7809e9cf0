"""What PaddleX should run of a model that has been through its stages."""

from __future__ import annotations

from converter.errors import InputError
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.placement import place
from converter.model.result import Placement
from converter.stages.job import Job

#: Stages that end with something PaddleX can load.
_ENDS = frozenset({"validate", "compile", "import"})


def place_model(job: Job) -> Placement | None:
    """The placement of the job's model; None for tasks that are not about running it."""
    if job.task.only is not None or not _ENDS & {*job.task.stages}:
        return None
    try:
        yml = read_inference_yml(job.yml) if job.yml else InferenceYml()
    except InputError:  # told by the stage that needed it
        return None
    forecast = job.options.compile.forecast
    return place(job.results.values(), model_name=yml.model_name, role=yml.role, forecast=forecast)
