"""Edits a config's text and keeps beside it the data that the text is to mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from converter.errors import InputError, InternalError
from converter.paddlex.pipeline import Pipeline, Switch
from converter.paddlex.yaml_edit import YamlEdit
from converter.paddlex.yaml_source import load


@dataclass(frozen=True)
class Change:
    """A key that got another value; ``before`` is None for a new one too."""

    path: tuple[str, ...]
    key: str
    before: Any
    after: Any


class ConfigEdit:
    """Edits of one pipeline's config; ``changes`` lists them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.edit = YamlEdit(pipeline.source)
        self.before = pipeline.data
        self.expected = pipeline.source.data()
        self.changes: list[Change] = []

    def switch_off(self, switch: Switch) -> None:
        """Set all its keys to False."""
        for key in switch.keys:
            self.set(switch.path, key, False, ("pipeline_name", *switch.keys))

    def set(self, path: tuple[str, ...], key: str, value: Any, behind: tuple[str, ...]) -> None:
        """Set one key; nothing happens when it has that value already."""
        before = _at(self.before, path).get(key)
        if same(before, value) and key in _at(self.before, path):
            return
        self.edit.set(path, key, value, after=behind)
        _at(self.expected, path)[key] = value
        self.changes.append(Change(path, key, before, value))

    def finish(self, name: str) -> tuple[str, dict[str, Any]]:
        """The new text and what it means, after comparing that with what it should mean."""
        text = self.edit.text()
        try:
            meant = load(text, name)
        except InputError as error:
            raise InternalError(
                f"the rendered config cannot be read: {error.message}",
                hint="report this, with the config",
            ) from error
        if same(meant, self.expected):
            return text, meant
        if self.edit.source.aliases:
            raise InputError(
                f"{name} shares parts through anchors (&name) in a way that cannot be edited",
                hint="write the aliases (*name) out",
            )
        raise InternalError(
            "the rendered config does not read as it should", hint="report this, with the config"
        )


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def same(one: object, other: object) -> bool:
    """Equal in value and type, all the way down; NaN equals NaN."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or (one != one and other != other))
