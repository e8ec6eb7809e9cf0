from __future__ import annotations

import importlib.metadata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.paddlex import base
from converter.paddlex.base import find_base, installed_paddlex, own_base

CONFIG = b"pipeline_name: seal\nSubModules: {}\n"


class Distribution:
    """PaddleX as pip's records tell of it."""

    version = "3.3.13"

    def __init__(self, site: Path) -> None:
        self.site = site

    def locate_file(self, path: str) -> Path:
        return self.site / path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    configs = tmp_path / "site" / "paddlex" / "configs" / "pipelines"
    configs.mkdir(parents=True)
    (configs / "seal_recognition.yaml").write_bytes(CONFIG)
    (configs / "OCR.yaml").write_bytes(b"pipeline_name: OCR\n")
    # Importing it would be noticed.
    (tmp_path / "site" / "paddlex" / "__init__.py").write_text("raise RuntimeError('imported')")
    return tmp_path / "site"


@pytest.fixture
def no_paddlex(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)


def test_a_name_is_looked_up_in_the_installed_paddlex(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution(site))
    found = find_base("seal_recognition")
    assert (found.data, found.version) == (CONFIG, "3.3.13")
    with pytest.raises(
        InputError, match=r"no pipeline Seal_recognition in PaddleX 3\.3\.13"
    ) as caught:
        find_base("Seal_recognition")
    assert caught.value.hint.startswith("did you mean seal_recognition?")


def test_a_paddlex_that_is_installed_in_place(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Distribution(tmp_path / "nowhere")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: elsewhere)
    monkeypatch.setattr("sys.path", [str(site)])
    found = installed_paddlex()
    assert found is not None and (found[0] / "OCR.yaml").is_file()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert installed_paddlex() is None


def test_without_paddlex_ocr_is_our_own(no_paddlex: None) -> None:
    assert find_base("OCR") == own_base()
    with pytest.raises(
        InputError, match="no PaddleX here to take the config of PP-StructureV3"
    ) as (caught):
        find_base("PP-StructureV3")
    for way in ("pip install", "--base-dir", "the config file itself"):
        assert way in caught.value.hint


@pytest.mark.parametrize("below", ["", "paddlex", "paddlex/configs", "paddlex/configs/pipelines"])
def test_a_directory_with_configs(site: Path, no_paddlex: None, below: str) -> None:
    assert find_base("seal_recognition", site / below).data == CONFIG
    with pytest.raises(InputError, match="no pipeline sael_recognition"):
        find_base("sael_recognition", site / below)


def test_a_directory_without_configs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pipeline configs in"):
        find_base("OCR", tmp_path)


def test_a_wheel(site: Path, tmp_path: Path, no_paddlex: None) -> None:
    wheel = tmp_path / "paddlex-3.5.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(
            site / "paddlex/configs/pipelines/OCR.yaml", "paddlex/configs/pipelines/OCR.yaml"
        )
    found = find_base("OCR", wheel)
    assert (found.data, found.version) == (b"pipeline_name: OCR\n", "3.5.0")
    with pytest.raises(InputError, match="no pipeline ocr in"):
        find_base("ocr", wheel)
    wheel.write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot be read as a wheel"):
        find_base("OCR", wheel)


def test_a_file(tmp_path: Path, no_paddlex: None) -> None:
    for name in ("my.yaml", "my.YML", "config"):
        (tmp_path / name).write_bytes(CONFIG)
        assert find_base(str(tmp_path / name)).data == CONFIG
    for name in ("none.yaml", "some/where", ""):
        with pytest.raises(InputError, match="does not exist"):
            find_base(name)
    (tmp_path / "empty.yaml").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        find_base(str(tmp_path / "empty.yaml"))
    with pytest.raises(InputError, match="is a directory"):
        (tmp_path / "d.yaml").mkdir()
        find_base(str(tmp_path / "d.yaml"))


def test_the_real_wheel_has_what_its_name_says(
    paddlex_wheel: Callable[[str], Path], no_paddlex: None
) -> None:
    found = find_base("PP-StructureV3", paddlex_wheel("3.3.13"))
    assert found.version == "3.3.13"
    assert b"pipeline_name: PP-StructureV3" in found.data


def test_our_own_config_is_a_template_of_the_package() -> None:
    assert own_base().data.startswith(b"# PaddleX's OCR pipeline")
    assert base.own_base().version is None
