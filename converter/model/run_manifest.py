"""What a run made and from what, without times: enough to make it again and to compare.

It is a function of the run's report, and is kept in the output directory's manifest.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath
from typing import Any

from pydantic import Field, ValidationError

from converter.errors import InputError
from converter.model.artefacts import MANIFEST
from converter.model.files import read_json_text
from converter.model.names import check_model_name
from converter.model.problems import first_problem
from converter.model.recipe import PlannedPipeline
from converter.model.record import Record
from converter.model.result import ModelReport, PipelineReport, RunReport, SourceFile, Status
from converter.model.task import ConvertOptions

#: Version of the JSON of ``RunManifest``; raised when a reader would break.
MANIFEST_SCHEMA = 1

_WANTED = f"give an output directory of build or convert, its {MANIFEST}, or its report.json"


class MadeFile(Record):
    """A file that a run made, and by which stage.

    ``path`` is relative to the model's directory, or to the output directory for a pipeline's.
    """

    path: str
    stage: str
    bytes: int
    sha256: str


class ManifestModel(Record):
    """One model of a run: what it was made from, how, and what came of it.

    ``options`` are without the number of threads, which the machine decides.
    """

    name: str
    model: str = ""
    variant: dict[str, str] = Field(default_factory=dict)
    source: str
    inputs: tuple[SourceFile, ...] = ()
    options: ConvertOptions
    status: Status
    failed_stage: str | None = None
    artefacts: tuple[MadeFile, ...] = ()


class ManifestPipeline(Record):
    """One PaddleX config of a run. ``out_dir`` was the output directory: configs name it."""

    asked: PlannedPipeline
    inputs: tuple[SourceFile, ...] = ()
    out_dir: str
    error: str | None = None
    artefacts: tuple[MadeFile, ...] = ()


class RunManifest(Record):
    """A run of ``build`` or ``convert``."""

    schema_version: int = MANIFEST_SCHEMA
    tool: str = "paddle2om"
    version: str
    command: str
    platform: str
    versions: dict[str, str]
    interrupted: bool = False
    recipe: tuple[SourceFile, ...] = ()
    models: tuple[ManifestModel, ...]
    pipelines: tuple[ManifestPipeline, ...] = ()

    def content(self) -> dict[str, Any]:
        """As plain data, ready for ``json.dumps``."""
        return self.model_dump(
            mode="json", exclude={"models": {"__all__": {"options": {"threads"}}}}
        )

    def text(self) -> str:
        """The JSON text; the same for two runs that are the same."""
        return json.dumps(self.content(), indent=2, ensure_ascii=False) + "\n"


def manifest_of(report: RunReport) -> RunManifest | None:
    """The manifest of a run; None for a report of another command, or of an older version."""
    models = [_model(model) for model in report.models]
    known = [model for model in models if model is not None]
    if not known or len(known) < len(models):
        return None
    return RunManifest(
        version=report.version,
        command=report.command,
        platform=report.platform,
        versions=report.versions,
        interrupted=report.interrupted,
        recipe=report.recipe,
        models=tuple(known),
        pipelines=tuple(
            _pipeline(pipeline, pipeline.asked, pipeline.out_dir or report.out_dir)
            for pipeline in report.pipelines
            if pipeline.asked is not None
        ),
    )


def require_manifest(report: RunReport, file: Path) -> RunManifest:
    """``manifest_of``; raises ``InputError`` where there is none. ``file`` holds the report."""
    manifest = manifest_of(report)
    if manifest is None:
        raise InputError(
            f"{file} does not say how its models were made",
            hint="reports of build and convert do; run the command again if it is older",
        )
    return manifest


def _model(model: ModelReport) -> ManifestModel | None:
    if model.options is None:
        return None
    made = [
        MadeFile(
            path=path_in_model(artefact.path, model.name),
            stage=stage.stage,
            bytes=artefact.bytes,
            sha256=artefact.sha256,
        )
        for stage in model.stages
        for artefact in stage.artefacts
    ]
    return ManifestModel(
        name=model.name,
        model=model.model,
        variant=model.variant,
        source=model.source,
        inputs=model.inputs,
        options=model.options,
        status=model.status,
        failed_stage=model.failure.stage if model.failure else None,
        artefacts=tuple(sorted(made, key=lambda each: each.path)),
    )


def _pipeline(pipeline: PipelineReport, asked: PlannedPipeline, out_dir: str) -> ManifestPipeline:
    # The config lies in the output directory itself, wherever that is from a merged report.
    here = PurePath(pipeline.config).parent
    made = tuple(
        MadeFile(
            path=os.path.relpath(file.path, here),
            stage="render",
            bytes=file.bytes,
            sha256=file.sha256,
        )
        for file in pipeline.artefacts
    )
    return ManifestPipeline(
        asked=asked,
        inputs=pipeline.inputs,
        out_dir=out_dir,
        error=pipeline.error.message if pipeline.error else None,
        artefacts=made,
    )


def path_in_model(path: str, name: str) -> str:
    """An artefact's path relative to its model's directory.

    Reports have it relative to an output directory, which need not be the model's own after
    ``report merge``.
    """
    parts = PurePath(path).parts
    if name not in parts:
        return path
    # The last one: a shard's directory may be called like its model.
    at = len(parts) - 1 - parts[::-1].index(name)
    return str(PurePath(*parts[at + 1 :]))


def read_run(path: Path) -> tuple[RunManifest, Path]:
    """The manifest of a run, and the file it was read from.

    ``path`` is an output directory, a manifest in either of its places or a ``report.json``. Raises
    ``InputError``.
    """
    file = path / MANIFEST if path.is_dir() else path
    _, content = read_json_text(file, hint=_WANTED)
    manifest = _parsed(file, content)
    _check_names(file, manifest)
    return manifest, file


def _check_names(file: Path, manifest: RunManifest) -> None:
    """Refuse names that would lead out of the directory that a run is made in."""
    names = [model.name for model in manifest.models]
    names += [pipeline.asked.out for pipeline in manifest.pipelines]
    for name in names:
        try:
            check_model_name(name)
        except InputError:
            raise InputError(
                f"{file}: {name!r} is no name of a model or a config",
                hint="the file was edited; take it from the run again",
            ) from None
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(
            f"{file} has {twice} twice, and one directory cannot hold both",
            hint="name one of the runs whose reports were merged",
        )
    paths = [made.path for pipeline in manifest.pipelines for made in pipeline.artefacts]
    paths += [made.path for model in manifest.models for made in model.artefacts]
    for path in paths:
        if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
            raise InputError(
                f"{file}: {path!r} is not a path in the output directory",
                hint="the file was edited; take it from the run again",
            )


def _parsed(file: Path, content: Any) -> RunManifest:
    if not isinstance(content, dict) or content.get("tool") != "paddle2om":
        raise InputError(f"{file} was not made by paddle2om", hint=_WANTED)
    if "files" in content:
        if "run" not in content:
            raise InputError(
                f"{file} lists files and says nothing of how they were made",
                hint="name the output directory of build or convert, not a model's in it; runs "
                "before paddle2om wrote down their sources cannot be reproduced",
            )
        content = content["run"]
    try:
        if isinstance(content, dict) and "out_dir" in content:  # a report.json
            return require_manifest(RunReport.model_validate_json(json.dumps(content)), file)
        schema = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(schema, int) and schema > MANIFEST_SCHEMA:
            raise InputError(
                f"{file} has manifest schema {schema}; this paddle2om reads up to "
                f"{MANIFEST_SCHEMA}",
                hint="upgrade paddle2om",
            )
        return RunManifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise InputError(
            f"{file} is not a complete manifest of a run: {first_problem(error)}",
            hint="the file was edited, or another version wrote it; run the command again",
        ) from error
