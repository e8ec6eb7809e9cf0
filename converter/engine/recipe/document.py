"""A YAML file as plain data, and where in the file each piece of it stands.

Scalars stay the text they are, except null: pydantic makes numbers and truth values of them where
they are wanted, and ``3.10``, ``no`` and ``on`` survive where they are not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from converter.engine.recipe.mistakes import Mistake, Place
from converter.model.files import unreadable

# libyaml is 20 times faster than PyYAML's own parser, and has the same marks.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: A recipe has about 6 levels; libyaml's composer recurses in C and would overflow its stack.
_MAX_DEPTH = 40

#: Values when aliases are written out: some 10,000 models with all their keys.
_MAX_VALUES = 500_000

#: Characters of one value or key; no path is longer, and no number needs so many.
_MAX_TEXT = 4096

#: Unicode's categories of what has no place in a name, a path or a number: control characters,
#: halves of characters, and what begins a new line.
_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")

_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
_OTHER_TAGS = ("tag:yaml.org,2002:binary", "tag:yaml.org,2002:set", "tag:yaml.org,2002:omap")


#: What stands in ``Document.data`` for a value that a mistake is already known of. No schema takes
#: it, so that nothing is concluded from its absence.
UNREADABLE = object()


@dataclass
class Document:
    """``data`` is the content of the file at ``path``; messages call it ``name``.

    ``data`` is None where the file is not YAML, or not to be read whole.
    """

    path: Path
    name: str
    data: Any = None
    root: yaml.Node | None = None
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: Sequence[str | int] = (), *, key: bool = False) -> Place:
        """Where the value at ``path``, or its key, stands; else the nearest thing around it."""
        node, at = self.root, self.root
        for step in path:
            found = self._step(node, step)
            if found is None:
                break
            at, node = found if key else (found[1], found[1])
        return self._place(at) if at is not None else Place(self.name, 1, 1)

    def _step(self, node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            items = node.value
            return (items[step], items[step]) if step < len(items) else None
        if isinstance(node, yaml.MappingNode):
            pairs = _pairs(node)
            return next(((k, v) for k, v in pairs if k.value == str(step)), None)
        return None

    def _place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self.name, mark.line + 1, mark.column + 1)


def read_document(path: Path, name: str) -> Document:
    """Read ``path``. What is wrong with it as YAML is in ``mistakes``.

    Raises ``InputError`` when the file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    document = Document(path, name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        document.mistakes.append(
            Mistake(Place(name, before.count(b"\n") + 1, column), "not UTF-8", "save it as UTF-8")
        )
        return document
    try:
        _limit_depth(text, name)
        document.root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        document.mistakes.append(_syntax(error, text, name))
        return document
    except _TooDeep as error:
        document.mistakes.append(error.mistake)
        return document
    if document.root is None:
        document.mistakes.append(
            Mistake(Place(name, 1, 1), "the recipe is empty", "paddle2om recipe init writes one")
        )
        return document
    reader = _Reader(document)
    data = reader.value(document.root, 0)
    document.data = None if reader.too_much else data
    return document


class _TooDeep(Exception):
    def __init__(self, place: Place) -> None:
        self.mistake = Mistake(
            place, f"nested deeper than {_MAX_DEPTH} levels", "a recipe has about six levels"
        )


def _limit_depth(text: str, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            mark = event.start_mark
            assert mark is not None
            raise _TooDeep(Place(name, mark.line + 1, mark.column + 1))


def _syntax(error: yaml.YAMLError, text: str, name: str) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    position = getattr(error, "position", None)
    if mark is None and isinstance(position, int):  # a character that YAML does not allow
        before = text[:position]
        line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
        what = "a control character"
    lines = text.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    if "\t" in shown[: len(shown) - len(shown.lstrip())] or "'\\t'" in what:
        what, hint = "a tab: YAML is indented with spaces", "replace the tab by spaces"
    elif "expected a single document" in (what + str(getattr(error, "context", ""))):
        what, hint = "a second YAML document", "remove the line ---, or split the file there"
    else:
        hint = "correct that line, or the one before it"
    return Mistake(Place(name, line, column), f"not YAML: {what}", hint)


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """A mapping's own pairs, then those that ``<<`` merges into it: the first of a key counts.

    What is merged may merge others in turn. Each comes once, so that circles end.
    """
    seen: set[int] = set()
    left: list[yaml.Node] = [node]
    while left:
        at = left.pop()
        if not isinstance(at, yaml.MappingNode) or id(at) in seen:
            continue
        seen.add(id(at))
        merged: list[yaml.Node] = []
        for key, value in at.value:
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            else:
                yield key, value
        left += reversed(merged)


class _Reader:
    """Makes plain data of nodes, and notes what no recipe may have."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.left = _MAX_VALUES
        self.too_much = False

    def mistake(self, node: yaml.Node, message: str, hint: str) -> None:
        place = self.document._place(node)
        self.document.mistakes.append(Mistake(place, message, hint))

    def value(self, node: yaml.Node, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth > _MAX_DEPTH:
            if not self.too_much:
                self.too_much = True
                self.mistake(
                    node,
                    "aliases that stand for themselves, or for too many values",
                    f"a recipe holds at most {_MAX_VALUES} values",
                )
            return UNREADABLE
        if node.tag.startswith("!") or "python/" in node.tag or node.tag in _OTHER_TAGS:
            self.mistake(node, f"the tag {node.tag} means nothing here", "remove it")
            return UNREADABLE
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if node.tag == _NULL:
            return None
        return node.value if self.is_text(node) else UNREADABLE

    def is_text(self, node: yaml.Node) -> bool:
        """Whether a value or a key is text as a recipe has it; else the mistake is noted."""
        text: str = node.value
        if len(text) > _MAX_TEXT:
            told = f"a text of {len(text)} characters"
            self.mistake(node, told, f"at most {_MAX_TEXT} may stand there")
            return False
        odd = next((char for char in text if unicodedata.category(char) in _NO_TEXT), None)
        if odd is not None:
            told = f"the character U+{ord(odd):04X} is not for texts of a recipe"
            self.mistake(node, told, "remove it; in a path, ? stands for any character")
            return False
        return True

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        own: dict[str, yaml.Node] = {}
        made: dict[str, Any] = {}
        written = {id(key) for key, _ in node.value}
        for key, value in _pairs(node):
            if not isinstance(key, yaml.ScalarNode):
                self.mistake(key, "a list or mapping as a key", "keys are words")
                continue
            if not self.is_text(key):
                continue
            if key.value in own:
                self.left -= 1  # merging costs time, too
                if id(key) in written:
                    first = self.document._place(own[key.value]).line
                    self.mistake(
                        key,
                        f"{key.value} is given twice, first on line {first}",
                        "keep one of them",
                    )
                continue
            own[key.value] = key
            made[key.value] = self.value(value, depth + 1)
        return made
