"""Writes the PaddleX configs that a recipe asks for, from the models that were converted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from converter.atc.environment import SET_ENV_FILES
from converter.engine.cache.digests import Digests
from converter.engine.interruption import interruptible
from converter.engine.origin import files_of_pipeline
from converter.errors import Interrupted, Paddle2omError, error_for, worst_exit_code
from converter.model.artefacts import describe_artefact, read_manifest, sha256_of
from converter.model.recipe import PlannedPipeline
from converter.model.result import Artefact, ErrorInfo, ModelReport, PipelineReport, RunReport
from converter.paddlex.base import find_base
from converter.paddlex.companion import CompanionOptions, write_companions
from converter.paddlex.config_file import check_replaceable_config, write_config
from converter.paddlex.matching import would_serve
from converter.paddlex.modules import ConvertedModel, read_models
from converter.paddlex.readiness import make_ready, planned
from converter.paddlex.render import Rendered, RenderOptions, render_pipeline
from converter.paddlex.report import RenderReport, report_of
from converter.paddlex.targets import NEWEST, Target, parse_device, parse_version
from converter.stages.stage import describe_os_error


class Failed(NamedTuple):
    """A model of the recipe that did not pass, as it is in its source directory."""

    model: ConvertedModel
    exit_code: int


def render_all(
    pipelines: Sequence[PlannedPipeline],
    models: Sequence[ModelReport],
    out_dir: Path,
    *,
    force: bool,
) -> tuple[PipelineReport, ...]:
    """Write every config into ``out_dir``, with the models that passed.

    One that cannot be written is a report with an error, and so is one that Ctrl-C came before.
    """
    passed = {
        model.name: out_dir / model.name
        for model in models
        if model.failure is None and (out_dir / model.name).is_dir()
    }
    lost = {m.name: m for m in models if m.name not in passed}
    read = read_models({name: _directory(Path(m.source)) for name, m in lost.items()})
    failed = [Failed(model, lost[model.name].exit_code()) for model in read]
    digests = Digests(None)  # a base or a dictionary may serve several
    reports: list[PipelineReport] = []
    try:
        with interruptible():
            for pipeline in pipelines:
                reports.append(_written(pipeline, passed, failed, out_dir, digests, force=force))
    except KeyboardInterrupt:
        late = Interrupted("not written: interrupted", hint=Interrupted.again)
        left = pipelines[len(reports) :]
        reports += [_report(pipeline, error=ErrorInfo.of(late)) for pipeline in left]
    return tuple(reports)


def with_pipelines(report: RunReport, pipelines: tuple[PipelineReport, ...]) -> RunReport:
    """The report of a run with what became of its pipelines."""
    cut = any(p.error and p.error.exit_code == Interrupted.exit_code for p in pipelines)
    return report.model_copy(update={"pipelines": pipelines, "interrupted": cut})


def _written(
    pipeline: PlannedPipeline,
    passed: Mapping[str, Path],
    failed: Sequence[Failed],
    out_dir: Path,
    digests: Digests,
    *,
    force: bool,
) -> PipelineReport:
    """Write one config of the models that passed, by name with their directories."""
    started = time.perf_counter()
    modules: dict[str, str] = {}
    left: dict[str, str] = {}
    made: list[Path] = []
    error: ErrorInfo | None = None
    try:
        if not passed:
            raise error_for(
                worst_exit_code([code for _, code in failed]),
                f"no model for the pipeline {pipeline.name} was converted",
                hint="see why the models failed",
            )
        report, made = _render(pipeline, read_models(passed), failed, out_dir, force=force)
        modules = {m.module: m.model for m in report.modules if m.model}
        left = {m.module: m.model_name for m in report.modules if m.state == "left"}
    except OSError as raised:
        error = ErrorInfo.of(describe_os_error(raised))
    except Paddle2omError as raised:
        error = ErrorInfo.of(raised)
    return _report(
        pipeline,
        modules=modules,
        left=left,
        seconds=time.perf_counter() - started,
        error=error,
        inputs=files_of_pipeline(pipeline, digests),
        artefacts=_described(made, out_dir),
    )


def _report(pipeline: PlannedPipeline, **made: Any) -> PipelineReport:
    return PipelineReport(
        name=pipeline.name,
        config=pipeline.out,
        backend=pipeline.backend,
        asked=pipeline,
        **{"modules": {}, **made},
    )


def _described(files: Sequence[Path], out_dir: Path) -> tuple[Artefact, ...]:
    return tuple(describe_artefact(file, out_dir, sha256_of(file)) for file in files)


def _directory(source: Path) -> Path:
    return source.parent if source.is_file() else source


def _render(
    pipeline: PlannedPipeline,
    models: Sequence[ConvertedModel],
    failed: Sequence[Failed],
    out_dir: Path,
    *,
    force: bool,
) -> tuple[RenderReport, list[Path]]:
    """Write one config; what serves its modules, and the files that were written.

    Raises ``Paddle2omError``.
    """
    config = out_dir / pipeline.out
    check_replaceable_config(config, force=force)
    base = find_base(pipeline.base, pipeline.base_dir)
    version = pipeline.paddlex or base.version
    options = RenderOptions(
        backend=pipeline.backend,
        target=Target(parse_version(version) if version else NEWEST, pipeline.wrapper),
        device=parse_device(pipeline.device) if pipeline.device else None,
        use=pipeline.use,
        place=pipeline.place,
        shapes=pipeline.shapes,
    )
    found = planned(tuple(models), config.with_name(f"{config.stem}-models"))
    rendered = render_pipeline(base, found, options)
    _refuse_others_in_place_of(failed, rendered)
    make_ready(rendered.unready, dict(pipeline.dictionaries), force=force)
    write_config(config, rendered.text, force=force)
    made = [config]
    for model in rendered.unready:
        made += [model.directory / name for name in sorted(read_manifest(model.directory))]
    report = report_of(rendered, options, config)
    if pipeline.scripts:
        made += write_scripts(report, options, force=force)
    return report, made


def _refuse_others_in_place_of(failed: Sequence[Failed], rendered: Rendered) -> None:
    """Raise an error where PaddleX would run another model because one of ours failed.

    Its exit code is that model's: a failed gate must not become another failure.
    """
    for item in rendered.served:
        match = item.match
        lost = next((each for each in failed if would_serve(match, each.model)), None)
        if lost is None or not item.enabled:
            continue
        other = match.model.name if match.model else f"its own {match.module.model_name}"
        raise error_for(
            lost.exit_code,
            f"{match.module.name} lacks {lost.model.name}, which was not converted: "
            f"PaddleX would run {other}",
            hint="mend the model, or name another with `use`; the config was not written",
        )


def write_scripts(report: RenderReport, options: RenderOptions, *, force: bool) -> tuple[Path, ...]:
    """Write the scripts that run a config, and that fine-tune, beside it."""
    companions = CompanionOptions(
        wrapper=options.target.wrapper == "paddleocr",
        device=device_argument(report, options),
        cann_env_files=SET_ENV_FILES,
    )
    return write_companions(Path(report.config), companions, force=force)


def device_argument(report: RenderReport, options: RenderOptions) -> str | None:
    """The device that no key of the config can say: of native Paddle before PaddleX 3.5."""
    if options.target.has_engine:
        return None
    native = (m.device for m in report.modules if m.enabled and m.backend == "paddle")
    return next(native, None)
