"""Drafts a recipe for a folder of models: ``paddle2om recipe init``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from converter.engine.recipe.sources import looks_like_model
from converter.errors import InputError
from converter.model.artefacts import MANIFEST
from converter.model.counting import count
from converter.model.describe import describe
from converter.model.files import unreadable
from converter.model.inference_yml import read_inference_yml
from converter.model.names import RESERVED
from converter.model.paddle_dir import OTHER_MODELS, find_model, model_name, programs_in
from converter.model.recipe import RECIPE_SCHEMA
from converter.model.roles import Role, role_of
from converter.paddlex.base import find_base
from converter.paddlex.matching import candidates
from converter.paddlex.modules import foreseen_models
from converter.paddlex.render import read_base

#: Pipelines of PaddleX that a folder with these roles could serve, the fullest first.
_PIPELINES: tuple[tuple[str, frozenset[Role]], ...] = (
    ("PP-StructureV3", frozenset({"layout_detection", "text_detection", "text_recognition"})),
    ("OCR", frozenset({"text_detection", "text_recognition"})),
)


@dataclass(frozen=True)
class Draft:
    """The text of a recipe, how many models are in it, and what was left out with the reason.

    ``several`` are directories that hold more than one model, with the names of their programs.
    """

    text: str
    models: int
    left_out: tuple[tuple[str, str], ...]
    several: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class _Found:
    path: str
    name: str
    role: Role | None
    about: str
    source: Path


def draft_recipe(directory: Path, recipe: Path) -> Draft:
    """A recipe for every model below ``directory``, in the order of their paths.

    Paths are relative to where ``recipe`` will lie. The same folder gives the same text. Raises
    ``InputError`` when ``directory`` cannot be read or holds no model.
    """
    if not directory.is_dir():
        told = f"{directory} is not a directory" if directory.exists() else None
        if told is None:
            raise unreadable(directory, FileNotFoundError())
        raise InputError(told, hint="name the folder that your models lie in")
    found: list[_Found] = []
    left_out: list[tuple[str, str]] = []
    several: list[tuple[str, tuple[str, ...]]] = []
    beside = recipe.absolute().parent
    models = _model_directories(directory)
    for path in models:
        programs = _programs(path)
        if len(programs) > 1:
            shown = os.path.relpath(path.absolute(), beside)
            several.append((shown, tuple(source.name for source in programs)))
        for source in programs:
            shown = os.path.relpath(source.absolute(), beside)
            try:
                described = _describe(source, shown)
            except InputError as error:
                left_out.append((shown, error.message.replace(str(source), shown)))
                continue
            if len(programs) > 1:
                of = f"one of {len(programs)} programs in its directory"
                about = f"{described.about}, {of}" if described.about else of
                described = replace(described, about=about)
            found.append(described)
    for path in _without_model(directory, models):
        left_out.append((os.path.relpath(path.absolute(), beside), _why_none(path)))
    left_out.sort()
    if not found:
        what = f"; left out {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise InputError(
            f"no Paddle model below {directory}{what}",
            hint="models are directories with inference.json or inference.pdmodel in them",
        )
    text = _text(directory, found, left_out)
    return Draft(text, len(found), tuple(left_out), tuple(several))


def _model_directories(top: Path) -> list[Path]:
    found = []
    for root, directories, _ in os.walk(top):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        path = Path(root)
        if looks_like_model(path) or (path != top and _has_program(path)):
            found.append(path)
    return found


def _without_model(top: Path, models: Sequence[Path]) -> list[Path]:
    """Directories that are empty, or hold another kind of model, with no Paddle model around.

    What paddle2om made is no such thing, nor what lies beside or in a model.
    """
    known = {*models, *(parent for model in models for parent in model.parents)}
    found = []
    for root, directories, files in os.walk(top):
        path = Path(root)
        if path in models or MANIFEST in files:
            directories.clear()
            continue
        other = any(Path(name).suffix in OTHER_MODELS for name in files)
        if path != top and path not in known and (other or not (files or directories)):
            found.append(path)
        directories[:] = sorted(name for name in directories if not name.startswith("."))
    return found


def _why_none(path: Path) -> str:
    """Why there is no model in a directory that ``_without_model`` gave."""
    try:
        find_model(path)
    except InputError as error:
        empty = not any(path.iterdir())
        return "the directory is empty" if empty else f"no Paddle model in it: {error.hint}"
    return "a model came while the folder was read"


def _has_program(path: Path) -> bool:
    try:
        return bool(programs_in(path))
    except (OSError, InputError):
        return False


def _programs(path: Path) -> list[Path]:
    """The directory itself; each of its programs where there are several and none is usual."""
    usual = any((path / f"inference{suffix}").is_file() for suffix in (".json", ".pdmodel"))
    try:
        programs = programs_in(path)
    except (OSError, InputError):
        programs = []
    return programs if len(programs) > 1 and not usual else [path]


def _describe(source: Path, shown: str) -> _Found:
    """What the model at ``source`` is. ``InputError`` when there is none or it is damaged."""
    model = find_model(source)
    describe(model)
    official, role = None, None
    if model.yml is not None:
        yml = read_inference_yml(model.yml)
        official, role = yml.model_name, yml.role
    name = model_name(source)
    role = role or role_of(official or name, {})
    words = [role.replace("_", " ")] if role else []
    words += [official] if official and official != name else []
    return _Found(shown, name, role, ", ".join(words), source)


def _text(directory: Path, found: list[_Found], left_out: list[tuple[str, str]]) -> str:
    counts = Counter([*(model.name for model in found), *RESERVED])
    folder = _scalar(directory.name or str(directory.absolute().name))
    lines = [
        f"# {count(len(found), 'model')} of {folder}.",
        "# Check this file with `paddle2om recipe check`; docs/reference/recipe.md has every key.",
        f"schema: {RECIPE_SCHEMA}",
        "",
        "defaults:",
        "  opset: 11 # works with every atc",
        "  # soc: Ascend310P3 # makes OM files too: see npu-smi info, or say auto",
        "  # tolerance: {atol: 1.0e-5, rtol: 1.0e-4}",
        "",
        "models:",
    ]
    for model in found:
        lines.append(f"  - path: {_scalar(model.path)}" + (f" # {model.about}" * bool(model.about)))
        if counts[model.name] > 1:
            lines.append(f"    name: {_scalar(_own_name(model, counts))}")
    if left_out:
        lines += ["", "# Left out:"]
        lines += [f"#   {_one_line(path)}: {_one_line(reason)}" for path, reason in left_out]
    roles = {model.role for model in found}
    fitting = next((name for name, needs in _PIPELINES if needs <= roles), None)
    if fitting:
        lines += [
            "",
            "# The PaddleX config that runs them:",
            "# pipelines:",
            f"#   - name: {fitting}",
            "#     backend: onnx",
        ]
        choices = _choices(fitting, found, counts)
        if choices:
            lines.append("#     use: # of several models that fit")
        lines += [f"#       {choice}" for choice in choices]
    return "\n".join(lines) + "\n"


def _own_name(model: _Found, counts: Mapping[str, int]) -> str:
    """A model's name in the recipe: of its path, where others are called the same."""
    return model.path.replace(os.sep, "_").strip("._-") if counts[model.name] > 1 else model.name


def _choices(pipeline: str, found: Sequence[_Found], counts: Mapping[str, int]) -> list[str]:
    """``module: model`` for modules that several models fit, the last by name first."""
    try:
        modules = read_base(find_base(pipeline)).modules
    except InputError:  # no PaddleX here
        return []
    models = foreseen_models({_own_name(model, counts): model.source for model in found})
    lines = []
    for module in modules:
        fitting = sorted((m.name for m in candidates(module, models)[1]), reverse=True)
        if len(fitting) > 1 and not module.skipped:
            first, *others = map(_scalar, fitting)
            lines.append(f"{module.name}: {first} # or {', '.join(others)}")
    return lines


def _scalar(text: str) -> str:
    """``text`` as YAML on one line, quoted where it has to be."""
    dumped: str = yaml.safe_dump(text, allow_unicode=True, width=1_000_000)
    return dumped.removesuffix("...\n").strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())
