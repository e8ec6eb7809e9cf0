"""Mistakes in recipes: where, what, and what to do; told all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from converter.errors import InputError
from converter.model.problems import COMPARED, WANTED, problem, shown
from converter.model.record import Record

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from converter.engine.recipe.document import Document


@dataclass(frozen=True, order=True)
class Place:
    """A file as messages call it, line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong."""

    place: Place
    message: str
    hint: str

    def as_error(self) -> InputError:
        """The exception for this one."""
        return InputError(f"{self.place}: {self.message}", hint=self.hint)


def raise_all(mistakes: Iterable[Mistake]) -> None:
    """Raise one ``InputError`` with all of them, in the order of the files; nothing without any."""
    found = sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.place)
    if found:
        first, *rest = found
        raise InputError(
            f"{first.place}: {first.message}",
            hint=first.hint,
            more=[mistake.as_error() for mistake in rest],
        )


def mistake_of(error: ErrorDetails, document: Document, root: type[Record]) -> Mistake:
    """What pydantic found, in the words of a recipe."""
    path, kind, value = error["loc"], error["type"], error["input"]
    context: dict[str, Any] = error.get("ctx", {})
    name = _called(path)
    if kind == "extra_forbidden":
        owner = _record_at(root, path[:-1])
        message, hint = (
            f"{path[-1]} is not a key {_of(path[:-1])}",
            _inside(str(path[-1]), value, owner) or _near(str(path[-1]), keys(owner)),
        )
        return Mistake(document.place(path, key=True), message, hint)
    place = document.place(path)
    if kind == "missing":
        needed = str(path[-1])
        message = f"{_owner(path[:-1])} needs {needed}"
        hint = "write schema: 1" if needed == "schema" else f"add {needed}: to it"
        return Mistake(place, message, hint)
    if kind == "hinted":
        return Mistake(place, context["told"], context["hint"])
    if kind in WANTED:
        return Mistake(place, f"{name} {problem(error)}", f"give {WANTED[kind]} there")
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in _choices(context["expected"])]
        return Mistake(place, f"{name} cannot be {shown(value)}", _near(str(value), choices))
    if kind in ("too_short", "too_long"):
        least = context.get("min_length", context.get("max_length"))
        told = f"{name} has {context['actual_length']} values"
        return Mistake(place, told, f"give {least} of them")
    if kind in COMPARED:
        words, key = COMPARED[kind]
        return Mistake(place, f"{name} is {shown(value)}", f"give {words} {context[key]:g}")
    return Mistake(place, f"{name} {problem(error)}", "see docs/reference/recipe.md")


def _choices(expected: str) -> list[str]:
    return [part for piece in expected.split(", ") for part in piece.split(" or ")]


def _called(path: tuple[int | str, ...]) -> str:
    """``shapes.x`` for what stands at ``models, 3, shapes, x, 0``."""
    words = [step for step in path if isinstance(step, str)]
    if len(words) > 1 and words[0] in ("models", "pipelines", "defaults"):
        words = words[1:]
    return ".".join(words) or "the recipe"


def _owner(path: tuple[int | str, ...]) -> str:
    words = [step for step in path if isinstance(step, str)]
    if not words:
        return "the recipe"
    return {"models": "a model", "pipelines": "a pipeline"}.get(words[-1], words[-1])


def _of(path: tuple[int | str, ...]) -> str:
    return f"of {_owner(path)}"


def _record_at(root: type[Record], path: tuple[int | str, ...]) -> type[Record]:
    """The record that describes the mapping at ``path``."""
    record = root
    for step in path:
        field = record.model_fields.get(str(step)) if isinstance(step, str) else None
        found = _record_in(field.annotation) if field else None
        record = found or record
    return record


def _record_in(annotation: Any) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _record_in(arg))), None)


def keys(record: type[Record]) -> list[str]:
    """The keys that the file has for a record's fields."""
    return [field.alias or name for name, field in record.model_fields.items()]


def _inside(name: str, value: object, owner: type[Record]) -> str:
    """How to write a key that belongs one level down; "" for any other."""
    for around, field in owner.model_fields.items():
        # Of a mapping's values by the user's names there may be several.
        args = get_args(field.annotation) or (field.annotation,)
        records = [arg for arg in args if isinstance(arg, type) and issubclass(arg, Record)]
        if any(name in keys(record) for record in records):
            return f"write {around}: {{{name}: {value if isinstance(value, str) else '...'}}}"
    return ""


def _near(name: str, known: list[str]) -> str:
    spelt = name.strip().lower().replace("-", "_")
    by_lower = {word.lower(): word for word in known}
    match = difflib.get_close_matches(spelt, by_lower, 1, 0.6)
    return f"did you mean {by_lower[match[0]]}?" if match else f"there are: {', '.join(known)}"
