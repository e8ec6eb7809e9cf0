"""Reads a recipe and what it includes, each file against the schema."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from converter.engine.recipe.document import UNREADABLE, Document, read_document
from converter.engine.recipe.mistakes import Mistake, Place, mistake_of
from converter.errors import InputError
from converter.model.files import unreadable
from converter.model.recipe import RECIPE_SCHEMA, ModelEntry, Overrides, RecipeFile

#: The mapping that a key is of.
Owner: TypeAlias = tuple[str | int, ...]

#: Stands for the path of a model that has none that can be read.
_NO_PATH = "?"


@dataclass(frozen=True)
class Said:
    """A value of a recipe, and where it was said."""

    value: Any
    document: Document
    path: tuple[str | int, ...]

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return self.document.place(self.path)

    def resolve(self, text: str) -> Path:
        """``text`` as a path relative to the file that says it. Raises ``InputError``."""
        return resolve(self.document, text)


@dataclass(frozen=True)
class Source:
    """One file that was read, and the defaults that hold in it.

    ``content`` is without what is wrong in itself, so that the rest of the file is looked at too.
    ``wrong`` are the keys that were left out: by ``("defaults",)``, ``("models", 0)`` and so on.
    """

    document: Document
    content: RecipeFile
    defaults: Mapping[str, Said]
    wrong: Mapping[Owner, frozenset[str]]


def resolve(document: Document, text: str) -> Path:
    """``text`` as an absolute path; relative ones begin where the file lies.

    Nothing needs to be there. Raises ``InputError`` for what cannot be looked at.
    """
    try:
        path = Path(text).expanduser() if text.startswith("~") else Path(text)
    except RuntimeError:
        user = Path(text).parts[0]
        raise InputError(
            f"{user} is nobody's home directory here", hint=f"for a file of that name: ./{text}"
        ) from None
    path = Path(os.path.normpath(document.path.absolute().parent / path))
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # too long, not permitted, links in a circle
        raise unreadable(path, error) from error
    return path


def said_by(
    overrides: Overrides, document: Document, path: tuple[str | int, ...]
) -> dict[str, Said]:
    """What a mapping of the file says, key by key; nulls too."""
    names = [name for name in Overrides.model_fields if name in overrides.model_fields_set]
    return {name: Said(getattr(overrides, name), document, (*path, name)) for name in names}


class Reader:
    """Reads files once each, and collects the mistakes of all of them.

    ``chip_unknown`` says that a file could not be read, or says something wrong that may have been
    the chip to compile for.
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.sources: list[Source] = []
        self.files: list[Path] = []
        self.chip_unknown = False
        self._defaults: dict[Path, Mapping[str, Said]] = {}
        self._chain: list[tuple[Path, str]] = []

    def read(self, path: Path, name: str) -> Mapping[str, Said]:
        """Read ``path`` and what it includes, these first; return the defaults that hold in it.

        Raises ``InputError`` when the file cannot be read.
        """
        key = path.resolve()
        if key in self._defaults:
            return self._defaults[key]
        document = read_document(path, name)
        self.files.append(path.absolute())
        self.mistakes += document.mistakes
        wrong: dict[Owner, frozenset[str]] = {}
        content = self._validated(document, wrong)
        self.chip_unknown |= content is None or may_say_chip(wrong.get(("defaults",), frozenset()))
        self._chain.append((key, name))
        defaults = dict(self._included(document))
        self._chain.pop()
        if content is not None:
            defaults |= said_by(content.defaults, document, ("defaults",))
            self.sources.append(Source(document, content, defaults, wrong))
        self._defaults[key] = defaults
        return defaults

    def _validated(
        self, document: Document, wrong: dict[Owner, frozenset[str]]
    ) -> RecipeFile | None:
        """What the file says, without what is wrong in itself; that goes to ``wrong``.

        None when the file says nothing that can be read.
        """
        data = document.data
        if data is None:
            return None
        if isinstance(data, dict):
            # An empty section (`pipelines:` with nothing behind it) is one that is left out.
            data = {name: value for name, value in data.items() if value is not None}
            schema = data.get("schema", str(RECIPE_SCHEMA))
            if schema != str(RECIPE_SCHEMA) and schema is not UNREADABLE:
                mistake, newer = _wrong_schema(document)
                self.mistakes.append(mistake)
                if newer:  # its keys are others
                    return None
                data["schema"] = UNREADABLE
        told = {mistake.place for mistake in self.mistakes}
        try:
            return RecipeFile.model_validate(data)
        except ValidationError as error:
            found = error.errors(include_url=False)
        mistakes = [mistake_of(each, document, RecipeFile) for each in found]
        self.mistakes += [mistake for mistake in mistakes if mistake.place not in told]
        if not isinstance(data, dict):
            return None
        places = [each["loc"] for each in found]
        # A section that is none, or an unknown one: `default:` may have been meant to have a chip.
        self.chip_unknown |= any(len(place) == 1 and place != ("schema",) for place in places)
        self.chip_unknown |= any(place[:1] == ("include",) for place in places)
        try:
            return RecipeFile.model_validate(_without(data, places, wrong))
        except ValidationError:
            return None

    def _included(self, document: Document) -> Mapping[str, Said]:
        """The defaults of the files that ``document`` includes; mistakes elsewhere don't hide them.

        Of files that say the same, the later one counts.
        """
        data = document.data
        given = data.get("include") if isinstance(data, dict) else None
        texts = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        defaults: dict[str, Said] = {}
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                continue
            steps: tuple[str | int, ...] = ("include", index) if text != given else ("include",)
            place = document.place(steps)
            name = os.path.join(os.path.dirname(document.name), text)  # noqa: PTH118, PTH120
            try:
                path = resolve(document, text)
                self._refuse_cycle(path, name)
                defaults |= self.read(path, name)
            except InputError as error:
                self.mistakes.append(Mistake(place, error.message, error.hint))
                self.chip_unknown = True
        return defaults

    def _refuse_cycle(self, path: Path, name: str) -> None:
        chain = [key for key, _ in self._chain]
        if path.resolve() in chain:
            names = [known for _, known in self._chain[chain.index(path.resolve()) :]]
            told = " -> ".join([*names, name])
            raise InputError(f"recipes include each other: {told}", hint="take one of them out")


def may_say_chip(wrong: frozenset[str]) -> bool:
    """Whether one of the keys that are wrong may have been meant to name a chip."""
    return bool(wrong & {"soc", "variants"}) or bool(wrong - set(ModelEntry.model_fields))


def may_say_which(wrong: frozenset[str]) -> bool:
    """Whether one of a model's wrong keys may have been meant to say which model, or its name."""
    return bool(wrong & {"path", "exclude", "name"}) or bool(wrong - set(ModelEntry.model_fields))


def _without(
    data: Mapping[str, Any], places: Sequence[Owner], wrong: dict[Owner, frozenset[str]]
) -> dict[str, Any]:
    """A file's data without the keys that the mistakes at ``places`` are in.

    What is left out goes to ``wrong``. Lists keep their length: places in the file count on it.
    """
    kept = {**data, "schema": str(RECIPE_SCHEMA)}
    for name in ("models", "pipelines"):
        if isinstance(kept.get(name), list):
            kept[name] = list(kept[name])
    for place in places:
        section, *rest = place
        if section == "schema":
            continue
        if not rest or section not in ("defaults", "models", "pipelines"):
            kept.pop(str(section), None)
            continue
        depth = 1 if section == "defaults" else 2
        owner, key = tuple(place[:depth]), str(place[depth]) if len(place) > depth else "path"
        around: Any = kept if depth == 1 else kept[section]
        at = place[depth - 1]
        entry = around[at] if isinstance(around[at], dict) else {}
        around[at] = {name: value for name, value in entry.items() if name != key}
        if section == "models" and key == "path":
            around[at]["path"] = _NO_PATH
        wrong[owner] = wrong.get(owner, frozenset()) | {key}
    return kept


def _wrong_schema(document: Document) -> tuple[Mistake, bool]:
    """The mistake, and whether the file is for a later paddle2om."""
    value = document.data["schema"]
    number = isinstance(value, str) and value.isascii() and value.isdecimal()
    newer = number and int(value) > RECIPE_SCHEMA
    told = Mistake(
        document.place(("schema",)),
        f"schema is {value if isinstance(value, str) else 'no number'}; "
        f"this paddle2om reads {RECIPE_SCHEMA}",
        "upgrade paddle2om" if newer else f"write schema: {RECIPE_SCHEMA}",
    )
    return told, newer
