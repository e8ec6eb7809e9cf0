"""Compares what was made again with what a run's manifest says, file by file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from converter.model.reproduction import (
    ComparedFile,
    ComparedModel,
    Surroundings,
    Verdict,
)
from converter.model.result import Artefact, ModelReport, PipelineReport, RunReport, Status
from converter.model.run_manifest import (
    MadeFile,
    ManifestModel,
    ManifestPipeline,
    RunManifest,
    path_in_model,
)
from converter.paddlex.config_file import relocated

#: Backends of a config that may name an OM file.
_WITH_OM = ("om", "auto", "cann")


def compared_models(
    manifest: RunManifest, report: RunReport, surroundings: Surroundings
) -> tuple[list[ComparedModel], list[ComparedFile]]:
    """How every model ended, and every file of every model."""
    now = {model.name: model for model in report.models}
    models, files = [], []
    for recorded in manifest.models:
        made = now[recorded.name]
        models.append(_model(recorded, made))
        files += _files(recorded, made, surroundings)
    return models, files


def _model(recorded: ManifestModel, made: ModelReport) -> ComparedModel:
    failure = made.failure
    told = None
    if failure is not None and failure.error is not None:
        told = f"{failure.stage}: {failure.error.message}"
    # What was never finished has nothing that a failure could be held against.
    known = recorded.status is not Status.INTERRUPTED
    new = failure is not None and known and not recorded.status.is_failure
    return ComparedModel(
        name=recorded.name,
        recorded=recorded.status,
        now=made.status,
        error=told if recorded.status != made.status else None,
        exit_code=made.exit_code() if new else 0,
    )


def _files(
    recorded: ManifestModel, made: ModelReport, surroundings: Surroundings
) -> list[ComparedFile]:
    found = {
        path_in_model(artefact.path, made.name): artefact
        for stage in made.stages
        for artefact in stage.artefacts
    }
    compared = []
    for then in recorded.artefacts:
        now = found.pop(then.path, None)
        path = f"{recorded.name}/{then.path}"
        if now is None:
            compared.append(_not_made(recorded, then, made, path))
            continue
        equal = now.sha256 == then.sha256
        compared.append(
            ComparedFile(
                of=recorded.name,
                path=path,
                verdict=Verdict.EQUAL if equal else Verdict.DIFFERENT,
                recorded=then.sha256,
                made=now.sha256,
                why=() if equal else reasons(recorded.name, surroundings),
            )
        )
    for name, extra in found.items():
        why = ("the run had not finished this model",) if not recorded.artefacts else ()
        compared.append(
            ComparedFile(
                of=recorded.name,
                path=f"{recorded.name}/{name}",
                verdict=Verdict.NEW,
                made=extra.sha256,
                why=why or reasons(recorded.name, surroundings),
            )
        )
    return compared


def _not_made(
    recorded: ManifestModel, then: MadeFile, made: ModelReport, path: str
) -> ComparedFile:
    """A file that is not there now: for want of atc, or because something went otherwise."""
    stage = next((each for each in made.stages if each.stage == then.stage), None)
    skipped = stage is not None and stage.status is Status.SKIPPED and made.failure is None
    told = [message.text for message in stage.messages[:1]] if stage and skipped else []
    if made.failure is not None and made.failure.error is not None:
        told = [f"{made.failure.stage} failed: {made.failure.error.message}"]
    return ComparedFile(
        of=recorded.name,
        path=path,
        verdict=Verdict.NOT_REPRODUCED if skipped and then.stage == "compile" else Verdict.MISSING,
        recorded=then.sha256,
        why=tuple(told) or ("it was not made this time",),
    )


def compared_pipelines(
    manifest: RunManifest,
    report: RunReport,
    directory: Path,
    surroundings: Surroundings,
    of_models: Sequence[ComparedFile],
) -> list[ComparedFile]:
    """Every file of every pipeline. Configs name the output directory, which is another now."""
    now = {pipeline.config: pipeline for pipeline in report.pipelines}
    lacking = any(file.verdict is Verdict.NOT_REPRODUCED for file in of_models)
    compared = []
    for recorded in manifest.pipelines:
        made = now.get(recorded.asked.out)
        compared += _pipeline(recorded, made, directory, surroundings, lacking=lacking)
    return compared


def _pipeline(
    recorded: ManifestPipeline,
    made: PipelineReport | None,
    directory: Path,
    surroundings: Surroundings,
    *,
    lacking: bool,
) -> list[ComparedFile]:
    found: dict[str, Artefact] = {a.path: a for a in made.artefacts} if made else {}
    excused = lacking and recorded.asked.backend in _WITH_OM
    name = recorded.asked.out
    compared = []
    for then in recorded.artefacts:
        now = found.pop(then.path, None)
        digest = _as_there(directory / then.path, directory, recorded.out_dir) if now else None
        verdict = Verdict.EQUAL
        why: tuple[str, ...] = ()
        if digest != then.sha256:
            verdict = Verdict.DIFFERENT if now else Verdict.MISSING
            why = reasons(name, surroundings)
            if made is None or made.error is not None:
                why = (made.error.message if made and made.error else "it was not written",)
            if excused:
                verdict = Verdict.NOT_REPRODUCED
                why = ("it depends on OM files that were not made here",)
        compared.append(
            ComparedFile(
                of=name,
                path=then.path,
                verdict=verdict,
                recorded=then.sha256,
                made=digest,
                why=why,
            )
        )
    compared += [
        ComparedFile(of=name, path=path, verdict=Verdict.NEW, made=extra.sha256)
        for path, extra in found.items()
    ]
    return compared


def _as_there(file: Path, directory: Path, out_dir: str) -> str:
    """The digest that a file would have, had it been made in ``out_dir``."""
    data = relocated(file.read_bytes(), str(directory.absolute()), out_dir)
    return hashlib.sha256(data).hexdigest()


def reasons(name: str, surroundings: Surroundings) -> tuple[str, ...]:
    """Why a file of ``name`` may have come out otherwise."""
    told = [
        f"source {change.path} {change.state}"
        for change in surroundings.sources
        if name in change.models
    ]
    told += [
        f"{tool.name} {tool.recorded or 'none'} → {tool.here or 'none'}"
        for tool in surroundings.tools
    ]
    return tuple(told) or (
        "nothing that was recorded differs: sources, options and versions are the same",
    )
