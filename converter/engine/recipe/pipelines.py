"""The pipeline configs that a recipe asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from converter.engine.recipe.document import Document
from converter.engine.recipe.mistakes import Mistake
from converter.engine.recipe.reading import resolve
from converter.engine.recipe.wording import pipeline_in_keys
from converter.errors import InputError
from converter.model.recipe import PipelineEntry, PlannedPipeline
from converter.paddlex.base import check_base, find_base
from converter.paddlex.modules import foreseen_models
from converter.paddlex.render import RenderOptions, check_choices
from converter.paddlex.targets import parse_device, parse_version


def check_models(
    pipeline: PlannedPipeline, models: Mapping[str, Path], *, complete: bool
) -> InputError | None:
    """What is wrong with how the recipe's models, by name with their sources, go into a pipeline.

    ``complete`` is False where the recipe has more models than those.
    """
    foreseen = foreseen_models(models)
    options = RenderOptions(backend=pipeline.backend, use=pipeline.use, place=pipeline.place)
    try:
        base = find_base(pipeline.base, pipeline.base_dir)
    except InputError:
        return None  # only a PaddleX is missing here: ``check_base``
    try:
        check_choices(base, foreseen, options, complete=complete and len(foreseen) == len(models))
    except InputError as error:
        return InputError(pipeline_in_keys(error.message), hint=pipeline_in_keys(error.hint))
    return None


def planned_pipeline(
    entry: PipelineEntry,
    document: Document,
    index: int,
    wrong_keys: frozenset[str],
    mistakes: list[Mistake],
) -> tuple[PlannedPipeline | None, str | None]:
    """The pipeline with its paths made absolute, and the name of its config.

    What is wrong goes to ``mistakes``, and then there is no pipeline. ``wrong_keys`` are known to
    be wrong already, and not in ``entry``. The name is None where it cannot be told.
    """
    before = len(mistakes)
    here: tuple[str | int, ...] = ("pipelines", index)

    def wrong(key: str, message: str, hint: str) -> None:
        mistakes.append(Mistake(document.place((*here, key) if key else here), message, hint))

    def existing(key: str, text: str, *, directory: bool = False) -> Path:
        try:
            path = resolve(document, text)
        except InputError as error:
            wrong(key, error.message, error.hint)
            return Path(text)
        if not (path.exists() if directory else path.is_file()):
            wrong(key, f"{text} does not exist", f"it would be {path}")
        return path

    if entry.device is not None:
        try:
            parse_device(entry.device)
        except InputError as error:
            wrong("device", error.message, error.hint)
    if entry.paddlex is not None:
        try:
            parse_version(entry.paddlex)
        except InputError as error:
            wrong("paddlex", error.message, error.hint.replace("--paddlex ", "paddlex: "))
    named = bool(entry.name or entry.base)
    # A wrong key may have been meant to say what the pipeline or its config is called.
    unsure = bool(wrong_keys - (PipelineEntry.model_fields.keys() - {"name", "base", "out"}))
    if not (named or unsure):
        wrong("", "a pipeline needs name or base", "name: OCR, or base: my_pipeline.yaml")
    base = entry.base or entry.name or ""
    base_key = "base" if entry.base else "name"
    told = len(mistakes)
    base_dir = existing("base_dir", entry.base_dir, directory=True) if entry.base_dir else None
    if Path(base).suffix.lower() in (".yaml", ".yml") or "/" in base:
        base = str(existing(base_key, base))
    elif named and len(mistakes) == told and "base_dir" not in wrong_keys:
        try:
            check_base(base, base_dir)
        except InputError as error:
            wrong(base_key, error.message, error.hint.replace("--base-dir", "base_dir:"))
    name = entry.name or Path(base).stem
    if "/" in name or name.startswith("."):
        wrong("name", f"{name!r} cannot be a name: it becomes one of a file", "use letters, digits")
    stem = Path(name).stem if name.endswith((".yaml", ".yml")) else name
    out = entry.out or (f"{stem}.yaml" if named else None)
    if out is not None and (Path(out).name != out or Path(out).suffix not in (".yaml", ".yml")):
        wrong("out", f"out is {out!r}", "give a file name that ends in .yaml, without directories")
    dictionaries = {
        model: existing("dictionaries", text) for model, text in entry.dictionaries.items()
    }
    if len(mistakes) > before or wrong_keys or out is None:
        return None, None if unsure else out
    plain = ("backend", "device", "paddlex", "wrapper", "use", "place", "shapes", "scripts")
    planned = PlannedPipeline(
        name=name,
        base=base,
        out=out,
        base_dir=base_dir,
        dictionaries=dictionaries,
        **{key: getattr(entry, key) for key in plain},
    )
    return planned, out
