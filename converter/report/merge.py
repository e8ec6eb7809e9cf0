"""Makes one report of the reports of several runs: the shards of a CI matrix."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from converter.errors import InputError
from converter.model.names import REPORT_FILES
from converter.model.result import Artefact, ModelReport, PipelineReport, RunReport, Shard

#: Stands between what differs.
_SEVERAL = " | "

#: Fields that have to be the same in every report, and what they are called.
_SAME = {"version": "paddle2om", "strict": "--strict"}


def merge_reports(reports: Sequence[tuple[Path, RunReport]], out_dir: Path) -> RunReport:
    """One report of the models of all ``reports`` (file, content), for a file in ``out_dir``.

    Paths of artefacts, logs, configs and images are made relative to ``out_dir``. Versions that
    differ are joined as ``1.0 | 1.1``. Reports may be merged ones; each version and command stays
    there once. Raises ``InputError`` for a file that is given twice, for one that the merged report
    would replace, for a model that is in two reports, for shards of different recipes or counts,
    for one shard twice, and for reports of different versions of paddle2om.
    """
    if not reports:
        raise InputError("no report to merge", hint="name at least one report.json")
    seen: set[Path] = set()
    for file, _ in reports:
        if file.resolve() in seen:
            raise InputError(f"{file} is given twice", hint="name each report once")
        seen.add(file.resolve())
    replaced = {(out_dir / name).resolve() for name in REPORT_FILES}
    for file, _ in reports:
        if file.resolve() in replaced:
            raise InputError(
                f"{file} is one of the reports, and the merged one would replace it",
                hint="choose another directory with -o",
            )
    first_file, first = reports[0]
    for file, report in reports[1:]:
        for name, called in _SAME.items():
            if getattr(report, name) != getattr(first, name):
                raise InputError(
                    f"{file} and {first_file} differ in {called}: {getattr(report, name)} and "
                    f"{getattr(first, name)}",
                    hint="run every shard with the same paddle2om and the same flags",
                )
    shard = _whole(reports)
    models: dict[str, ModelReport] = {}
    owner: dict[str, Path] = {}
    for file, report in reports:
        for model in report.models:
            if model.name in models:
                raise InputError(
                    f"{model.name} is in {owner[model.name]} and in {file}",
                    hint="give each shard once; models of one name need recipes of their own",
                )
            owner[model.name] = file
            models[model.name] = _moved(model, file.parent, out_dir)
    order = {name: place for place, name in enumerate(shard.models)} if shard else {}
    return first.model_copy(
        update={
            "command": " && ".join(
                dict.fromkeys(each for _, report in reports for each in _commands(report.command))
            ),
            "started": min(report.started for _, report in reports),
            # As long as the longest: shards run beside each other.
            "seconds": max(report.seconds for _, report in reports),
            "platform": _joined(report.platform for _, report in reports),
            "versions": _versions([report for _, report in reports]),
            "out_dir": str(out_dir.absolute()),
            "interrupted": any(report.interrupted for _, report in reports),
            "shard": shard,
            "recipe": tuple(dict.fromkeys(f for _, report in reports for f in report.recipe)),
            "models": tuple(sorted(models.values(), key=lambda m: order.get(m.name, len(order)))),
            "pipelines": tuple(
                _moved_pipeline(pipeline, report, file.parent, out_dir)
                for file, report in reports
                for pipeline in report.pipelines
            ),
            "baseline": None,
        }
    )


def _whole(reports: Sequence[tuple[Path, RunReport]]) -> Shard | None:
    """What the shards are of, as a shard 1 of 1; None for runs that were none."""
    shards = [(file, report.shard) for file, report in reports if report.shard is not None]
    if not shards:
        return None
    first_file, first = shards[0]
    parts: dict[int, Path] = {}
    count = next((shard.count for _, shard in shards if shard.count > 1), 1)
    for file, shard in shards:
        # One of one is a whole, or the merge of some parts: its models tell which.
        if shard.models != first.models or shard.count not in (1, count):
            raise InputError(
                f"{file} is a shard of something else than {first_file}",
                hint="merge the shards of one recipe, all made with the same --shard I/N",
            )
        if shard.count == 1:
            continue
        if shard.index in parts:
            raise InputError(
                f"{file} and {parts[shard.index]} are both shard {shard.index} of {shard.count}",
                hint="give each shard once",
            )
        parts[shard.index] = file
    return Shard(index=1, count=1, models=first.models)


def _moved(model: ModelReport, source: Path, target: Path) -> ModelReport:
    """The model with its paths relative to another directory."""
    stages = tuple(
        # What is known to fail, the merged report's own baseline says.
        stage.model_copy(
            update={
                "artefacts": _moved_files(stage.artefacts, source, target),
                "known_to_fail": False,
            }
        )
        for stage in model.stages
    )
    log = _moved_path(model.log, source, target) if model.log else None
    return model.model_copy(update={"stages": stages, "log": log})


def _moved_pipeline(
    pipeline: PipelineReport, report: RunReport, source: Path, target: Path
) -> PipelineReport:
    """The pipeline with its paths relative to another directory, and with its run's own."""
    image = pipeline.image
    return pipeline.model_copy(
        update={
            "config": _moved_path(pipeline.config, source, target),
            "image": _moved_path(image, source, target) if image else None,
            "artefacts": _moved_files(pipeline.artefacts, source, target),
            "out_dir": pipeline.out_dir or report.out_dir,
        }
    )


def _moved_files(files: Iterable[Artefact], source: Path, target: Path) -> tuple[Artefact, ...]:
    return tuple(
        file.model_copy(update={"path": _moved_path(file.path, source, target)}) for file in files
    )


def _moved_path(path: str, source: Path, target: Path) -> str:
    return os.path.relpath((source / path).absolute(), target.absolute())


def _versions(reports: Sequence[RunReport]) -> dict[str, str]:
    names = dict.fromkeys(name for report in reports for name in report.versions)
    return {
        name: _joined(report.versions[name] for report in reports if name in report.versions)
        for name in names
    }


def _joined(texts: Iterable[str]) -> str:
    """What is said, each once; a merged report says several things in one text."""
    return _SEVERAL.join(dict.fromkeys(part for text in texts for part in text.split(_SEVERAL)))


def _commands(text: str) -> list[str]:
    """The commands of a report; a merged one has several."""
    parts = text.split(" && ")
    try:
        for part in parts:
            shlex.split(part)
    except ValueError:  # the && is in an argument of one
        return [text]
    return parts
