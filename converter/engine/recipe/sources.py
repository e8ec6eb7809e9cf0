"""Which models a path or a glob of a recipe means."""

from __future__ import annotations

import difflib
import fnmatch
import glob
import os
from collections.abc import Iterator
from pathlib import Path

from converter.engine.recipe.document import Document
from converter.engine.recipe.mistakes import Mistake, Place
from converter.engine.recipe.reading import resolve
from converter.errors import InputError
from converter.model.artefacts import MANIFEST
from converter.model.recipe import ModelEntry

#: Ends of the names of files that make a directory one of a model, or of what should be one.
MODEL_FILES = (".pdmodel", ".pdiparams", "__model__", "inference.json", "inference.yml")

#: How alike (``difflib``) the name of another model has to be to be the one that was meant: at 0.6
#: ``resnet18`` is that for ``lenet``.
_LIKENESS = 0.75

_PROGRAMS = (".json", ".pdmodel", "__model__")


def sources_of(entry: ModelEntry, document: Document, index: int) -> Iterator[Path | Mistake]:
    """The paths that an entry means, in order, and what is wrong with it."""
    excluded: dict[str, Place] = {}
    for at, text in enumerate(entry.exclude):
        raw = isinstance(_raw(document, ("models", index, "exclude")), list)
        place = document.place(("models", index, "exclude", at)[: 4 if raw else 3])
        try:
            excluded.setdefault(str(resolve(document, text)), place)
        except InputError as error:
            yield Mistake(place, error.message, error.hint)
    used = dict.fromkeys(excluded, False)
    seen: set[Path] = set()
    for at, text in enumerate(entry.path):
        steps: tuple[str | int, ...] = ("models", index, "path")
        if len(entry.path) > 1 or isinstance(_raw(document, steps), list):
            steps = (*steps, at)
        place = document.place(steps)
        if not text:
            yield Mistake(place, "path is empty", "give a model directory or a glob")
            continue
        try:
            named = resolve(document, text)
        except InputError as error:
            yield Mistake(place, error.message, error.hint)
            continue
        found = 0
        for path in _matches(named):
            hit = next((rule for rule in excluded if _excludes(rule, path)), None)
            if hit is not None:
                used[hit] = True
                found += 1
            elif path not in seen:
                seen.add(path)
                found += 1
                yield path
        if not found:
            yield _nothing(place, document, text, named)
    for rule, place in excluded.items():
        if not used[rule]:
            yield Mistake(
                place, "exclude leaves nothing out", "check the pattern, or remove the key"
            )


def _raw(document: Document, steps: tuple[str | int, ...]) -> object:
    value = document.data
    for step in steps:
        value = value[step]
    return value


def _excludes(rule: str, path: Path) -> bool:
    """Whether ``rule`` means ``path``, or the directory of a program file, as ``_matches`` would.

    Paths, too, may have a pattern's characters in their names.
    """
    literal = not glob.has_magic(rule) or os.path.lexists(rule)
    named = (path, path.parent) if path.is_file() else (path,)
    if literal:
        return Path(rule) in named
    return any(_fits(Path(rule).parts, each.parts) for each in named)


def _fits(rule: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Match part by part, as ``glob`` does: ``**`` is any number of them, hidden ones left out."""
    if not rule:
        return not parts
    if rule[0] == "**":
        return _fits(rule[1:], parts) or (
            bool(parts) and not parts[0].startswith(".") and _fits(rule, parts[1:])
        )
    if not parts or (parts[0].startswith(".") and not rule[0].startswith(".")):
        return False
    return fnmatch.fnmatchcase(parts[0], rule[0]) and _fits(rule[1:], parts[1:])


def _matches(path: Path) -> list[Path]:
    text = str(path)
    if not glob.has_magic(text) or os.path.lexists(path):
        return [path] if path.exists() else []
    found = [Path(match) for match in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
    named = path.name.endswith(_PROGRAMS)  # a pattern that asks for program files
    deep = "**" in path.parts
    return [match for match in found if _is_meant(match, named=named, deep=deep)]


def _is_meant(path: Path, *, named: bool, deep: bool) -> bool:
    """Directories, and files where the pattern names their kind; never what paddle2om made.

    Not only what is a model: one that is damaged is to be a row of the report. With ``**`` the
    directories on the way are no models, and only those that hold a model's files are taken.
    """
    if not path.is_dir():
        return named
    if named:
        return False
    if deep:
        return looks_like_model(path)
    return not (path / MANIFEST).exists()


def looks_like_model(directory: Path) -> bool:
    """Whether a directory holds files of a Paddle model, complete or not."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are enough
    except OSError:
        return False
    return MANIFEST not in names and any(name.endswith(MODEL_FILES) for name in names)


def _nothing(place: Place, document: Document, text: str, path: Path) -> Mistake:
    if glob.has_magic(text):
        return Mistake(
            place,
            f"{text} matches no model directory",
            f"globs begin at the recipe's directory, {document.path.absolute().parent}",
        )
    try:
        beside = os.listdir(path.parent)  # noqa: PTH208
    except OSError:
        beside = []
    near = difflib.get_close_matches(path.name, beside, 1, _LIKENESS)
    hint = (
        f"did you mean {Path(text).parent / near[0]}?"
        if near
        else "take it out of the recipe if it is gone; paths begin at the recipe's directory, "
        f"{document.path.absolute().parent}"
    )
    return Mistake(place, f"{text} does not exist", hint)
