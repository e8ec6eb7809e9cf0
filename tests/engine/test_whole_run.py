"""An output directory belongs to one run from its first check to its last file."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from converter import convert
from converter.engine import run
from converter.engine.out_directory import held, whole_run
from converter.errors import InputError
from converter.model.artefacts import (
    check_replaceable,
    read_manifest,
    read_om_input_shape,
    read_placement,
    write_manifest,
)
from converter.model.result import Placement
from converter.model.run_manifest import read_run
from converter.report import run_files


def is_locked(directory: Path) -> bool:
    """Whether another process could not have it now."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_the_lock_is_held_from_the_first_check_to_the_last_file(tiny_pir, tmp_path, monkeypatch):
    """Between a run and its reports another one came, and the two took each other's for foreign."""
    out = tmp_path / "out"
    seen = []

    def watch(module, name):
        real = getattr(module, name)

        def watched(*args, **named):
            seen.append((name, is_locked(out)))
            return real(*args, **named)

        monkeypatch.setattr(module, name, watched)

    watch(run, "check_replaceable")
    watch(run_files, "write_text_atomically")
    watch(run_files, "write_manifest")
    convert(tiny_pir, out, opset=13)
    names = ["check_replaceable", "write_manifest", *["write_text_atomically"] * 2]
    assert seen == [(name, True) for name in [*names, "write_manifest"]]
    assert not is_locked(out)


def test_a_directory_held_once_is_held_to_the_end(tmp_path):
    with whole_run(tmp_path):
        assert not is_locked(tmp_path)
        for _ in range(2):
            with held(tmp_path):
                assert is_locked(tmp_path)
            assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_another_directory_and_no_directory_are_let_go_at_once(tmp_path):
    for around in (tmp_path / "other", None):
        with whole_run(around):
            with held(tmp_path):
                assert is_locked(tmp_path)
            assert not is_locked(tmp_path)


def test_a_thread_is_another_run(tmp_path):
    told = []

    def other():
        with whole_run(tmp_path):
            try:
                with held(tmp_path):
                    told.append("in")
            except InputError as error:
                told.append(error.message)

    with whole_run(tmp_path), held(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert told == [f"another paddle2om is writing to {tmp_path}"]


def test_a_refused_run_lets_the_directory_go(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    with pytest.raises(InputError, match=r"report\.html exists"):
        convert(tmp_path / "nothing", out)
    assert not is_locked(out)
    assert [path.name for path in out.iterdir()] == ["report.html"]


def test_reports_in_a_models_directory_leave_what_else_its_manifest_says(tmp_path):
    """``locate -o`` may name the directory of a model: PaddleX is to run it as before."""
    placement = Placement(backend="onnx", reason="there is no OM file")
    (tmp_path / "inference.om").write_bytes(b"om")
    write_manifest(
        tmp_path,
        {"inference.om": ["d"], "gone": ["e"]},
        om_input_shape="x:1,3,48,320",
        placement=placement,
    )
    ours = run_files.files_of_ours(tmp_path)
    run_files.write_noted(tmp_path, {"report.json": "{}"}, others=ours)
    assert read_placement(tmp_path) == placement
    assert read_om_input_shape(tmp_path) == "x:1,3,48,320"
    assert set(read_manifest(tmp_path)) == {"inference.om", "report.json"}
    check_replaceable(tmp_path, ["report.json"])


def test_reports_of_another_command_leave_how_the_run_was_made(tiny_pir, tmp_path):
    """``forecast -o`` and ``locate -o`` may name a build's directory: ``reproduce`` goes on."""
    report = convert(tiny_pir, tmp_path, opset=13)
    made = read_run(tmp_path)[0]
    ours = run_files.files_of_ours(tmp_path)
    run_files.write_noted(tmp_path, {"report.json": "{}"}, others=ours)
    assert read_run(tmp_path)[0] == made
    other = report.model_copy(update={"models": ()})  # as of a command that makes no models
    run_files.write_reports(other, tmp_path)
    assert read_run(tmp_path)[0] == made
