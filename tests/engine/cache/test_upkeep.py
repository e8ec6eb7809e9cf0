"""Looking after a cache: what goes, and what stays."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from converter.engine.cache.entries import Entry, KeptFile
from converter.engine.cache.store import Cache
from converter.engine.cache.upkeep import collect, info, verify
from converter.errors import InputError
from converter.model.result import StageResult, Status


@pytest.fixture
def cache(tmp_path):
    """Three results, used one, two and three days ago; the older two share a file."""
    cache = Cache.open(tmp_path / "cache")
    shared = cache.objects.put_bytes(b"s" * 10_000)
    own = cache.objects.put_bytes(b"n" * 20_000)
    for days, digest, size in ((1, own, 20_000), (2, shared, 10_000), (3, shared, 10_000)):
        files = (KeptFile(name="f", path="f", sha256=digest, bytes=size),)
        key = f"{days}" * 64
        result = StageResult(stage="export", status=Status.OK)
        cache.entries.write(key, Entry(stage="export", result=result, files=files))
        when = time.time() - days * 86400
        os.utime(cache.entries.path(key), (when, when))
    return cache


def left(cache) -> str:
    return "".join(sorted(key[0] for key in cache.entries.keys()))  # noqa: SIM118


def test_what_there_is(cache):
    found = info(cache)

    assert (found.entries, found.objects) == (3, 2)
    assert 30_000 < found.bytes < 35_000
    assert found.oldest == pytest.approx(3 * 86400, abs=60)


def test_what_was_not_used_for_long_goes_and_a_shared_file_stays(cache):
    gone = collect(cache, max_age=2.5 * 86400, dry_run=False)

    assert (gone.entries, gone.objects) == (1, 0)
    assert left(cache) == "12"
    assert info(cache).objects == 2


def test_the_least_recently_used_go_until_the_rest_fits(cache):
    gone = collect(cache, max_bytes=25_000, dry_run=False)

    assert left(cache) == "1"
    assert (gone.entries, gone.objects) == (2, 1)
    assert gone.bytes > 10_000
    assert cache.find("1" * 64) is not None


def test_what_was_used_last_stays_longest_whatever_its_size(cache):
    collect(cache, max_bytes=15_000, dry_run=False)

    assert left(cache) == ""


@pytest.mark.parametrize("gone", ["locks", "history", "entries", "objects"])
def test_a_part_of_a_cache_that_somebody_removed(cache, gone):
    shutil.rmtree(cache.root / gone)

    collect(cache, max_age=1.0, dry_run=False)

    assert left(cache) == ""


def test_a_dry_run_removes_nothing(cache):
    told = collect(cache, max_bytes=1, dry_run=True)

    assert told.entries == 3
    assert left(cache) == "123"
    assert info(cache).objects == 2


@pytest.mark.parametrize("look", [info, lambda cache: collect(cache, dry_run=False)])
def test_what_is_damaged_stays_for_verify_to_find(cache, look):
    cache.entries.path("1" * 64).write_bytes(b"?")

    look(cache)

    assert verify(cache).damaged_entries == ("1" * 64,)


@pytest.mark.parametrize("limit", [{"max_bytes": 0}, {"max_age": 0.5 * 86400}])
def test_what_is_damaged_goes_with_its_age_and_size_as_the_rest(cache, limit):
    damaged = cache.entries.path("1" * 64)
    when = damaged.stat().st_mtime
    damaged.write_bytes(b"?" * 5_000)
    os.utime(damaged, (when, when))
    (digest,) = {*cache.objects.digests()} - {
        file.sha256 for file in cache.entries.read("2" * 64).files
    }
    os.utime(cache.objects.path(digest), (when, when))
    found = info(cache)
    assert (found.entries, found.damaged) == (2, 1)
    assert found.newest == pytest.approx(2 * 86400, abs=60)
    assert found.bytes > 35_000

    gone = collect(cache, **limit, dry_run=False)

    assert (gone.entries, gone.objects, gone.kept_bytes) == (3, 2, 0)
    assert gone.bytes == found.bytes
    assert not damaged.exists()


def test_what_is_left_counts_files_that_a_build_is_about_to_name(cache):
    cache.objects.put_bytes(b"b" * 777)
    assert collect(cache, max_bytes=0, dry_run=False).kept_bytes == info(cache).bytes == 777


def test_a_result_of_a_thousand_brackets_names_no_file(cache):
    cache.entries.write_bytes("5" * 64, b"[" * 1000 + b"]" * 1000)
    assert info(cache).entries == 4


def test_a_file_that_nothing_names_yet_is_left_to_its_build(cache):
    digest = cache.objects.put_bytes(b"a build is about to name it")
    collect(cache, dry_run=False)
    assert cache.objects.is_sound(digest)

    old = time.time() - 7200
    os.utime(cache.objects.path(digest), (old, old))
    assert collect(cache, dry_run=False).objects == 1
    assert not cache.objects.is_sound(digest)


def test_verify_removes_what_is_damaged(cache):
    digest = next(iter(cache.objects.digests()))
    cache.objects.path(digest).chmod(0o644)
    cache.objects.path(digest).write_bytes(b"?")
    cache.entries.path("1" * 64).write_bytes(b"?")

    found = verify(cache)

    assert found.damaged_objects == (digest,)
    assert found.damaged_entries == ("1" * 64,)
    again = verify(cache)
    assert again.damaged_objects == again.damaged_entries == again.incomplete_entries == ()


def test_verify_finds_results_without_their_files_and_of_another_version(cache):
    (own,) = {file.sha256 for file in cache.entries.read("1" * 64).files}
    cache.objects.path(own).unlink()
    cache.entries.write_bytes("4" * 64, b'{"of": "the future"}')
    cache.entries.write_bytes("5" * 64, own.encode())  # as Paddle's outputs are named
    there = cache.objects.put_bytes(b"Paddle's outputs")
    cache.entries.write_bytes("6" * 64, there.encode())

    found = verify(cache)

    assert found.incomplete_entries == ("1" * 64, "5" * 64)
    assert found.outdated_entries == ("4" * 64,)
    assert (found.damaged_entries, found.damaged_objects) == ((), ())
    assert left(cache) == "236"


def test_what_goes_while_verify_reads_is_not_damaged(cache, monkeypatch):
    listed, keys = list(cache.objects.digests()), cache.entries.keys()
    collect(cache, max_bytes=25_000, dry_run=False)
    monkeypatch.setattr(cache.objects, "digests", lambda: iter(listed))
    monkeypatch.setattr(cache.entries, "keys", lambda: keys)

    found = verify(cache)

    assert (found.entries, found.objects) == (1, 1)
    assert (found.damaged_objects, found.incomplete_entries, found.refused) == ((), (), {})


def test_an_entry_that_goes_while_it_is_looked_at_lacks_no_file(cache, monkeypatch):
    look = cache.entries.look

    def look_and_lose(key):
        data = look(key)
        monkeypatch.setattr(cache.entries, "look", look)
        collect(cache, max_bytes=0, dry_run=False)
        return data

    monkeypatch.setattr(cache.entries, "look", look_and_lose)

    assert verify(cache).incomplete_entries == ()


@pytest.mark.parametrize("of", ["objects", "entries"])
def test_what_cannot_be_read_stays(cache, monkeypatch, of):
    from typer.testing import CliRunner

    from converter.cli.cache import cache_app
    from converter.errors import StageError

    (digest,) = {file.sha256 for file in cache.entries.read("1" * 64).files}
    path = cache.objects.path(digest) if of == "objects" else cache.entries.path("1" * 64)
    opened = Path.open

    def open_or_refuse(self, *args, **more):
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return opened(self, *args, **more)

    monkeypatch.setattr(Path, "open", open_or_refuse)
    found = verify(cache)
    ended = CliRunner().invoke(cache_app, ["verify", "--cache", str(cache.root)])

    assert found.refused == {str(path): "Permission denied"}
    assert found.damaged_objects == found.damaged_entries == found.incomplete_entries == ()
    assert path.exists()
    assert isinstance(ended.exception, StageError)
    told = f"1 file could not be read or removed: {path}: Permission denied"
    assert ended.exception.message == told
    assert "check the disk" not in ended.exception.hint


def test_a_file_with_an_unreadable_sector_is_damaged(cache, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("converter.engine.cache.objects._copy", fail)

    assert len(verify(cache).damaged_objects) == 2


def test_verify_says_what_it_found(cache, monkeypatch):
    from typer.testing import CliRunner

    from converter.cli.cache import cache_app
    from converter.errors import StageError

    runner = CliRunner()
    (own,) = {file.sha256 for file in cache.entries.read("1" * 64).files}
    cache.objects.path(own).unlink()
    cache.entries.write_bytes("4" * 64, b"{}")
    ended = runner.invoke(cache_app, ["verify", "--cache", str(cache.root)])

    assert isinstance(ended.exception, StageError)
    assert str(ended.exception) == "1 result lacked files; all of it has been removed"
    assert "removed 1 result of another version" in ended.output
    assert runner.invoke(cache_app, ["verify", "--cache", str(cache.root)]).exit_code == 0


def test_temporary_files_of_killed_writers_go_when_they_are_old(cache):
    places = [cache.root, *(cache.root / n for n in ("entries", "history", "objects", "locks"))]
    old = [place / ".name.0123abcd.tmp" for place in places]
    new = [place / ".name.4567abcd.tmp" for place in places]
    other = cache.root / "objects" / ".tmp-0123456789abcdef"  # a large object takes its time
    for path in (*old, *new, other):
        path.write_bytes(b"half")
    for path in (*old, other):
        os.utime(path, (time.time() - 3700,) * 2)

    collect(cache, dry_run=True)
    assert all(path.exists() for path in old)
    collect(cache, dry_run=False)

    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*new[:-1], other))


def test_a_home_that_no_shell_has_replaced(tmp_path, monkeypatch):
    from converter.engine.cache.store import default_directory

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PADDLE2OM_CACHE", "~/c")
    assert default_directory() == tmp_path / "c" / "results"
    monkeypatch.setenv("PADDLE2OM_CACHE", "~nosuchuser/c")
    with pytest.raises(InputError, match="no such home directory"):
        default_directory()


def test_a_directory_with_other_things_is_no_cache(tmp_path):
    (tmp_path / "mine").write_text("x")

    with pytest.raises(InputError, match="not a cache"):
        Cache.open(tmp_path)
    with pytest.raises(InputError, match="no cache"):
        Cache.existing(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_cache_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(InputError, match="cannot be written") as raised:
        Cache.open(tmp_path / "file" / "cache")

    assert "--no-cache" in raised.value.hint
