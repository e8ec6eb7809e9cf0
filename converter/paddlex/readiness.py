"""Model directories as PaddleX wants them: fixed file names, and an inference.yml with a name.

A directory that lacks something is left as it is; a complete copy of it is made elsewhere.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from converter.errors import InputError
from converter.model.artefacts import (
    MANIFEST,
    check_replaceable,
    move_into_place,
    read_manifest,
    read_om_input_shape,
    sha256_of,
    write_manifest,
)
from converter.paddlex.dictionary import read_dictionary
from converter.paddlex.modules import ConvertedModel, Repairs
from converter.paddlex.template import render_template
from converter.paddlex.yaml_edit import YamlEdit
from converter.paddlex.yaml_source import read_source

_YML = "inference.yml"


def planned(models: Iterable[ConvertedModel], root: Path) -> tuple[ConvertedModel, ...]:
    """The same models, those that lack something where ``make_ready`` will put them."""
    root = root.absolute()
    return tuple(
        replace(model, directory=root / model.name) if model.repairs else model for model in models
    )


@dataclass(frozen=True)
class Made:
    """A file of a directory that was made: its name there, and the file that has its content."""

    name: str
    content: Path


def make_ready(
    models: Iterable[ConvertedModel], dictionaries: Mapping[str, Path], *, force: bool = False
) -> None:
    """Write the complete directories of models that ``planned`` moved: all of them, or none.

    All files of the original are in the copy. Files that are there already are replaced only if
    paddle2om made them, or with ``force``. Raises ``InputError``.
    """
    with tempfile.TemporaryDirectory(prefix="paddle2om-ready-") as work:
        plan = []
        for number, model in enumerate(models):
            repairs = model.repairs
            assert repairs is not None
            if model.directory.resolve() == repairs.source.resolve():
                raise InputError(
                    f"{model.directory} would be completed in its own place",
                    hint="choose another directory with --ready-dir",
                )
            files = _files(model, repairs, dictionaries, Path(work) / f"{number}.yml")
            if not force:
                check_replaceable(model.directory, [file.name for file in files])
            plan.append((model.directory, files, read_om_input_shape(repairs.source)))
        for target, files, om_input_shape in plan:
            try:
                target.mkdir(parents=True, exist_ok=True)
                _publish(files, target, om_input_shape, Path(work) / "copy")
            except OSError as error:
                raise InputError(
                    f"cannot write {target}: {error.strerror}",
                    hint="choose another directory with --ready-dir",
                ) from error


def _files(
    model: ConvertedModel, repairs: Repairs, dictionaries: Mapping[str, Path], made: Path
) -> list[Made]:
    names = {old: new for new, old in repairs.renamed.items()}
    found = [path for path in sorted(repairs.source.iterdir()) if path.is_file()]
    files = [Made(names.get(path.name, path.name), path) for path in found if path.name != MANIFEST]
    if repairs.yml:
        made.write_text(_yml(model, repairs, dictionaries), encoding="utf-8")
        files = [*(file for file in files if file.name != _YML), Made(_YML, made)]
    return files


def _yml(model: ConvertedModel, repairs: Repairs, dictionaries: Mapping[str, Path]) -> str:
    if repairs.yml == "nameless":
        return _named(repairs.source / _YML, model.model_name)
    values: dict[str, object] = {"model_name": model.model_name}
    if model.role == "text_recognition":
        chosen = dictionaries.get(model.name) or dictionaries.get(model.model_name)
        values["characters"] = read_dictionary(model, repairs, chosen)
    return render_template(f"inference/roles/{model.role}.yml.j2", values)


def _named(path: Path, model_name: str) -> str:
    """An inference.yml with ``Global.model_name``, and all that it said before."""
    source = read_source(path.read_bytes(), str(path))
    edit = YamlEdit(source)
    if isinstance(source.data().get("Global"), dict):
        edit.set(["Global"], "model_name", model_name)
    else:
        edit.set([], "Global", {"model_name": model_name})
    return edit.text()


def _publish(files: list[Made], target: Path, om_input_shape: str | None, copy: Path) -> None:
    """Copy the files into place, each complete before it gets its name."""
    manifest = read_manifest(target)
    digests = {file.name: sha256_of(file.content) for file in files}
    for name, digest in digests.items():
        manifest[name] = [*manifest.get(name, ()), digest]
    # First, so that a run that is killed in between leaves nothing that a later one refuses.
    write_manifest(target, manifest)
    for file in files:
        there = target / file.name
        if there.is_file() and sha256_of(there) == digests[file.name]:
            continue
        shutil.copyfile(file.content, copy)
        move_into_place(copy, there)
    write_manifest(
        target, {name: [digest] for name, digest in digests.items()}, om_input_shape=om_input_shape
    )
