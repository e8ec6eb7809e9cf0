"""What a finished model leaves in its directory, and what it leaves alone."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.artefacts import (
    MANIFEST,
    check_replaceable,
    remove_ours,
    sha256_of,
    write_manifest,
)
from converter.model.result import ErrorInfo, StageResult, Status
from converter.model.task import Task
from converter.stages.job import Job
from converter.stages.publish import publish


@pytest.fixture
def finish(tmp_path):
    """Returns a function that publishes files as a job whose stages ended in a given way."""

    def finish(files: dict[str, str], failed: str | None = None) -> Path:
        work, out = tmp_path / "work", tmp_path / "out"
        work.mkdir(exist_ok=True)
        job = Job(
            Task(
                name="m",
                source="m",
                stages=("export", "validate", "compile"),
                work_dir=str(work),
                destination=str(out / "m"),
                report_root=str(out),
            )
        )
        for stage in job.task.stages:
            bad = stage == failed
            job.results[stage] = StageResult(
                stage=stage,
                status=Status.FAILED if bad else Status.OK,
                error=ErrorInfo(message="planted", hint="none", exit_code=1) if bad else None,
            )
        for name, content in files.items():
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_text(content)
            job.add_file(name, work / name, "export")
        publish(job)
        return out / "m"

    return finish


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {MANIFEST}


def test_a_file_that_is_no_longer_made_goes(finish):
    """An OM file of another ONNX model would be worse than none."""
    finish({"inference.onnx": "one", "inference.om": "om of one"})
    directory = finish({"inference.onnx": "two"})

    assert names(directory) == {"inference.onnx"}
    assert (directory / "inference.onnx").read_text() == "two"
    assert list(json.loads((directory / MANIFEST).read_text())["files"]) == ["inference.onnx"]


def test_the_disk_has_the_files_before_the_last_manifest_says_so(finish, monkeypatch):
    flushed, told = [], []

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        flushed.append(path.name)
        if path.name.startswith(f".{MANIFEST}"):
            told.append((json.loads(path.read_text())["files"], list(flushed)))

    monkeypatch.setattr(os, "fsync", fsync)
    directory = finish({"inference.onnx": "one", "parts/weights": "two"})

    assert len(told) == 1  # what a power cut takes of a new directory is made again
    files, before = told[0]
    assert [*files] == ["inference.onnx", "parts/weights"]
    assert {"inference.onnx", "weights", "m", "parts"} <= {*before}

    finish({"inference.onnx": "three"})  # the old manifest must not be lost
    assert [len(files) for files, _ in told[1:]] == [2, 1]
    assert {path.name for path in directory.iterdir()} == {"inference.onnx", MANIFEST}


def test_a_disk_that_turns_out_full_is_said_and_does_not_stand_in_the_way(finish, monkeypatch):
    with monkeypatch.context() as patched:

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            finish({"inference.onnx": "one"})

    assert (finish({"inference.onnx": "two"}) / "inference.onnx").read_text() == "two"


def test_a_file_system_without_flushing_will_do(finish, monkeypatch):
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)

    assert names(finish({"inference.onnx": "one"})) == {"inference.onnx"}


def test_a_failed_model_leaves_the_earlier_one(finish):
    finish({"inference.onnx": "good"})
    directory = finish({"inference.onnx": "bad"}, failed="validate")

    assert (directory / "inference.onnx").read_text() == "good"
    assert (directory / "rejected" / "inference.onnx").read_text() == "bad"


def test_a_failed_compile_does_not_reject_the_onnx_model(finish):
    directory = finish({"inference.onnx": "good"}, failed="compile")

    assert names(directory) == {"inference.onnx"}


def test_success_clears_what_was_rejected_but_not_a_users_files(finish):
    directory = finish({"inference.onnx": "bad"}, failed="validate")
    (directory / "rejected" / "notes.txt").write_text("mine")

    finish({"inference.onnx": "good"})

    assert names(directory / "rejected") == {"notes.txt"}
    (directory / "rejected" / "notes.txt").unlink()
    finish({"inference.onnx": "good"})
    assert names(directory) == {"inference.onnx"}


@pytest.mark.parametrize("name", ["inference.onnx", "inference.yml", "atc.sh", "inference.om"])
def test_a_file_that_is_not_ours_is_not_replaced(name, finish):
    directory = finish({name: "ours"})
    check_replaceable(directory, [name])

    (directory / name).write_text("edited")

    with pytest.raises(InputError, match=name) as refused:
        check_replaceable(directory, [name])
    assert "--force" in refused.value.hint


def test_a_users_file_under_rejected_is_not_replaced(finish):
    directory = finish({"inference.onnx": "good"})
    (directory / "rejected").mkdir()
    (directory / "rejected" / "inference.onnx").write_text("mine")

    with pytest.raises(InputError, match="not made by paddle2om"):
        finish({"inference.onnx": "bad"}, failed="validate")
    assert (directory / "rejected" / "inference.onnx").read_text() == "mine"
    assert (directory / "inference.onnx").read_text() == "good"


def test_an_om_file_that_was_put_aside_goes_with_the_next_run(finish):
    directory = finish({"inference.onnx": "good", "rejected/inference.om": "bad"}, failed="compile")
    assert (directory / "rejected" / "inference.om").read_text() == "bad"
    finish({"inference.onnx": "good", "inference.om": "good"})
    assert names(directory) == {"inference.onnx", "inference.om"}


def test_an_empty_directory_of_the_user_stays(finish):
    directory = finish({"inference.onnx": "good"})
    (directory / "rejected").mkdir()

    finish({"inference.onnx": "good"})

    assert (directory / "rejected").is_dir()


def test_a_run_killed_while_publishing_does_not_lock_the_next_one_out(finish, monkeypatch):
    finish({"inference.onnx": "one", "inference.yml": "one"})
    moved = []

    def die_at_the_second(source, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        source.replace(target)

    with monkeypatch.context() as patch:
        patch.setattr("converter.stages.publish.move_into_place", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            finish({"inference.onnx": "two", "inference.yml": "two"})

    directory = finish({"inference.onnx": "three", "inference.yml": "three"})
    assert (directory / "inference.yml").read_text() == "three"


def test_a_manifest_cannot_point_outside(tmp_path):
    inside = tmp_path / "m"
    inside.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    digests = [sha256_of(victim)]
    write_manifest(inside, {"../victim": digests, str(victim): digests})

    remove_ours(inside)

    assert victim.read_text() == "mine"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 3}', "\\udcff"])
def test_a_damaged_manifest_claims_nothing(content, tmp_path):
    (tmp_path / MANIFEST).write_text(content, errors="surrogateescape")
    (tmp_path / "inference.onnx").write_text("whose?")

    with pytest.raises(InputError):
        check_replaceable(tmp_path, ["inference.onnx"])
