"""Files of JSON that users give: reports, manifests and baselines are read in one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter import convert
from converter.errors import InputError
from converter.model.artefacts import MANIFEST, read_manifest, read_om_input_shape
from converter.model.files import read_json_text
from converter.model.run_manifest import read_run
from converter.model.tolerance import parse_tolerances
from converter.report.baseline import read_baseline
from converter.report.json_file import read_json

READERS = (read_run, read_json, read_baseline, lambda path: read_json_text(path, hint="h"))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{bad", "is not valid JSON"),
        (b"", "is empty"),
        (b"\xff", "is not UTF-8 text"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"9" * 5000, "is not valid JSON"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_json(tmp_path: Path, read, data: bytes, words: str) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path / "a.json")
    assert caught.value.hint


@pytest.mark.parametrize("read", READERS)
def test_what_is_not_there(tmp_path: Path, read) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / "none.json")
    assert "none.json" in caught.value.message


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json_text(tmp_path / "a.json", hint="h")[1] == {"a": 1}


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (
            read_run,
            '{"tool": "paddle2om", "models": 3}',
            r"of a run: version is missing \(5 problems\)",
        ),
        (
            read_json,
            '{"tool": "paddle2om", "schema_version": 1, "seconds": "x"}',
            r"paddle2om report: \w+ is missing",
        ),
        (
            read_baseline,
            '{"tool": "paddle2om", "models": {"a": 3}}',
            r"models\.a is 3, not a mapping",
        ),
    ],
)
def test_records_that_are_not_whole(tmp_path: Path, read, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read(tmp_path / "a.json")


def test_options_that_are_wrong_are_told_in_the_same_words(tiny_pir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        convert(tiny_pir, tmp_path / "out", opset="abc")
    assert caught.value.message == "opset is 'abc', not a whole number"
    with pytest.raises(InputError) as caught:
        parse_tolerances(["y:atol=-1"])
    assert caught.value.message == "tolerance of 'y': atol is -1.0, not at least 0"


@pytest.mark.parametrize("data", [b"{bad", b"\xff", b"[" * 1000 + b"]" * 1000, b"9" * 5000])
def test_a_manifest_that_is_no_json_lists_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(data)
    assert read_manifest(tmp_path) == {}
    assert read_om_input_shape(tmp_path) is None
