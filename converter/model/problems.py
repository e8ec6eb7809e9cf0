"""Plain words for what pydantic finds wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converter.model.wording import shorten

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

#: What a value should have been, by pydantic's name of the mistake.
WANTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of usual size",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "string_unicode": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
}

#: The words before a limit, and pydantic's name of the limit.
COMPARED = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
}

#: Characters of a wrong value that a message repeats.
_LONGEST_SHOWN = 80


def shown(value: object) -> str:
    """A wrong value as a message repeats it."""
    if value is None:
        return "empty"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return shorten(repr(value), _LONGEST_SHOWN)


def problem(error: ErrorDetails) -> str:
    """What is wrong with the value, to stand behind its name: ``is 'abc', not a whole number``."""
    kind, value = error["type"], error["input"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind in WANTED:
        return f"is {shown(value)}, not {WANTED[kind]}"
    if kind == "json_invalid":
        return f"is not valid JSON: {context['error']}"
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not known"
    if kind in COMPARED:
        words, key = COMPARED[kind]
        return f"is {shown(value)}, not {words} {context[key]:g}"
    if kind == "literal_error":
        return f"is {shown(value)}, not {context['expected']}"
    return f"is {shown(value)}: {error['msg'].removeprefix('Value error, ')}"


def first_problem(error: ValidationError) -> str:
    """The first of what is wrong in a whole record, where it is, and how many there are."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "all of it"
    count = error.error_count()
    return f"{place} {problem(first)}" + (f" ({count} problems)" if count > 1 else "")
