"""How a YAML file is written: line ends, indentation, words for true and null, quotes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from converter.paddlex.template import yaml_scalar
from converter.paddlex.yaml_source import Collection, Mapping, Node, Scalar, YamlSource

_T = TypeVar("_T")

_TRUE = {"true": ("true", "false"), "True": ("True", "False"), "TRUE": ("TRUE", "FALSE")}
_FALSE = {no: (yes, no) for yes, no in _TRUE.values()}
_NULLS = ("null", "~", "Null", "NULL")

#: Strings that are written without quotes where the file does so; anything else is quoted.
_PLAIN = re.compile(r"[\w./][\w./+@~-]*")


@dataclass(frozen=True)
class YamlStyle:
    """``newline`` ends lines, ``indent`` is added per level, ``words`` are those for booleans."""

    newline: str = "\n"
    indent: int = 2
    words: tuple[str, str] = ("True", "False")
    null: str = "null"

    def scalar(self, value: object, quote: str = "") -> str:
        """One value on one line, in these ``quote`` marks if it is a string and they will do."""
        if isinstance(value, bool):
            return self.words[0] if value else self.words[1]
        if value is None:
            return self.null
        if isinstance(value, str):
            return _string(value, quote)
        if isinstance(value, dict):
            pairs = (f"{self.key(key, quote)}: {self.scalar(v, quote)}" for key, v in value.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.scalar(item, quote) for item in value) + "]"
        return yaml_scalar(value)

    def key(self, key: str, quote: str) -> str:
        """A key, quoted if its neighbours are."""
        return f"{quote}{key}{quote}"

    def block(self, key: str, value: object, column: int, quote: str = "") -> list[str]:
        """The lines of ``key: value`` in a block mapping whose keys stand in ``column``."""
        lead = " " * column + self.key(key, quote) + ":"
        if not isinstance(value, dict) or not value:
            return [f"{lead} {self.scalar(value, quote)}"]
        inner = [self.block(k, v, column + self.indent, quote) for k, v in value.items()]
        return [lead, *(line for lines in inner for line in lines)]


def style_of(source: YamlSource) -> YamlStyle:
    """What the file does most often; PaddleX's own style where it does neither."""
    windows = source.text.count("\r\n")
    scalars = Counter(node.value for node in _scalars(source.root) if not node.style)
    words = [(_TRUE | _FALSE)[value] for value in scalars.elements() if value in _TRUE | _FALSE]
    nulls = [value for value in scalars.elements() if value in _NULLS]
    steps = list(_steps(source.root))
    return YamlStyle(
        newline="\r\n" if windows * 2 > source.text.count("\n") else "\n",
        indent=_commonest(steps, 2),
        words=_commonest(words, ("True", "False")),
        null=_commonest(nulls, "null"),
    )


def quote_of(node: Node | None) -> str:
    """The quotes that a scalar stands in: none, single or double."""
    return node.style if isinstance(node, Scalar) and node.style in ("'", '"') else ""


def _commonest(values: list[_T], otherwise: _T) -> _T:
    return Counter(values).most_common(1)[0][0] if values else otherwise


def _string(value: str, quote: str) -> str:
    if not quote and _PLAIN.fullmatch(value) and _reads_as_itself(value):
        return value
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return yaml_scalar(value)


def _reads_as_itself(text: str) -> bool:
    import yaml

    try:
        return bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False


def _scalars(node: object) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from _scalars(item)
    elif isinstance(node, Collection):
        for item in node.items:
            yield from _scalars(item)


def _steps(node: Mapping) -> Iterator[int]:
    """How much further in each block mapping stands than the one around it."""
    for _, value in node.items:
        if isinstance(value, Mapping) and not value.flow and value.items:
            if not node.flow and value.column > node.column:
                yield value.column - node.column
            yield from _steps(value)
