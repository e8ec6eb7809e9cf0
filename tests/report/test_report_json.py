from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.comparison import ValidateFacts
from converter.model.result import SCHEMA_VERSION, RunReport
from converter.report.json_file import read_json
from tests.report.report_builders import all_ok, mixed, write_json


def test_round_trip(report: RunReport, tmp_path: Path) -> None:
    path = tmp_path / "new directory" / "report.json"
    write_json(report, path)
    # Dumped, because NaN is not equal to itself.
    assert read_json(path).model_dump_json() == report.model_dump_json()


def test_nan_and_infinity_survive_in_json_that_any_reader_accepts(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(mixed(), path)

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    metrics = [
        output
        for model in read_json(path).models
        if isinstance(facts := model.facts("validate"), ValidateFacts)
        for case in facts.cases
        for output in case.outputs
    ]
    assert any(math.isnan(output.max_abs) for output in metrics)
    assert any(math.isinf(output.max_rel) for output in metrics)


def test_overwrites_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old" * 100_000)
    write_json(all_ok(), path)
    assert read_json(path) == all_ok()
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    write_json(all_ok(), path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_json(mixed(), path)
    assert read_json(path) == all_ok()
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_json(all_ok(), tmp_path / "out" / "report.json")


def _header(**changes: object) -> str:
    return json.dumps(json.loads(all_ok().model_dump_json()) | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('{"tool": "paddle2om",', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "not a paddle2om report"),
        ('{"tool": "pytest", "schema_version": 1}', "not a paddle2om report"),
        ('{"tool": "paddle2om"}', "no valid schema_version"),
        (_header(schema_version="1"), "no valid schema_version"),
        (_header(schema_version=True), "no valid schema_version"),
        (_header(schema_version=0), "no valid schema_version"),
        (_header(schema_version=SCHEMA_VERSION + 1), "reads up to"),
        (_header(models=[{"name": "x"}]), r"models\.0\.source"),
        (_header(surprise=1), "surprise"),
    ],
)
def test_what_is_not_a_report_is_the_users_error(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_json(path)
    assert caught.value.hint


def test_a_newer_schema_names_the_version_to_upgrade_to(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(_header(schema_version=99, version="7.0", unheard_of={}))
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert "7.0" in caught.value.hint


def test_binary_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="UTF-8"):
        read_json(tmp_path / "binary")
    with pytest.raises(InputError, match="does not exist"):
        read_json(tmp_path / "missing")
    with pytest.raises(InputError, match="cannot read"):
        read_json(tmp_path)
