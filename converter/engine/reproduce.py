"""Makes a recorded run again, from its sources and into another directory, and compares bytes."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.executor import Executor
from converter.engine.onnx_parts import differing_parts
from converter.engine.origin import files_of_models, files_of_pipeline, moved
from converter.engine.plan import tool_versions
from converter.engine.pool import Observer
from converter.engine.rendering import render_all, with_pipelines
from converter.engine.reproduced import compared_models, compared_pipelines
from converter.engine.run import Settings, run_models
from converter.errors import InputError
from converter.model.artefacts import sha256_of
from converter.model.compile_options import CONFIG_FILES
from converter.model.counting import listed
from converter.model.recipe import PlannedModel, PlannedPipeline
from converter.model.reproduction import (
    ComparedFile,
    Reproduction,
    SourceChange,
    Surroundings,
    ToolChange,
    Verdict,
)
from converter.model.result import RunReport, SourceFile
from converter.model.run_manifest import ManifestModel, RunManifest
from converter.version import __version__

_BUNDLE = "bundle:"


def chosen(manifest: RunManifest, names: Sequence[str]) -> RunManifest:
    """The manifest of the models named, without pipelines; of all when none is. ``InputError``."""
    if not names:
        return manifest
    known = [model.name for model in manifest.models]
    for name in names:
        if name not in known:
            raise InputError(
                f"the run has no model {name}",
                hint=f"its models are {listed(known)}",
            )
    models = tuple(model for model in manifest.models if model.name in names)
    return manifest.model_copy(update={"models": models, "pipelines": ()})


def with_moves(manifest: RunManifest, moves: Mapping[str, str]) -> RunManifest:
    """The manifest with sources where they are now: old beginnings of paths -> new ones."""
    if not moves:
        return manifest

    def at(path: str) -> str:
        return moved(path, moves)

    def files(old: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
        return tuple(file.model_copy(update={"path": at(file.path)}) for file in old)

    models = []
    for model in manifest.models:
        compiled = model.options.compile
        named = (*CONFIG_FILES, "aipp")
        found = {name: at(value) for name in named if (value := getattr(compiled, name))}
        options = model.options.model_copy(
            update={
                "data": tuple(map(at, model.options.data)),
                "compile": compiled.model_copy(update=found),
            }
        )
        models.append(
            model.model_copy(
                update={
                    "source": at(model.source),
                    "inputs": files(model.inputs),
                    "options": options,
                }
            )
        )
    return manifest.model_copy(update={"models": tuple(models), "recipe": files(manifest.recipe)})


def look_around(manifest: RunManifest, run: Path, digests: Digests) -> Surroundings:
    """What differs from when the run was made, as is known before anything runs.

    ``run`` is the directory that the manifest lies in. What is read is known to ``digests`` then.

    Raises ``InputError`` when a model's source is gone: the first, and the others in ``more``.
    """
    here = {"paddle2om": __version__, "platform": platform.platform(), **tool_versions()}
    recorded = {"paddle2om": manifest.version, "platform": manifest.platform, **manifest.versions}
    tools = [
        ToolChange(name=name, recorded=recorded.get(name), here=here.get(name))
        for name in dict.fromkeys([*recorded, *here])
        if recorded.get(name) != here.get(name)
    ]
    cautions = []
    if manifest.interrupted:
        cautions.append("the run was interrupted: what it had not finished is made now")
    sources = _source_changes(manifest, digests)
    lost = [
        InputError(
            f"{model.source} does not exist any more: {model.name} was made from it",
            hint="put it back, or say where it is now with --moved OLD=NEW",
        )
        for model in manifest.models
        if model.inputs and not Path(model.source).exists()
    ]
    if lost:
        raise InputError(lost[0].message, hint=lost[0].hint, more=lost[1:])
    return Surroundings(
        tools=tuple(tools),
        sources=tuple(sources),
        cautions=tuple(cautions),
        edited=tuple(_edited(run, manifest)),
    )


def _source_changes(manifest: RunManifest, digests: Digests) -> list[SourceChange]:
    now = files_of_models([_planned(model) for model in manifest.models], digests)
    states: dict[str, tuple[SourceChange, list[str]]] = {}

    def note(before: Sequence[SourceFile], after: Sequence[SourceFile], of: str) -> None:
        was = {file.path: file.sha256 for file in before}
        is_now = {file.path: file.sha256 for file in after}
        for path in {**was, **is_now}:
            if was.get(path) == is_now.get(path):
                continue
            state = "new" if path not in was else "changed" if path in is_now else "missing"
            change = SourceChange.model_validate({"path": path, "state": state, "models": ()})
            states.setdefault(path, (change, []))[1].append(of)

    for model in manifest.models:
        note(model.inputs, now[model.name], model.name)
    for pipeline in manifest.pipelines:
        note(pipeline.inputs, files_of_pipeline(pipeline.asked, digests), pipeline.asked.out)
    return [change.model_copy(update={"models": tuple(of)}) for change, of in states.values()]


def _planned(model: ManifestModel, directory: Path | None = None) -> PlannedModel:
    """The model as a recipe would ask for it; a bundle for atc goes below ``directory``."""
    options = model.options
    if directory is not None and options.compile.on.startswith(_BUNDLE):
        compiled = options.compile.model_copy(update={"on": f"{_BUNDLE}{directory}-bundle"})
        options = options.model_copy(update={"compile": compiled})
    return PlannedModel(
        name=model.name,
        model=model.model,
        source=Path(model.source),
        variant=model.variant,
        options=options,
    )


def check_directory(directory: Path, manifest_file: Path, manifest: RunManifest) -> None:
    """Refuse a directory that is not empty, or that is the run's or in it. ``InputError``."""
    runs = {manifest_file.resolve().parent}
    runs |= {Path(pipeline.out_dir).resolve() for pipeline in manifest.pipelines}
    target = directory.resolve()
    inside = next((run for run in runs if target == run or run in target.parents), None)
    if inside is not None:
        raise InputError(
            f"{directory} lies in {inside}, where the run is that is to be reproduced",
            hint="choose a directory elsewhere with -o",
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(
            f"{directory} exists and is not an empty directory",
            hint="name a new directory with -o, or leave it out for a temporary one",
        )


def reproduce(
    manifest: RunManifest,
    directory: Path,
    executor: Executor,
    observer: Observer,
    *,
    digests: Digests,
    jobs: int | None = None,
    command: str = "",
) -> RunReport:
    """Make the run again in ``directory``, with nothing from the cache. Raises as ``run_models``.

    ``digests`` are those of ``look_around``: the sources need not be read twice. Nothing is written
    elsewhere: what would go into a bundle for atc goes beside ``directory``.
    """
    models = [_planned(model, directory.absolute()) for model in manifest.models]
    settings = Settings(jobs=jobs, command=command)
    report = run_models(models, directory, settings, executor, observer, digests=digests)
    if report.interrupted:
        return report
    asked: list[PlannedPipeline] = [pipeline.asked for pipeline in manifest.pipelines]
    pipelines = render_all(asked, report.models, directory, force=False)
    return with_pipelines(report, pipelines)


def compare(
    manifest: RunManifest,
    report: RunReport,
    directory: Path,
    *,
    file: Path,
    surroundings: Surroundings,
    kept: bool,
) -> Reproduction:
    """Every file that the manifest lists against what ``reproduce`` made in ``directory``."""
    models, files = compared_models(manifest, report, surroundings)
    files += compared_pipelines(manifest, report, directory, surroundings, files)
    files = [_with_parts(each, file.parent, directory) for each in files]
    files = [_as_edited(each) if each.path in surroundings.edited else each for each in files]
    if report.interrupted:  # what there was no time for tells nothing
        late = {"verdict": Verdict.NOT_REPRODUCED, "why": ("interrupted",)}
        files = [f.model_copy(update=late) if f.made is None else f for f in files]
    return Reproduction(
        manifest=str(file),
        directory=str(directory.absolute()),
        kept=kept,
        interrupted=report.interrupted,
        surroundings=surroundings,
        models=tuple(models),
        files=tuple(files),
    )


def _with_parts(file: ComparedFile, run: Path, directory: Path) -> ComparedFile:
    """An ONNX file that differs, with what differs in it where the run's own is still there."""
    then, now = run / file.path, directory / file.path
    if file.verdict is not Verdict.DIFFERENT or then.suffix != ".onnx" or not then.is_file():
        return file
    if sha256_of(then) != file.recorded:
        return file
    told = differing_parts(then, now)
    return file.model_copy(update={"why": (told, *file.why)}) if told else file


def _as_edited(file: ComparedFile) -> ComparedFile:
    """A file of which the run has another content than it made."""
    equal = file.verdict is Verdict.EQUAL
    told = "the run's own file was edited since it was made"
    verdict = Verdict.EDITED if equal else file.verdict
    return file.model_copy(update={"verdict": verdict, "why": (*file.why, told)})


def _edited(run: Path, manifest: RunManifest) -> list[str]:
    """Files in the run's directory that are not what its manifest says they were."""
    made = {
        f"{model.name}/{made.path}": made.sha256
        for model in manifest.models
        for made in model.artefacts
    }
    made |= {made.path: made.sha256 for each in manifest.pipelines for made in each.artefacts}
    return [
        path
        for path, digest in made.items()
        if (run / path).is_file() and sha256_of(run / path) != digest
    ]
