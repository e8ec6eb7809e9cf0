"""A YAML file as nodes that know where they stand in the text, aliases left as aliases.

PyYAML's own nodes cannot serve: an alias is replaced by the node it stands for, whose position is
elsewhere, and a block collection's end mark lies behind the comments that follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from converter.errors import InputError

if TYPE_CHECKING:
    import yaml

#: What yaml.safe_load raises beside YAMLError, see converter.model.inference_yml.
YAML_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

#: PP-DocTranslation, the deepest of PaddleX's configs, has 11 levels.
MAX_DEPTH = 64

#: The largest has 400 values. Aliases of aliases can stand for any number of them.
MAX_VALUES = 100_000

_PROPERTY = re.compile(r"(?:&[^\s,\[\]{}]+|!\S*)\s*")


@dataclass(frozen=True, eq=False)
class Scalar:
    """``text[start:end]`` is the content; ``begin`` is before it where it has an anchor or tag."""

    begin: int
    start: int
    end: int
    value: str
    style: str
    anchor: str | None
    column: int


@dataclass(frozen=True, eq=False)
class Alias:
    """``*name``, and the node it stands for."""

    start: int
    end: int
    name: str
    target: Node

    @property
    def begin(self) -> int:
        """Where the alias begins; it can have neither anchor nor tag."""
        return self.start


@dataclass(frozen=True, eq=False)
class Collection:
    """A mapping (``items`` are pairs) or a sequence. ``end`` is that of the last thing in it."""

    begin: int
    start: int
    end: int
    flow: bool
    anchor: str | None
    column: int
    items: tuple[Any, ...]


class Mapping(Collection):
    """Pairs of nodes, in the order of the text; of keys that occur twice, the last one counts."""

    def entry(self, key: str) -> tuple[Scalar, Node] | None:
        """The pair whose key is the scalar ``key``; merged keys (``<<``) are not looked into."""
        for name, value in reversed(self.items):
            if isinstance(name, Scalar) and name.value == key:
                return name, value
        return None


class List(Collection):
    """A sequence."""


Node: TypeAlias = Scalar | Alias | Mapping | List


@dataclass(frozen=True)
class YamlSource:
    """The text, its nodes, and what it means to ``yaml.safe_load`` (every call loads anew)."""

    name: str
    text: str
    root: Mapping
    aliases: tuple[Alias, ...] = field(repr=False, default=())

    def data(self) -> dict[Any, Any]:
        """The values, as ``load`` gives them."""
        return load(self.text, self.name)

    def mapping_at(self, path: Sequence[str]) -> Mapping:
        """The mapping at these keys, through aliases. Raises ``InputError`` where it is merged."""
        node: Node = self.root
        for key in path:
            found = node.entry(key) if isinstance(node, Mapping) else None
            if found is None:
                raise InputError(
                    f"{self.name}: {'.'.join(path)} comes from a merge (<<): it cannot be edited",
                    hint="write that part of the file out",
                )
            node = target(found[1])
        assert isinstance(node, Mapping)
        return node

    def line(self, position: int) -> int:
        """The line number of a position in the text, from 1."""
        return self.text.count("\n", 0, position) + 1


def target(node: Node) -> Node:
    """The node itself, or what an alias stands for."""
    return node.target if isinstance(node, Alias) else node


def load(text: str, name: str) -> dict[Any, Any]:
    """``yaml.safe_load``, but no two places of the result share an object.

    Raises ``InputError`` when it is no mapping, or no YAML.
    """
    import yaml

    try:
        content = _safe_load(text)
    except yaml.YAMLError as error:
        raise _not_yaml(name, error) from error
    except YAML_ERRORS as error:
        raise InputError(
            f"{name} is not YAML: {error or type(error).__name__}", hint="correct the file"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{name} is not a pipeline config: it holds no keys at the top",
            hint="give a PaddleX pipeline config, such as paddlex --get_pipeline_config writes",
        )
    copy: dict[Any, Any] = _Copy(name).of(content)
    return copy


def _safe_load(text: str) -> Any:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # libyaml is many times faster
    except yaml.YAMLError:
        # PaddleX reads with PyYAML itself, which takes what libyaml does not: file names that are
        # not Unicode.
        return yaml.safe_load(text)


class _Copy:
    """A copy in which no two places share an object, as two aliases of one anchor do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.made = 0

    def of(self, value: Any) -> Any:
        self.made += 1
        if self.made > MAX_VALUES:
            raise InputError(
                f"{self.name} holds more than {MAX_VALUES} values when its aliases are written out",
                hint="give a PaddleX pipeline config",
            )
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in value.items()}
        return [self.of(item) for item in value] if isinstance(value, list) else value


def read_source(data: bytes, name: str) -> YamlSource:
    """Parse a file's bytes. Raises ``InputError`` unless they are one YAML mapping in UTF-8."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 (byte {error.start})",
            hint="save it as UTF-8, as PaddleX reads it",
        ) from None
    parser = _Parser(text, name)
    root = parser.document()
    load(text, name)  # tags and merges that make no sense; the nodes do not look at them
    return YamlSource(name, text, root, tuple(parser.aliases))


def _not_yaml(name: str, error: yaml.YAMLError) -> InputError:
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return InputError(f"{name} is not YAML: {what}{where}", hint="correct that line")


def _span(event: yaml.Event) -> tuple[int, int]:
    """Where an event begins and ends in the text; PyYAML's parser sets both."""
    assert event.start_mark is not None and event.end_mark is not None
    return event.start_mark.index, event.end_mark.index


class _Parser:
    """Builds nodes from PyYAML's events; its pure Python parser counts positions in characters."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.anchors: dict[str, Node] = {}
        self.aliases: list[Alias] = []
        self.depth = 0

    def document(self) -> Mapping:
        """The one document's root. Raises ``InputError``."""
        import yaml

        try:
            self.events: Iterator[yaml.Event] = iter(yaml.parse(self.text, Loader=yaml.SafeLoader))
            next(self.events)
            if isinstance(next(self.events), yaml.StreamEndEvent):
                raise InputError(f"{self.name} is empty", hint="give a PaddleX pipeline config")
            root = self.node(next(self.events))
            next(self.events)
            if not isinstance(next(self.events), yaml.StreamEndEvent):
                raise InputError(
                    f"{self.name} holds several YAML documents", hint="split the file at ---"
                )
        except yaml.YAMLError as error:
            raise _not_yaml(self.name, error) from error
        if not isinstance(root, Mapping):
            raise InputError(
                f"{self.name} is not a pipeline config: it holds no keys at the top",
                hint="give a PaddleX pipeline config, such as paddlex --get_pipeline_config writes",
            )
        return root

    def node(self, event: Any) -> Node:
        import yaml

        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise InputError(
                    f"{self.name}: *{event.anchor} stands for nothing",
                    hint=f"put the anchor &{event.anchor} before it",
                )
            start, end = _span(event)
            alias = Alias(start, end, event.anchor, self.anchors[event.anchor])
            self.aliases.append(alias)
            return alias
        if isinstance(event, yaml.ScalarEvent):
            made: Node = self.scalar(event)
        else:
            made = self.collection(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = made
        return made

    def scalar(self, event: yaml.ScalarEvent) -> Scalar:
        begin, end = _span(event)
        if event.style in ("|", ">"):
            end = begin + len(self.text[begin:end].rstrip())
        start = self.after_properties(begin, end)
        assert event.start_mark is not None
        column = event.start_mark.column
        return Scalar(begin, start, end, event.value, event.style or "", event.anchor, column)

    def collection(self, event: Any) -> Mapping | List:
        import yaml

        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InputError(
                f"{self.name} nests deeper than {MAX_DEPTH} levels",
                hint="give a PaddleX pipeline config",
            )
        kind = Mapping if isinstance(event, yaml.MappingStartEvent) else List
        begin = event.start_mark.index
        items: list[Any] = []
        while not isinstance(
            inner := next(self.events), yaml.MappingEndEvent | yaml.SequenceEndEvent
        ):
            item = self.node(inner)
            items.append((item, self.node(next(self.events))) if kind is Mapping else item)
        self.depth -= 1
        end = _span(inner)[1]
        if not event.flow_style:
            last = items[-1] if items else None
            end = (last[1] if isinstance(last, tuple) else last).end if last else begin
        start = self.after_properties(begin, end)
        column = event.start_mark.column
        if items and isinstance(items[0], tuple) and isinstance(items[0][0], Scalar):
            column = items[0][0].column  # the mapping's own begins at its anchor, if it has one
        return kind(begin, start, end, bool(event.flow_style), event.anchor, column, tuple(items))

    def after_properties(self, begin: int, end: int) -> int:
        while match := _PROPERTY.match(self.text, begin, end):
            begin = match.end()
        return begin
