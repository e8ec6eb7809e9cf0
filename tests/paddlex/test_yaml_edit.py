from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from converter.errors import InputError
from converter.paddlex.yaml_edit import YamlEdit
from converter.paddlex.yaml_source import MAX_DEPTH, read_source

HPI = {"auto_config": False, "device_id": 0}


def edited(text: str, *changes: tuple[list[str], str, Any], after: tuple[str, ...] = ()) -> str:
    """The text after these changes, which must read as the old data with them made."""
    source = read_source(text.encode(), "t.yaml")
    edit, wanted = YamlEdit(source), source.data()
    for path, key, value in changes:
        edit.set(path, key, value, after=after)
        place = wanted
        for name in path:
            place = place[name]
        if isinstance(value, dict) and isinstance(place.get(key), dict):
            place[key] |= value
        else:
            place[key] = value
    new = edit.text()
    assert yaml.safe_load(new) == wanted
    return new


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Values are replaced where they stand, whatever is around them.
        ("m:\n  k: null\n", "m:\n  k: /x\n"),
        ("m:\n  k: null  # why\n", "m:\n  k: /x  # why\n"),
        ("m:\n  k: null # a\ttab\n  b: 1\n", "m:\n  k: /x # a\ttab\n  b: 1\n"),
        ("m:\n    k:   ~   \n", "m:\n    k:   /x   \n"),
        ("m:\n  k: 'a'\n", "m:\n  k: '/x'\n"),
        ('m:\n  k: "a"\n', 'm:\n  k: "/x"\n'),
        ("m:\n  k: !!str a\n", "m:\n  k: /x\n"),
        ("m:\n  k: long\n    plain text\n  b: 1\n", "m:\n  k: /x\n  b: 1\n"),
        ("m:\n  k: |\n    text\n\n  # c\n  b: 1\n", "m:\n  k: /x\n\n  # c\n  b: 1\n"),
        ("m:\n  k:\n    - a\n    - b # c\n  b: 1\n", "m:\n  k: /x # c\n  b: 1\n"),
        ("m:\n  k: # why\n    - a # c\n    - b\n  b: 1\n", "m:\n  k: /x # why\n  b: 1\n"),
        ("m:\r\n  k:  # why\r\n    a: 1\r\n", "m:\r\n  k: /x  # why\r\n"),
        ("m:\n  k:\n    - 'a #b'\n", "m:\n  k: /x\n"),
        ("m:\n  k: ['a #b']\n", "m:\n  k: /x\n"),
        ("m: {k: null, b: 1}\n", "m: {k: /x, b: 1}\n"),
        ("m: {k: [1, 2]} # c\n", "m: {k: /x} # c\n"),
        ('{"m": {"k": null}}', '{"m": {"k": "/x"}}'),
        # Values that are not there.
        ("m:\n  k:\n  b: 1\n", "m:\n  k: /x\n  b: 1\n"),
        ("m:\n  k: # c\n", "m:\n  k: /x # c\n"),
        ("m:\n  k:", "m:\n  k: /x"),
        ("m: {k: }\n", "m: {k: /x }\n"),
        ("m: {k}\n", "m: {k: /x}\n"),
        ('m: {"k"}\n', 'm: {"k": "/x"}\n'),
        # Keys in quotes, line ends of Windows, a byte order mark, words of other languages.
        ("'m':\n  'k': null\n", "'m':\n  'k': /x\n"),
        ("m:\r\n  k: null # c\r\n  b: 1\r\n", "m:\r\n  k: /x # c\r\n  b: 1\r\n"),
        ("\ufeffm:\n  k: null\n", "\ufeffm:\n  k: /x\n"),
        ("# 模型 😀\nm:\n  k: 模型 # 😀 路径\n", "# 模型 😀\nm:\n  k: /x # 😀 路径\n"),
        ("%YAML 1.1\n---\nm:\n  k: null\n...\n", "%YAML 1.1\n---\nm:\n  k: /x\n...\n"),
        # The last of two equal keys is the one that counts.
        ("m:\n  k: 1\n  k: 2\n", "m:\n  k: 1\n  k: /x\n"),
    ],
)
def test_a_value_is_replaced(before: str, after: str) -> None:
    assert edited(before, (["m"], "k", "/x")) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("m:\n  a: 1\n", "m:\n  a: 1\n  k: 2\n"),
        ("m:\n  a: 1 # c\n  b: 1\n", "m:\n  a: 1 # c\n  k: 2\n  b: 1\n"),
        ("m:\n  b: 1\n", "m:\n  b: 1\n  k: 2\n"),
        ("m:\n      b: 1", "m:\n      b: 1\n      k: 2"),
        ("m:\r\n  a: 1\r\n", "m:\r\n  a: 1\r\n  k: 2\r\n"),
        ("m:\n  b: |+\n    text\n\n  c: 1\n", "m:\n  b: |+\n    text\n\n  c: 1\n  k: 2\n"),
        ("m:\n  b:\n    - x\n    # c\n", "m:\n  b:\n    - x\n  k: 2\n    # c\n"),
        ("m: {a: 1}\n", "m: {a: 1, k: 2}\n"),
        ("m: {a: 1,}\n", "m: {a: 1, k: 2,}\n"),
        ("m: {}\n", "m: {k: 2}\n"),
        ('{"m": {"a": 1}}', '{"m": {"a": 1, "k": 2}}'),
        ("m: {\n  a: 1, # c\n  b: 2\n}\n", "m: {\n  a: 1,\n  k: 2, # c\n  b: 2\n}\n"),
        ("'m':\n  'a': 1\n", "'m':\n  'a': 1\n  'k': 2\n"),
        ("b: &b {q: 1}\nm:\n  <<: *b\n  a: 1\n", "b: &b {q: 1}\nm:\n  <<: *b\n  a: 1\n  k: 2\n"),
    ],
)
def test_a_key_is_added(before: str, after: str) -> None:
    assert edited(before, (["m"], "k", 2), after=("a",)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "m:\n    a: 1\n    on: {x: true}\n",
            "m:\n    a: 1\n    h:\n        auto_config: false\n        device_id: 0\n"
            "    on: {x: true}\n",
        ),
        ("m: {a: 1}", "m: {a: 1, h: {auto_config: False, device_id: 0}}"),
        ("m:\n  h: null # c\n", "m:\n  h: {auto_config: False, device_id: 0} # c\n"),
        ("m:\n  h: {}\n", "m:\n  h: {auto_config: False, device_id: 0}\n"),
        (
            "m:\n  h:\n    auto_config: True # c\n    x: 1\n",
            "m:\n  h:\n    auto_config: False # c\n    x: 1\n    device_id: 0\n",
        ),
        ("m:\n  h: {x: 1}\n", "m:\n  h: {x: 1, auto_config: False, device_id: 0}\n"),
    ],
)
def test_a_mapping_is_merged_or_added(before: str, after: str) -> None:
    assert edited(before, (["m"], "h", HPI), after=("a",)) == after


def test_inner_keys_come_before_those_of_the_mapping_around_them() -> None:
    text = "m:\n  h:\n    x: 1\n"
    new = edited(text, (["m"], "b", 2), (["m"], "h", {"y": 1}))
    assert new == "m:\n  h:\n    x: 1\n    y: 1\n  b: 2\n"


def test_what_is_right_already_stays() -> None:
    text = "m: {a: 0x10, b: 'x', c: [1, 2.0], d: true, e: ~, f: 1_000}\n"
    source = read_source(text.encode(), "t.yaml")
    edit = YamlEdit(source)
    for key, value in source.data()["m"].items():
        assert not edit.set(["m"], key, value)
    assert edit.text() == text
    # Equal is not the same: True is not 1, and "1" is neither.
    assert edited("m: {a: 1}", (["m"], "a", True)) == "m: {a: True}"
    assert edited("m: {a: 1}", (["m"], "a", "1")) == 'm: {a: "1"}'


class TestAnchors:
    def test_an_alias_is_replaced_by_the_value(self) -> None:
        text = "d: &d /y\nm: {k: *d}\nn: {k: *d}\n"
        assert edited(text, (["m"], "k", "/x")) == "d: &d /y\nm: {k: /x}\nn: {k: *d}\n"

    def test_an_anchor_moves_to_the_first_alias_that_stays(self) -> None:
        text = "m: {k: &d null}\nn: {k: *d}\no: {k: *d}\np: {k: *d}\n"
        new = edited(text, (["m"], "k", "/x"), (["n"], "k", "/z"))
        assert new == "m: {k: /x}\nn: {k: /z}\no: {k: &d null}\np: {k: *d}\n"

    def test_an_anchor_that_nobody_uses_stays(self) -> None:
        assert edited("m: {k: &d null}", (["m"], "k", "/x")) == "m: {k: &d /x}"

    def test_a_shared_mapping_may_get_the_same_value_twice(self) -> None:
        text = "m: &m\n  k: null\nn: *m\n"
        source = read_source(text.encode(), "t.yaml")
        edit = YamlEdit(source)
        for name in ("m", "n"):
            edit.set([name], "k", "/x")
            edit.set([name], "h", HPI)
        assert yaml.safe_load(edit.text())["n"] == {"k": "/x", "h": HPI}

    def test_a_shared_mapping_cannot_get_two_values(self) -> None:
        edit = YamlEdit(read_source(b"m: &m\n  k: null\nn: *m\n", "t.yaml"))
        edit.set(["m"], "k", "/x")
        with pytest.raises(InputError, match="shares its settings") as caught:
            edit.set(["n"], "k", "/y")
        assert "write the alias" in caught.value.hint

    def test_a_shared_list_is_not_replaced(self) -> None:
        edit = YamlEdit(read_source(b"m: {k: &l [1]}\nn: {k: *l}\n", "t.yaml"))
        with pytest.raises(InputError, match="is used elsewhere"):
            edit.set(["m"], "k", "/x")

    def test_an_aliased_mapping_is_replaced_as_a_whole(self) -> None:
        text = "h: &h {x: 1}\nm:\n  h: *h\n"
        edit = YamlEdit(read_source(text.encode(), "t.yaml"))
        edit.set(["m"], "h", {"x": 1, "y": 2})
        assert edit.text() == "h: &h {x: 1}\nm:\n  h: {x: 1, y: 2}\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"- a\n", "holds no keys"),
        (b"text", "holds no keys"),
        (b"a: [", "is not YAML"),
        (b"a: 1\n---\nb: 1\n", "several YAML documents"),
        (b"a: *b\n", "stands for nothing|is not YAML"),
        (b"a: &a [*a]\n", "stands for nothing"),
        (b"a: \xff\n", "is not UTF-8"),
        (b"a: !!int x\n", "is not YAML"),
        (b"a: !!python/object:os.system x\n", "is not YAML"),
        (b"a: 2020-99-99\n", "is not YAML"),
        (b"? [1]\n: 2\n", "is not YAML"),
        (b"[" * (MAX_DEPTH + 2), "nests deeper"),
        (b"a: \x00\n", "is not YAML"),
        (
            b"a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + b"".join(
                f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n".encode()
                for i in range(6)
            ),
            "more than 100000 values",
        ),
    ],
)
def test_what_is_no_config_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_source(data, "t.yaml")


def test_a_merged_part_cannot_be_edited() -> None:
    source = read_source(b"b: &b {m: {k: 1}}\nc:\n  <<: *b\n", "t.yaml")
    with pytest.raises(InputError, match="comes from a merge"):
        YamlEdit(source).set(["c", "m"], "k", 2)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.sampled_from("xyz"), st.integers() | st.text(max_size=5), max_size=3),
)
TREES = st.dictionaries(
    st.text("abm_ä'\"#: ", min_size=1, max_size=5),
    st.recursive(
        VALUES, lambda inner: st.dictionaries(st.text("abcm", min_size=1), inner, max_size=3)
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    around=TREES,
    module=TREES,
    key=st.sampled_from(["a", "b", "model_dir"]),
    value=VALUES,
    flow=st.sampled_from([True, False, None]),
    style=st.sampled_from([None, '"', "'"]),
    windows=st.booleans(),
    last_line=st.booleans(),
    indent=st.integers(2, 6),
)
@example({}, {}, "a", {}, None, None, False, False, 2)
def test_any_edit_means_what_it_should_and_stays_in_its_place(
    around: dict[str, Any],
    module: dict[str, Any],
    key: str,
    value: Any,
    flow: bool | None,
    style: str | None,
    windows: bool,
    last_line: bool,
    indent: int,
) -> None:
    """However PyYAML writes a tree: the new text reads right, and begins and ends as the old."""
    tree = {**around, "module": module, "last": 1}
    text = yaml.safe_dump(
        tree,
        default_flow_style=flow,
        default_style=style,
        allow_unicode=True,
        indent=indent,
        line_break="\r\n" if windows else "\n",
        sort_keys=False,
    )
    text = text if last_line else text.rstrip("\r\n")
    new = edited(text, (["module"], key, value))
    source = read_source(text.encode(), "t.yaml")
    node = source.mapping_at(["module"])
    assert new.startswith(text[: node.start])
    assert new.endswith(text[node.end :])
    if key not in module and not isinstance(value, dict):
        assert set(text.splitlines(keepends=True)[:-1]) <= set(new.splitlines(keepends=True)) or (
            node.flow or not module
        )
    if source.data()["module"].get(key, ...) == value and not isinstance(value, dict):
        assert edited(new, (["module"], key, value)) == new
