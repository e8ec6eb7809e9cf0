"""``load_recipe``: from a file to the models and pipelines it asks for."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from converter.engine.recipe.mistakes import Mistake, Place, raise_all
from converter.engine.recipe.options import options_from
from converter.engine.recipe.pipelines import check_models, planned_pipeline
from converter.engine.recipe.reading import (
    Reader,
    Said,
    Source,
    may_say_chip,
    may_say_which,
    said_by,
)
from converter.engine.recipe.signature import check_signature
from converter.engine.recipe.sources import sources_of
from converter.engine.recipe.variants import variants_of
from converter.errors import InputError
from converter.model.names import check_model_name
from converter.model.paddle_dir import model_name
from converter.model.recipe import ModelEntry, PlannedModel, PlannedPipeline, Recipe

_PLACEHOLDER = re.compile(r"\{(\w*)\}")


def load_recipe(path: str | Path, *, signatures: bool = False) -> Recipe:
    """Read a recipe file and what it includes, and list the conversions it asks for.

    With ``signatures`` the models' programs are read too, and names of inputs and outputs that they
    do not have are mistakes; a build leaves that to the models' stages.

    Raises ``InputError``: the first mistake, with file, line and column, and the others in its
    ``more``.
    """
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise InputError(f"{path!r} is not a path", hint="give a str or a pathlib.Path")
    path = Path(path)
    reader = Reader()
    reader.read(path, str(path))
    expansion = _Expansion(reader.mistakes, chip_unknown=reader.chip_unknown, signatures=signatures)
    for source in reader.sources:
        expansion.add(source)
    expansion.check_together()
    if not (expansion.models or expansion.pipelines or reader.mistakes):
        raise InputError(
            f"{path}: the recipe asks for nothing", hint="list models, as `models: [{path: DIR}]`"
        )
    raise_all(reader.mistakes)
    return Recipe(
        path=path.absolute(),
        files=tuple(reader.files),
        models=tuple(expansion.models),
        pipelines=tuple(expansion.pipelines),
    )


@dataclass
class _Expansion:
    mistakes: list[Mistake]
    #: Then nothing is said of options that need one.
    chip_unknown: bool
    #: Whether to look into the models.
    signatures: bool
    models: list[PlannedModel] = field(default_factory=list)
    pipelines: list[PlannedPipeline] = field(default_factory=list)
    _by_name: dict[str, tuple[PlannedModel, Place]] = field(default_factory=dict)
    _outs: dict[str, Place] = field(default_factory=dict)
    #: Where the pipelines' choices stand, or they themselves.
    _places: list[Place] = field(default_factory=list)

    def add(self, source: Source) -> None:
        """The models and pipelines of one file."""
        defaults = source.content.defaults
        soc_somewhere = self.chip_unknown or "soc" in source.defaults
        soc_somewhere |= bool(defaults.variants and defaults.variants.soc)
        for index, entry in enumerate(source.content.models):
            self._add_models(entry, source, index)
            brought = entry.variants is not None and entry.variants.soc
            soc_somewhere |= entry.soc is not None or bool(brought)
            soc_somewhere |= may_say_chip(_wrong_keys(source, "models", index))
        own = said_by(defaults, source.document, ("defaults",))
        if source.content.models and not soc_somewhere:
            # Nobody names a chip: what the defaults say about OM files would be lost silently.
            options_from(own, frozenset(own), self.mistakes, compiles=False)
        for name, value in own.items():  # each alone: models may have others beside it
            options_from({name: value}, frozenset(), self.mistakes, compiles=True)
        for index, pipeline in enumerate(source.content.pipelines):
            wrong = _wrong_keys(source, "pipelines", index)
            planned, out = planned_pipeline(pipeline, source.document, index, wrong, self.mistakes)
            place = source.document.place(("pipelines", index))
            first = self._outs.setdefault(out, place) if out is not None else place
            if first is not place:
                told = f"{out} is written twice, also by {first}"
                self.mistakes.append(Mistake(place, told, "give one of them another out"))
            if planned is not None:
                self.pipelines.append(planned)
                self._places.append(source.document.place(("pipelines", index, "use")))

    def check_together(self) -> None:
        """Models and pipelines share the output directory, and models go into pipelines."""
        models = {model.name: model.source for model in self.models}
        complete = not self.mistakes
        for pipeline, place in zip(self.pipelines, self._places, strict=True):
            wrong = check_models(pipeline, models, complete=complete) if models else None
            if wrong is not None:
                self.mistakes.append(Mistake(place, wrong.message, wrong.hint))
        for out, place in self._outs.items():
            stem = Path(out).stem
            made = (out, f"{stem}-models", f"{stem}.run.sh", f"{stem}.finetune.sh")
            for name in made:
                if name in self._by_name:
                    model = self._by_name[name][1]
                    told = f"{name} is the name of a model too, at {model}"
                    self.mistakes.append(Mistake(place, told, "give the pipeline another out"))

    def _add_models(self, entry: ModelEntry, source: Source, index: int) -> None:
        document = source.document
        wrong = _wrong_keys(source, "models", index)
        own = said_by(entry, document, ("models", index))
        said: dict[str, Said] = {**source.defaults, **own}
        variants = said.get("variants")
        compiles = bool(variants and variants.value and variants.value.soc)
        compiles |= self.chip_unknown or may_say_chip(wrong)
        options = options_from(said, frozenset(own), self.mistakes, compiles=compiles)
        made = variants_of(options, said, frozenset(own), self.mistakes, compiles=compiles)
        place = document.place(("models", index))
        name_place = document.place(("models", index, "name")) if entry.name else place
        found = [] if "path" in wrong else list(sources_of(entry, document, index))
        self.mistakes += [each for each in found if isinstance(each, Mistake)]
        paths = [each for each in found if isinstance(each, Path)]
        for path in paths:
            try:
                name = _name(entry, path, [suffix for suffix, *_ in made])
            except InputError as error:
                self.mistakes.append(Mistake(name_place, error.message, error.hint))
                continue
            if may_say_which(wrong):
                continue  # it may have been meant to be another one, or not to be there
            if self.signatures:
                compiled = bool(options.compile.soc) or compiles
                check_signature(path, said, self.mistakes, compiles=compiled)
            for suffix, variant, chosen in made:
                planned = PlannedModel(
                    name=f"{name}{suffix}",
                    model=name,
                    source=path,
                    variant=variant,
                    options=chosen,
                    place=str(place),
                )
                self._add(planned, name_place, several=len(paths) > 1)

    def _add(self, planned: PlannedModel, place: Place, *, several: bool) -> None:
        first, where = self._by_name.get(planned.name, (None, place))
        if first is None:
            self._by_name[planned.name] = (planned, place)
            self.models.append(planned)
            return
        if first.source == planned.source:
            if first.options == planned.options:
                return  # the same, named twice
            told = f"{planned.name} is asked for twice, in different ways; first at {where}"
            hint = "give one of them another name, or leave it out of a glob with exclude"
        else:
            told = f"two models are called {planned.name}: {first.source} and {planned.source}"
            told += f", the first at {where}" if where != place else ""
            hint = 'name: "{parent}_{name}" puts the directory\'s name in front'
            hint = hint if several else f"give one of them a name of its own, or {hint}"
        self.mistakes.append(Mistake(place, told, hint))


def _wrong_keys(source: Source, section: str, index: int) -> frozenset[str]:
    return source.wrong.get((section, index), frozenset())


def _name(entry: ModelEntry, path: Path, suffixes: Sequence[str]) -> str:
    """What the model at ``path`` is to be called, before one of the ``suffixes`` of its variants.

    Raises ``InputError``.
    """
    known = {"name": model_name(path), "parent": _parent(path)}
    text = entry.name if entry.name is not None else "{name}"
    for word in _PLACEHOLDER.findall(text):
        if word not in known:
            raise InputError(
                f"there is no {{{word}}} for a name", hint="there are {name} and {parent}"
            )
    name = _PLACEHOLDER.sub(lambda match: known[match[1]], text)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"the name of {str(path)!r} is not UTF-8 text", hint="rename it") from None
    hint = 'give another one with name:, for example name: "{parent}_{name}"'
    if name.startswith((".", "-")):
        raise InputError(f"{name!r} cannot be the name of a model", hint=hint)
    try:
        check_model_name(name)
        check_model_name(name + max(suffixes, key=len, default=""))
    except InputError as error:
        raise InputError(error.message, hint=hint) from None
    return name


def _parent(path: Path) -> str:
    directory = path.parent if path.is_file() else path
    return directory.resolve().parent.name
