"""Sets values in a YAML file by splicing its text: every byte that need not change stays."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass

from converter.errors import InputError
from converter.paddlex.yaml_source import Alias, List, Mapping, Node, Scalar, YamlSource, target
from converter.paddlex.yaml_style import YamlStyle, quote_of, style_of

#: A comment behind the colon of a key whose value begins on the next line.
_COMMENT = re.compile(r"[ \t]+#[^\n\r\x85\u2028\u2029]*")

_LINE_END = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]|\Z")


@dataclass(frozen=True)
class _Splice:
    """``text[start:end]`` becomes ``new``; nothing is replaced where both are equal."""

    start: int
    end: int
    new: str


class YamlEdit:
    """Collects changes to one source; ``text()`` applies them."""

    def __init__(self, source: YamlSource) -> None:
        self.source = source
        self.style: YamlStyle = style_of(source)
        self._splices: list[_Splice] = []
        self._replaced: list[Node] = []
        # What was set in which mapping: two paths can lead to one mapping (an anchor and its
        # aliases), where the same value twice is fine and two values are not.
        self._set: dict[tuple[int, str], object] = {}
        self._inserted: list[tuple[int, int, str]] = []

    def set(
        self, path: Sequence[str], key: str, value: object, *, after: Sequence[str] = ()
    ) -> bool:
        """Give ``key`` of the mapping at ``path`` this value; False if the file says so already.

        ``value`` is a scalar, a list, or a mapping, whose keys are set one by one. A new key goes
        behind the last of the ``after`` keys that is there, or behind all others. Raises
        ``InputError`` where the file's anchors make one place stand for several.
        """
        mapping = self.source.mapping_at(path)
        return self._set_in(mapping, key, value, after, ".".join(path) or "the top level")

    def text(self) -> str:
        """The new text."""
        splices = [*self._splices, *self._moved_anchors()]
        # At one place the innermost mapping's keys come first: its last line is also the last line
        # of the mapping around it.
        for position, _, new in sorted(self._inserted, key=lambda item: (item[0], -item[1])):
            splices.append(_Splice(position, position, new))
        pieces, done = [], 0
        for splice in sorted(splices, key=lambda s: (s.start, s.end)):
            if splice.start < done:
                raise InputError(
                    f"{self.source.name}: line {self.source.line(splice.start)} is reached through "
                    "an anchor and cannot be edited twice",
                    hint="write the aliases (*name) of that part out",
                )
            pieces += [self.source.text[done : splice.start], splice.new]
            done = splice.end
        return "".join([*pieces, self.source.text[done:]])

    def _set_in(
        self, mapping: Mapping, key: str, value: object, after: Sequence[str], where: str
    ) -> bool:
        found = mapping.entry(key)
        inner = found[1] if found else None
        if isinstance(value, AnyMapping) and isinstance(inner, Mapping) and inner.items:
            self._refuse_conflict(mapping, key, "a mapping", where)
            changed = [
                self._set_in(inner, name, item, (), f"{where}.{key}")
                for name, item in value.items()
            ]
            return any(changed)
        if self._refuse_conflict(mapping, key, value, where):
            return True  # set already, through another path to the same mapping
        if found is None:
            self._insert(mapping, key, value, after)
            return True
        if _means(self.source, found[1], value):
            return False
        self._replace(mapping, found[0], found[1], value)
        return True

    def _refuse_conflict(self, mapping: Mapping, key: str, value: object, where: str) -> bool:
        if (id(mapping), key) not in self._set:
            self._set[id(mapping), key] = value
            return False
        before = self._set[id(mapping), key]
        if before == value and type(before) is type(value):
            return True
        raise InputError(
            f"{self.source.name}: {where} shares its settings with another part of the file "
            f"(through an anchor), which needs another {key}",
            hint="write the alias (*name) of one of them out",
        )

    def _insert(self, mapping: Mapping, key: str, value: object, after: Sequence[str]) -> None:
        behind = [pair for pair in mapping.items if _name(pair[0]) in after]
        if not behind:
            # Behind a block scalar, an insertion could end up inside or change its last lines.
            behind = [p for p in mapping.items if not _is_block_scalar(p[1])] or [*mapping.items]
        style = self.style
        if mapping.flow and not mapping.items:
            position = mapping.start + 1
            lead = ", " if any(at == position for at, _, _ in self._inserted) else ""
            self._insert_text(mapping, position, f"{lead}{key}: {style.scalar(value)}")
            return
        name, last = behind[-1]
        quote = quote_of(name)
        if mapping.flow:
            pair = f"{style.key(key, quote)}: {style.scalar(value, quote)}"
            on_lines = _LINE_END.search(self.source.text, mapping.start, mapping.items[0][0].begin)
            lead = f",{style.newline}{' ' * name.column}" if on_lines and on_lines[0] else ", "
            self._insert_text(mapping, last.end, lead + pair)
            return
        lines = style.block(key, value, mapping.column, quote)
        self._insert_text(
            mapping, self._line_end(last.end), "".join(f"{style.newline}{line}" for line in lines)
        )

    def _insert_text(self, mapping: Mapping, position: int, text: str) -> None:
        self._inserted.append((position, mapping.column, text))

    def _replace(self, mapping: Mapping, name: Scalar, old: Node, value: object) -> None:
        quote = quote_of(old) or (quote_of(name) if mapping.flow else "")
        new = self.style.scalar(value, quote)
        if isinstance(old, List | Mapping) and self._is_shared(old):
            raise InputError(
                f"{self.source.name}: &{old.anchor} in line {self.source.line(old.begin)} is used "
                f"elsewhere, but {name.value} has to change",
                hint=f"write the aliases (*{old.anchor}) out",
            )
        start, end = old.start, old.end
        if isinstance(old, Scalar) and "!" in self.source.text[old.begin : old.start]:
            start = old.begin  # a tag would say what the new value is
        shared = isinstance(old, Scalar) and self._is_shared(old)
        if shared:
            start = old.begin  # the anchor moves to the first alias that stays
            self._replaced.append(old)
        elif isinstance(old, Alias):
            self._replaced.append(old)
        comment = None
        if not isinstance(old, Scalar | Alias) and not old.flow:
            start = _behind_colon(self.source.text, name.end)
            comment = _COMMENT.search(self.source.text, start, self._line_end(start))
        lead = ""
        if start == end or self.source.text[start - 1] == ":":
            # No value, of which the colon may be missing too: {model_dir}.
            lead = " " if ":" in self.source.text[name.end : start] else ": "
        if comment is None:
            self._splices.append(_Splice(start, end, lead + new))
        else:  # it stays, behind the value that takes the place of the block
            self._splices.append(_Splice(start, comment.start(), lead + new))
            self._splices.append(_Splice(comment.end(), end, ""))

    def _line_end(self, position: int) -> int:
        found = _LINE_END.search(self.source.text, position)
        assert found is not None
        return found.start()

    def _is_shared(self, node: Node) -> bool:
        return any(alias.target is node for alias in self.source.aliases)

    def _moved_anchors(self) -> list[_Splice]:
        moved = []
        for node in self._replaced:
            if isinstance(node, Alias):
                continue
            stays = [
                alias
                for alias in self.source.aliases
                if alias.target is node and alias not in self._replaced
            ]
            if stays:
                first = stays[0]
                content = self.source.text[node.begin : node.end]
                moved.append(_Splice(first.start, first.end, content))
        return moved


def _name(node: Node) -> str | None:
    return node.value if isinstance(node, Scalar) else None


def _is_block_scalar(node: Node) -> bool:
    return isinstance(node, Scalar) and node.style in ("|", ">")


def _behind_colon(text: str, position: int) -> int:
    return text.index(":", position) + 1


def _means(source: YamlSource, node: Node, value: object) -> bool:
    """Whether the node already has this value, of this type."""
    import yaml

    inner = target(node)
    if isinstance(inner, Scalar):
        tagged = source.text[inner.begin : inner.start].rpartition("!")[1]
        if inner.style or tagged:
            return isinstance(value, str) and inner.value == value and not tagged
        read = yaml.safe_load(inner.value) if inner.value else None
        return type(read) is type(value) and bool(read == value)
    if isinstance(inner, List) and isinstance(value, list):
        return len(inner.items) == len(value) and all(
            _means(source, item, wanted) for item, wanted in zip(inner.items, value, strict=True)
        )
    return False
