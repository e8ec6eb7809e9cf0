"""The pipeline is a list of stages, in order."""

from __future__ import annotations

from collections.abc import Iterable

from converter.model.result import Message, StageResult, Status
from converter.stages.stage import Stage

#: Every per-model stage, in the order they run.
STAGES = ("inspect", "export", "simplify", "validate", "compile")

#: The way of an ONNX file that only has to be compiled.
COMPILE_STAGES = ("read", "compile")

#: The way of a model that comes back in a bundle.
IMPORT_STAGES = ("read", "import")

#: What a device kit is made by.
RECORD_STAGES = ("inspect", "record")

#: How an ONNX file computes in float16; a Paddle model is converted first.
FORECAST_STAGES = ("inspect", "export", "simplify", "forecast")
FORECAST_ONNX_STAGES = ("read", "forecast")

#: The search for the first value that differs, in a Paddle model and in an ONNX file.
LOCATE_STAGES = ("inspect", "locate")
LOCATE_ONNX_STAGES = ("locate",)


#: Two artefacts against each other, or the outputs of one recorded.
VERSUS_STAGES = ("versus",)
CASES_STAGES = ("cases",)


def stages_named(names: Iterable[str]) -> list[Stage]:
    """The stage objects for ``names``, in pipeline order."""
    from converter.stages.compile import CompileStage
    from converter.stages.export import ExportStage
    from converter.stages.forecast import ForecastStage
    from converter.stages.import_om import ImportStage
    from converter.stages.inspect import InspectStage
    from converter.stages.locate import LocateStage
    from converter.stages.read import ReadStage
    from converter.stages.record import RecordStage
    from converter.stages.simplify import SimplifyStage
    from converter.stages.validate import ValidateStage
    from converter.stages.versus import CasesStage

    available: list[type[Stage]] = [
        InspectStage,
        ReadStage,
        ExportStage,
        SimplifyStage,
        ValidateStage,
        CompileStage,
        ImportStage,
        RecordStage,
        LocateStage,
        ForecastStage,
        CasesStage,
    ]
    wanted = set(names)
    if "versus" in wanted:
        # Its results are those of a validation, and are called so.
        from converter.stages.versus import VersusStage

        return [VersusStage()]
    return [stage() for stage in available if stage.name in wanted]


def not_run(stage: str, failed: StageResult) -> StageResult:
    """The result of a stage that an earlier failure kept from running."""
    return StageResult(
        stage=stage,
        status=Status.SKIPPED,
        messages=(Message(level="info", text=f"not run: {failed.stage} {failed.status}"),),
    )
