"""What a model in an output directory may be called."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.engine.plan import unique_names
from converter.errors import InputError
from converter.model.names import RESERVED, check_model_name


@pytest.mark.parametrize("name", ["det", "文 字: det", ".hidden", "x" * 200, "字" * 66])
def test_names(name: str) -> None:
    check_model_name(name)


@pytest.mark.parametrize(
    "name",
    [*RESERVED, "", ".", "..", "a/b", "a\nb", "a\tb", "a\0b", "a\u2028b", "x" * 201, "字" * 67],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a model") as caught:
        check_model_name(name)
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["x" * 230, "a\nb"])
def test_directories_that_no_model_may_be_called_after(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="cannot be the name of a model"):
        unique_names([tmp_path / name])


def test_a_directory_called_as_a_file_of_ours_gets_its_parents_name(tmp_path: Path) -> None:
    (tmp_path / "zoo" / "paddle2om.manifest.json").mkdir(parents=True)
    names = unique_names([tmp_path / "zoo" / "paddle2om.manifest.json"])
    assert names == ["zoo_paddle2om.manifest.json"]
