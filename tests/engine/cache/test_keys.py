"""Keys: they change with what a result depends on, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import converter
from converter.engine.cache.keys import differences, digest_of_files, stage_keys
from converter.model.compile_options import CompileOptions
from converter.model.task import ConvertOptions, Task
from converter.resources import template_dir
from converter.stages.pipeline import STAGES, stages_named

INPUTS = {"inference.json": "a" * 64, "inference.pdiparams": "b" * 64}


def keys(inputs=INPUTS, *, name="m", compile=None, **options):
    task = Task(
        name=name,
        source="/models/m",
        stages=STAGES,
        work_dir="/w",
        destination="/d",
        report_root="/r",
        options=ConvertOptions(compile=CompileOptions(**(compile or {})), **options),
    )
    return stage_keys(task, stages_named(STAGES), inputs)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"opset": 13}, {"export", "simplify", "validate", "compile"}),
        ({"simplify": False}, {"simplify", "validate", "compile"}),
        ({"atol": 1e-3}, {"validate"}),
        ({"min_agreement": 1.0}, {"validate"}),
        ({"seed": 1}, {"simplify", "validate", "compile"}),
        ({"compile": {"soc": "Ascend310P3"}}, {"compile"}),
        ({"threads": 2, "timeout": 5.0, "memory": 1 << 30}, set()),
        ({"name": "other"}, set()),
    ],
)
def test_an_option_changes_the_stages_that_read_it_and_those_after(change, changed):
    before, after = keys(), keys(**change)

    assert {stage for stage in STAGES if before[stage].text != after[stage].text} == changed


def test_a_changed_file_changes_all():
    after = keys({**INPUTS, "inference.pdiparams": "c" * 64})

    assert all(keys()[stage].text != after[stage].text for stage in STAGES)
    assert differences(keys()["inspect"].parts, after["inspect"].parts) == [
        "input inference.pdiparams changed"
    ]


def test_what_differs_is_told_in_words():
    before, after = keys()["export"].parts, dict(keys(opset=13)["export"].parts)
    after["tool paddle2onnx"] = "3.0"

    assert differences(before, after) == [
        "option opset 11 → 13",
        f"tool paddle2onnx {before['tool paddle2onnx']} → 3.0",
    ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"soc": "Ascend310P3"}, ["soc Ascend310P3 (was none)"]),
        ({"soc": "Ascend310P3"}, {}, ["soc Ascend310P3 → none"]),
        (
            {"soc": "Ascend310P3"},
            {"soc": "Ascend910B3", "shapes": {"x": [1, 3, 32, 32]}},
            ['shapes {"x": [1, 3, 32, 32]} (was none)', "soc Ascend310P3 → Ascend910B3"],
        ),
    ],
)
def test_of_how_to_compile_only_what_differs_is_told(before, after, told):
    old, new = keys(compile=before)["compile"].parts, keys(compile=after)["compile"].parts
    assert differences(old, new) == told


def test_another_toolkit_for_the_same_chip_is_told():
    before = keys(compile={"soc": "Ascend310P3"})["compile"].parts
    assert differences(before, before | {"outside toolkit": "b", "outside ASCEND_X": "1"}) == [
        "outside ASCEND_X is new",
        "outside toolkit changed",
    ]


@pytest.mark.parametrize(
    ("changed", "rooms"),
    [
        ("package/atc/check.py", {"atc"}),
        ("package/atc/data/soc.json", {"atc"}),
        ("package/errors.py", {"atc", "bridge", "templates/atc.sh.j2"}),
        ("templates/atc.sh.j2", {"templates/atc.sh.j2"}),
        ("templates/report.html.j2", set()),
        ("package/atc/__pycache__/check.cpython-311.pyc", set()),
    ],
)
def test_code_tables_and_templates_count(changed, rooms, tmp_path):
    def digests():
        every = ("atc", "bridge", "templates/atc.sh.j2")
        return {r: digest_of_files(tmp_path / "package", tmp_path / "templates", r) for r in every}

    for name in (changed, "package/atc/check.py", "package/bridge/a.py", "templates/atc.sh.j2"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    before = digests()
    (tmp_path / changed).write_text("after")

    assert {room for room, digest in digests().items() if digest != before[room]} == rooms


def test_what_pictures_are_read_with_counts():
    for stage in ("simplify", "validate"):
        assert {"tool opencv-python", "tool pillow"} <= keys()[stage].parts.keys()


def test_every_room_of_a_stage_is_there():
    """A name with a slip would give the digest of nothing."""
    for stage in stages_named(STAGES):
        for room in stage.rooms:
            parts = room.partition("/")
            path = template_dir() / parts[2] if parts[1] else Path(converter.__file__).parent / room
            assert path.exists(), room


def test_a_script_names_its_model():
    soc = {"soc": "Ascend310P3"}

    assert keys(compile=soc)["compile"].text != keys(compile=soc, name="n")["compile"].text


def test_a_file_that_an_option_names_counts_by_its_content(tmp_path):
    aipp = tmp_path / "aipp.cfg"
    told = []
    for text in ("one", "two"):
        aipp.write_text(text)
        told.append(keys(compile={"soc": "Ascend310P3", "aipp": str(aipp)})["compile"].text)

    assert told[0] != told[1]


def test_another_atc_is_another_result(tmp_path, monkeypatch):
    soc = {"soc": "Ascend310P3"}
    without = keys(compile=soc)["compile"].text
    atc = tmp_path / "atc"
    atc.write_text("#!/bin/sh\n")
    atc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert keys(compile=soc)["compile"].text != without


#: The files of toolkits before CANN 8.5 and from then on, and of operators; atc is a link there.
INSTALLED = (
    "version.cfg",
    "compiler/version.info",
    "opp/version.info",
    "x86_64-linux/ascend_toolkit_install.info",
    "share/info/opp/version.info",
    "opp/vendors/config.ini",
)


@pytest.fixture
def toolkit(tmp_path, monkeypatch):
    """A stand-in of a toolkit, with atc on PATH."""
    home = tmp_path / "toolkit"
    for name in INSTALLED:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("Version=8.0\n")
    atc = home / "x86_64-linux" / "bin" / "atc"
    atc.parent.mkdir()
    atc.write_text("#!/bin/sh\n")
    atc.chmod(0o755)
    (home / "bin").symlink_to("x86_64-linux/bin")
    monkeypatch.setenv("PATH", str(home / "bin"), prepend=":")
    return home


@pytest.mark.parametrize("name", INSTALLED)
def test_an_update_of_the_toolkit_that_leaves_atc_as_it_was_is_another_result(name, toolkit):
    soc = {"soc": "Ascend310P3"}
    before = keys(compile=soc)
    assert keys(compile=soc)["compile"].text == before["compile"].text

    (toolkit / name).write_text("Version=8.1\n")

    after = keys(compile=soc)
    assert differences(before["compile"].parts, after["compile"].parts) == [
        "outside toolkit changed"
    ]
    assert after["validate"].text == before["validate"].text


def test_operators_elsewhere_count_too(toolkit, tmp_path, monkeypatch):
    monkeypatch.setenv("ASCEND_OPP_PATH", str(tmp_path / "opp"))
    before = keys(compile={"soc": "Ascend310P3"})["compile"].text
    (tmp_path / "opp").mkdir()
    (tmp_path / "opp" / "version.info").write_text("Version=8.1\n")

    assert keys(compile={"soc": "Ascend310P3"})["compile"].text != before


def test_what_runs_elsewhere_is_not_kept():
    made = keys(compile={"soc": "Ascend310P3", "on": "ssh:builder"})

    assert made["compile"] is None
    assert made["validate"] is not None


def test_without_files_there_is_no_key():
    assert set(keys({}).values()) == {None}
