"""The pipeline configs that a recipe asks for."""

from __future__ import annotations

from pathlib import Path

from converter.engine.recipe.document import Document
from converter.engine.recipe.mistakes import Mistake
from converter.engine.recipe.reading import resolve
from converter.errors import InputError
from converter.model.recipe import PipelineEntry, PlannedPipeline
from converter.paddlex.targets import parse_device, parse_version


def planned_pipeline(
    entry: PipelineEntry, document: Document, index: int, mistakes: list[Mistake]
) -> PlannedPipeline | None:
    """The pipeline with its paths made absolute; what is wrong goes to ``mistakes``."""
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
    if not (entry.name or entry.base):
        wrong("", "a pipeline needs name or base", "name: OCR, or base: my_pipeline.yaml")
        return None
    base = entry.base or str(entry.name)
    if Path(base).suffix.lower() in (".yaml", ".yml") or "/" in base:
        base = str(existing("base" if entry.base else "name", base))
    name = entry.name or Path(base).stem
    if "/" in name or name.startswith("."):
        wrong("name", f"{name!r} cannot be a name: it becomes one of a file", "use letters, digits")
    out = entry.out or f"{Path(name).stem if name.endswith(('.yaml', '.yml')) else name}.yaml"
    if Path(out).name != out or Path(out).suffix not in (".yaml", ".yml"):
        wrong("out", f"out is {out!r}", "give a file name that ends in .yaml, without directories")
    base_dir = existing("base_dir", entry.base_dir, directory=True) if entry.base_dir else None
    dictionaries = {
        model: existing("dictionaries", text) for model, text in entry.dictionaries.items()
    }
    if len(mistakes) > before:
        return None
    plain = ("backend", "device", "paddlex", "wrapper", "use", "place", "shapes", "scripts")
    return PlannedPipeline(
        name=name,
        base=base,
        out=out,
        base_dir=base_dir,
        dictionaries=dictionaries,
        **{key: getattr(entry, key) for key in plain},
    )
