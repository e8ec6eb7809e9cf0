"""soc_version names: known, installed, and mistaken ones."""

from __future__ import annotations

import pytest

from converter.atc.soc import KNOWN, check_soc_version, soc_warning
from converter.errors import InputError


@pytest.fixture(autouse=True)
def no_toolkit(monkeypatch):
    for name in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)


def test_known_names_pass():
    assert len(KNOWN) == 89
    assert check_soc_version("Ascend310P3") == "Ascend310P3"
    assert check_soc_version("Ascend910B4-1") == "Ascend910B4-1"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("310P3", "Ascend310P3"),
        ("ascend310p3", "Ascend310P3"),
        ("Ascend310PЗ", "Ascend310P"),
        ("Ascend310P", "Ascend310P3"),
        ("Ascend910_93", "Ascend910_9392"),
    ],
)
def test_a_wrong_name_gets_a_suggestion(wrong, meant):
    with pytest.raises(InputError) as refused:
        check_soc_version(wrong)
    assert meant in refused.value.hint


def test_a_name_that_means_another_chip_has_a_warning():
    check_soc_version("Ascend910B")
    assert "first-generation" in soc_warning("Ascend910B")
    assert "Ascend910B1" in soc_warning("Ascend910B")
    assert [soc for soc in KNOWN if soc_warning(soc)] == ["Ascend910B"]


def test_nonsense_gets_the_way_to_find_out():
    with pytest.raises(InputError) as refused:
        check_soc_version("quantum")
    assert "npu-smi" in refused.value.hint


def test_an_installed_toolkit_is_asked_first(tmp_path, monkeypatch):
    ini = tmp_path / "x86_64-linux" / "data" / "platform_config" / "Ascend999X.ini"
    ini.parent.mkdir(parents=True)
    ini.touch()
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(tmp_path))

    assert check_soc_version("Ascend999X") == "Ascend999X"
