"""The memo of digests: it knows a file as long as the file is as it was."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest

from converter.engine.cache.digests import Digests
from converter.model.files import signature


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def settled(tmp_path, monkeypatch):
    """A file that a memo knows, seen by a clock that is far ahead."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)
    file = tmp_path / "model"
    file.write_bytes(b"one")
    digests = Digests(tmp_path / "memo.json")
    assert digests.of(file) == digest(b"one")
    digests.save()
    return file


def test_a_file_is_known_in_a_later_run(settled):
    assert Digests(settled.parent / "memo.json").known(settled) == digest(b"one")


def test_a_file_that_was_replaced_with_its_old_times_is_read_again(settled):
    before = signature(settled)
    status = settled.stat()
    settled.write_bytes(b"two")  # as cp -p does it: in place, then the times
    os.utime(settled, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [*signature(settled)[:2], signature(settled)[3]] == [*before[:2], before[3]]

    digests = Digests(settled.parent / "memo.json")

    assert digests.known(settled) is None
    assert digests.of(settled) == digest(b"two")


def test_a_file_on_another_device_is_read_again(settled):
    """Another image mounted in the same place may have the same times and inodes."""
    memo = settled.parent / "memo.json"
    content = json.loads(memo.read_text())
    content["files"][str(settled)][0] += 1
    memo.write_text(json.dumps(content))

    assert Digests(memo).known(settled) is None


def test_a_file_whose_times_were_just_set_has_not_settled(tmp_path):
    file = tmp_path / "model"
    file.write_bytes(b"one")
    os.utime(file, (1, 1))
    digests = Digests(tmp_path / "memo.json")
    digests.of(file)
    digests.save()

    assert Digests(tmp_path / "memo.json").known(file) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"format": 2, "files": ' + b"[" * 100_000,
        b'{"format": 2, "files": []}',
        b'{"format": 2}',
        b"\xff",
    ],
)
def test_a_damaged_memo_knows_nothing_and_is_replaced(settled, content):
    memo = settled.parent / "memo.json"
    memo.write_bytes(content)

    digests = Digests(memo)

    assert digests.known(settled) is None
    digests.of(settled)
    digests.save()
    assert Digests(memo).known(settled) == digest(b"one")


def test_a_memo_of_another_version_is_not_read(settled):
    memo = settled.parent / "memo.json"
    content = json.loads(memo.read_bytes())
    memo.write_text(json.dumps(content | {"format": content["format"] - 1}))

    assert Digests(memo).known(settled) is None
