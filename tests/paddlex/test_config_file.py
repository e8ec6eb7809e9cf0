from __future__ import annotations

from pathlib import Path

import pytest

from converter.errors import InputError
from converter.paddlex.config_file import write_config


def test_writes_and_replaces_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ocr.yaml"
    write_config(path, "a: 1\n")
    write_config(path, "a: 2\n")
    assert path.read_text().splitlines()[1:] == ["a: 2"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: "a: 1\n", "was not made by paddle2om"),
        (lambda text: "", "was not made by paddle2om"),
        (lambda text: text + "b: 2\n", "has been edited"),
    ],
)
def test_never_overwrites_someones_work(tmp_path: Path, edit: object, message: str) -> None:
    path = tmp_path / "ocr.yaml"
    write_config(path, "a: 1\n")
    path.write_text(edit(path.read_text()))  # type: ignore[operator]
    before = path.read_text()
    with pytest.raises(InputError, match=message) as caught:
        write_config(path, "a: 2\n")
    assert "--force" in caught.value.hint
    assert path.read_text() == before
    write_config(path, "a: 2\n", force=True)
    assert path.read_text().endswith("a: 2\n")


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        write_config(tmp_path, "a: 1\n", force=True)


def test_an_unwritable_place_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_config(tmp_path / "file" / "ocr.yaml", "a: 1\n")
