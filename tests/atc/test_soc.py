"""soc_version names: known, installed, mistaken, a card's, and this host's own."""

from __future__ import annotations

import sys

import pytest

from converter.atc.soc import KNOWN, check_soc_version, chip_of_card, same_chip, soc_warning
from converter.atc.soc_detect import detect_soc, read_board, read_table, resolve_soc
from converter.errors import InputError


@pytest.fixture(autouse=True)
def no_toolkit(monkeypatch):
    for name in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def toolkit(tmp_path, monkeypatch):
    """A toolkit that has one chip of its own."""
    ini = tmp_path / "x86_64-linux" / "data" / "platform_config" / "Ascend999X.ini"
    ini.parent.mkdir(parents=True)
    ini.touch()
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(tmp_path))


def test_known_names_pass():
    assert len(KNOWN) == 89
    assert check_soc_version("Ascend310P3") == "Ascend310P3"
    assert check_soc_version("Ascend910B4-1") == "Ascend910B4-1"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("310P3", "did you mean Ascend310P3?"),
        ("ascend310p3", "did you mean Ascend310P3?"),
        (" Ascend910B4-1 ", "did you mean Ascend910B4-1?"),
        ("910b2c", "did you mean Ascend910B2C?"),
    ],
)
def test_a_name_that_is_only_spelt_otherwise_suggests_that_chip_alone(wrong, hint):
    with pytest.raises(InputError) as refused:
        check_soc_version(wrong)
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("Ascend310PЗ", "Ascend310P"),
        ("Ascend310P", "Ascend310P3"),
        ("Ascend910_93", "Ascend910_9392"),
        ("Acsend910B2", "Ascend910B2"),
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


@pytest.mark.parametrize("nonsense", ["quantum", "", "  "])
def test_nonsense_gets_the_way_to_find_out(nonsense):
    with pytest.raises(InputError) as refused:
        check_soc_version(nonsense)
    assert "npu-smi" in refused.value.hint


def test_an_installed_toolkit_is_asked_first(toolkit):
    assert check_soc_version("Ascend999X") == "Ascend999X"
    assert soc_warning("Ascend999X") is None
    assert "no Ascend310P3" in soc_warning("Ascend310P3")
    assert "Ascend999X" in soc_warning("Ascend310P3")
    with pytest.raises(InputError) as refused:
        check_soc_version("quantum")
    assert refused.value.hint == "the CANN toolkit here has Ascend999X"


@pytest.mark.parametrize(
    ("card", "chip"),
    [
        ("Atlas 300I Duo", "Ascend310P3"),
        ("huawei atlas300i-pro", "Ascend310P3"),
        ("300V Pro", "Ascend310P3"),
        ("Atlas 200I DK A2", "Ascend310B4"),
        ("Atlas 300I A2", "Ascend910B4"),
        ("Atlas 200 (3000)", "Ascend310"),
    ],
)
def test_a_cards_name(card, chip):
    assert resolve_soc(card) == chip


def test_a_card_with_several_chips():
    with pytest.raises(InputError, match="several chips") as refused:
        resolve_soc("Atlas 800T A2")
    assert "Ascend910B1, Ascend910B2, Ascend910B3" in refused.value.hint
    assert chip_of_card("Ascend310P3") is None


def test_every_card_is_of_known_chips():
    from converter.atc.soc import _table

    table = _table()
    assert {chip for chips in table["cards"].values() for chip in chips} <= KNOWN
    assert set(table["aliases"].values()) | set(table["warnings"]) <= KNOWN


def test_the_chip_an_om_file_names():
    assert same_chip("Ascend310P3", "Ascend310P3")
    assert same_chip("Ascend310P", "Ascend310P3")  # a family's name
    assert same_chip("Ascend910A", "Ascend910")
    assert not same_chip("Ascend310P1", "Ascend310P3")
    assert not same_chip("Ascend910B", "Ascend910A")


#: Layouts of npu-smi info from issues that users wrote, their other columns shortened.
DUO = """
+--------------------------------------------------------------------------------------------+
| npu-smi 25.2.0                                   Version: 25.2.0                           |
+-------------------------------+-----------------+------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages |
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)            |
+===============================+=================+==========================================+
| 2       310P3                 | OK              | NA           45                0     / 0 |
| 0       0                     | 0000:01:00.0    | 0            1529 / 44280                |
+-------------------------------+-----------------+------------------------------------------+
| 2       310P3                 | Warning         | NA           43                0     / 0 |
| 1       1                     | 0000:01:00.0    | 0            1412 / 43693                |
+===============================+=================+==========================================+
| NPU     Chip                  | Process id      | Process name                             |
+===============================+=================+==========================================+
| No running processes found in NPU 2                                                        |
+===============================+=================+==========================================+
"""
A2 = """
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B4-1             | OK            | 88.2        30                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          26838/ 32768         |
"""
A3 = """
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip  Phy-ID              | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     Ascend910           | OK            | 178.5       36                0    / 0             |
| 0     0                   | 0000:9D:00.0  | 0           0    / 0          3416 / 65536         |
+------------------------------------------------------------------------------------------------+
| 0     Ascend910           | OK            | -           36                0    / 0             |
| 1     1                   | 0000:9F:00.0  | 0           0    / 0          3195 / 65536         |
"""
BOARD = """
\tNPU ID                         : 0
\tChip ID                        : 1
\tChip Type                      : Ascend
\tChip Name                      : {chip}
\tNPU Name                       : {npu}
\tBoard ID                       : 0x30
"""


def test_the_tables_of_npu_smi():
    assert read_table(DUO) == [("2", "0", "Ascend310P3"), ("2", "1", "Ascend310P3")]
    assert read_table(A2) == [("0", "0", "Ascend910B4-1")]
    assert read_table(A3) == [("0", "0", "Ascend910"), ("0", "1", "Ascend910")]
    assert read_table("") == read_table("npu-smi: command failed") == []


@pytest.mark.parametrize(
    ("chip", "npu", "name"),
    [
        ("Ascend910", "9392", "Ascend910_9392"),
        ("Ascend950PR", "9589", "Ascend950PR_9589"),
        ("310P3", "NA", "Ascend310P3"),
        ("Ascend 910B3", "-", "Ascend910B3"),
        ("Ascend910", "Ascend910_9362", "Ascend910_9362"),
        ("Ascend910", "-", None),  # half a name
    ],
)
def test_the_board_of_npu_smi(chip, npu, name):
    assert read_board(BOARD.format(chip=chip, npu=npu)) == name


def put_npu_smi(directory, monkeypatch, table: str, board: str = "") -> None:
    directory.mkdir(exist_ok=True)
    (directory / "table").write_text(table)
    (directory / "board").write_text(board)
    tool = directory / "npu-smi"
    which = f'case "$*" in *board*) f=board;; *) f=table;; esac; cat "{directory}/$f"'
    tool.write_text(f"#!/bin/sh\n{which}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("table", "board", "name"),
    [
        (DUO, "", "Ascend310P3"),
        (A2, "", "Ascend910B4-1"),
        (A3, BOARD.format(chip="Ascend910", npu="9392"), "Ascend910_9392"),
    ],
)
def test_auto_asks_npu_smi(table, board, name, tmp_path, monkeypatch):
    put_npu_smi(tmp_path / "bin", monkeypatch, table, board)
    assert resolve_soc("auto") == name


def test_auto_with_two_kinds_of_chips(tmp_path, monkeypatch):
    put_npu_smi(tmp_path / "bin", monkeypatch, DUO + A2)
    with pytest.raises(InputError, match="Ascend310P3, Ascend910B4-1"):
        detect_soc()


def test_auto_asks_cann_where_npu_smi_knows_half(tmp_path, monkeypatch):
    put_npu_smi(tmp_path / "bin", monkeypatch, A3)
    (tmp_path / "acl.py").write_text("def get_soc_name():\n    return 'Ascend910_9381'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert detect_soc() == "Ascend910_9381"


@pytest.mark.parametrize("acl", [None, "import os; os.abort()", "raise ImportError('libascendcl')"])
def test_auto_without_a_chip(acl, tmp_path, monkeypatch):
    """A module that crashes is no crash of ours."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if acl:
        (tmp_path / "acl.py").write_text(acl)
    with pytest.raises(InputError, match="--soc auto") as refused:
        detect_soc()
    assert "--soc Ascend310P3" in refused.value.hint
    assert "acl" not in sys.modules


@pytest.mark.parametrize("on", ["ssh:npu", "container:cann", "bundle:out"])
def test_auto_is_for_this_host_alone(on):
    from converter.engine.plan import resolve_compile_options
    from converter.model.compile_options import CompileOptions

    with pytest.raises(InputError, match="--soc auto asks this host") as refused:
        resolve_compile_options(CompileOptions(soc="auto", on=on))
    assert "Ascend310P3" in refused.value.hint
