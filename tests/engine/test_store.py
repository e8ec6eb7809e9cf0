"""What travels between machines: whole, mended where it was damaged, and nowhere by mistake."""

import asyncio
import json
import pickle
import shutil
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from converter.engine import dask_executor, dask_worker, store
from converter.engine.cache.digests import Digests
from converter.engine.cache.entries import Entry, KeptFile
from converter.engine.cache.store import Cache
from converter.engine.store import Store, check_parcels
from converter.errors import InputError, WorkerError
from converter.model.result import StageResult, Status
from tests.engine.building import LIMIT, build, finish, start, task


def test_a_store_that_is_none_is_told(tmp_path):
    with pytest.raises(InputError, match="is no store"):
        Store("nothing://here")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be used") as raised:
        Store(str(tmp_path / "file" / "store")).check()
    assert raised.value.hint


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("", "s3://bucket/prefix"),
        ("file://tmp/store", "file:///tmp/store"),
        ("s3:/bucket/store", "s3://bucket/store"),
        ("s3:bucket/store", "s3://bucket/store"),
    ],
)
def test_a_url_that_fsspec_would_take_for_a_path_of_the_current_directory(url, right):
    with pytest.raises(InputError, match="is no store") as raised:
        Store(url)
    assert right in raised.value.hint


@pytest.mark.parametrize("text", ["store", "./store", "file:{}/store", "file://{}/store"])
def test_a_path_is_the_same_for_workers_that_run_elsewhere(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    url = Store(text.format(tmp_path)).url
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Store(url).put("objects/x", Path(__file__))
    assert (tmp_path / "store" / "objects" / "x").is_file()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_worker_that_sees_another_directory_is_told(tmp_path):
    ours, theirs = Store(str(tmp_path / "ours")), Store(str(tmp_path / "theirs"))
    with ours.sample() as name:
        ours.check(name)
        with pytest.raises(InputError, match="is not seen here"):
            theirs.check(name)
        found = asyncio.run(dask_worker.what_it_is("/out", theirs.url, name))
    assert not list((tmp_path / "ours").iterdir())
    message, hint = dask_executor.unfit(dask_worker.versions_here(), found, "/out")
    assert f"{tmp_path}/theirs cannot be used" in message
    assert hint.endswith("on that machine")


def test_a_store_that_does_not_answer_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_ANSWER", 0.1)
    hanging = Store(str(tmp_path / "store"))
    monkeypatch.setattr(hanging, "leave_sample", lambda: time.sleep(1))
    with pytest.raises(InputError, match=r"no answer in 0 s"):
        hanging.check()


def test_a_damaged_store_is_noticed(tmp_path):
    opened = Store(str(tmp_path / "store"))
    files = {name: tmp_path / name for name in ("w", "v")}
    for name, path in files.items():
        path.write_text(f"12345{name}")
    digests = opened.put_files(files, Digests(None))
    opened.get_files(digests, tmp_path / "out")
    assert (tmp_path / "out" / "w").read_bytes() == b"12345w"
    for name in files:
        (tmp_path / "store" / "objects" / digests[name]).write_bytes(b"12345x")
    with pytest.raises(WorkerError, match="lost or damaged w, v"):
        opened.get_files(digests, tmp_path / "out")
    opened.put_files(files, Digests(None))  # both are sent again
    opened.get_files(digests, tmp_path / "out")


def test_a_model_file_that_was_cut_short_is_sent_again(tmp_path):
    opened = Store(str(tmp_path / "store"))
    (tmp_path / "w").write_bytes(b"12345")
    digests = opened.put_files({"w": tmp_path / "w"}, Digests(None))
    (tmp_path / "store" / "objects" / digests["w"]).write_bytes(b"12")
    opened.put_files({"w": tmp_path / "w"}, Digests(None))
    opened.get_files(digests, tmp_path / "out")


def test_a_damaged_result_is_replaced_by_the_next_one(tmp_path):
    """It was left where it was, and every later build ended with it."""
    opened = Store(str(tmp_path / "store"))
    (tmp_path / "model.onnx").write_bytes(b"12345")
    worker = Cache.open(tmp_path / "worker")
    digest = worker.objects.put(tmp_path / "model.onnx")
    kept = KeptFile(name="model.onnx", path="model.onnx", sha256=digest, bytes=5)
    result = StageResult(stage="export", status=Status.OK)
    worker.entries.write("ab" * 32, Entry(stage="export", result=result, files=(kept,)))
    opened.push(worker, ["ab" * 32])
    (tmp_path / "store" / "objects" / digest).write_bytes(b"1234x")

    for name, whole in (("another", False), ("third", True)):
        cache = Cache.open(tmp_path / name)
        opened.pull(cache, ["ab" * 32])
        assert cache.objects.is_sound(digest) is whole
        opened.push(worker, ["ab" * 32])


def test_a_server_that_restarts_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_PAUSE", 0.0)
    (tmp_path / "w").write_bytes(b"12345")
    opened = Store("memory://restarts")
    kind = type(opened._fs)
    put, calls = kind.put_file, []

    def refused_twice(self, *words, **more):
        calls.append(self)
        if len(calls) < 3:
            raise ConnectionRefusedError("nobody listens")
        return put(self, *words, **more)

    monkeypatch.setattr(kind, "put_file", refused_twice)
    digests = opened.put_files({"w": tmp_path / "w"}, Digests(None))
    opened.get_files(digests, tmp_path / "out")
    assert len(calls) == 3
    assert calls[0] is not calls[1]  # a connection that broke is not used again


def refusing(opened, error, monkeypatch):
    """Has the store's file system raise ``error``; a list with an element for each call."""
    calls = []

    def refused(*_, **__):
        calls.append(0)
        raise error

    monkeypatch.setattr(type(opened._fs), "info", refused)
    return calls


def test_a_server_that_stays_away_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_PAUSE", 0.01)
    monkeypatch.setattr(store, "_PATIENCE", 0.1)
    opened = Store("memory://me:secret@away")
    calls = refusing(opened, ConnectionRefusedError("no memory://me:secret@away"), monkeypatch)
    with pytest.raises(WorkerError, match=r"memory://me:\*\*\*@away failed") as raised:
        opened.put("objects/x", tmp_path)
    assert "secret" not in raised.value.message
    assert len(calls) > 1


def test_a_refusal_is_not_tried_again(tmp_path, monkeypatch):
    opened = Store("memory://refuses")
    calls = refusing(opened, PermissionError("forbidden"), monkeypatch)
    with pytest.raises(WorkerError, match="forbidden"):
        opened.put("objects/x", tmp_path)
    assert len(calls) == 1


def test_what_could_not_be_sent_leaves_nothing_half_written(tmp_path, monkeypatch):
    opened = Store(str(tmp_path / "store"))
    (tmp_path / "w").write_bytes(b"12345")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(opened._fs), "mv", full)
    with pytest.raises(WorkerError, match="No space left"):
        opened.put("objects/x", tmp_path / "w")
    assert not list((tmp_path / "store" / "objects").iterdir())


def test_a_store_that_fails_later_is_told(tmp_path):
    opened = Store(str(tmp_path / "store"))
    opened.check()
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").write_bytes(b"")  # no directory any more
    with pytest.raises(WorkerError, match=r"the store .* failed") as raised:
        opened.put("objects/x", tmp_path / "store")
    sent = pickle.loads(pickle.dumps(raised.value))  # as from a worker
    assert (sent.message, sent.hint) == (raised.value.message, "run the build again")


def test_a_store_that_is_gone_is_not_asked_for_every_model(tmp_path, monkeypatch):
    executor = dask_executor.DaskExecutor(Mock(), Store(str(tmp_path / "store")))
    asked = []

    def fails(*_):
        asked.append(0)
        raise WorkerError("the store failed", hint="run the build again")

    monkeypatch.setattr(dask_executor, "parcel", fails)
    rows = [executor._sent(task(), tmp_path, Digests(None)) for _ in range(3)]
    errors = [row.stages[0].error for row in rows]
    assert {(error.message, error.hint) for error in errors} == {
        ("the store failed", "run the build again")
    }
    assert len(asked) == 1


@pytest.mark.slow
def test_a_build_whose_store_goes_away_says_why(tmp_path, cls_model):
    for number in range(6):
        shutil.copytree(cls_model, tmp_path / "models" / f"c{number}")
    (tmp_path / "zoo.yaml").write_text("schema: 1\nmodels: [{path: models/*}]\n")
    flags = ("--scheduler", "local:1", "--store", "store", "--cache", "cache")
    process = start(tmp_path, "out", *flags)
    end = time.monotonic() + LIMIT
    while not list((tmp_path / "store").glob("entries/*")):  # the first model is done
        assert time.monotonic() < end
        time.sleep(0.02)
    (tmp_path / "store").rename(tmp_path / "gone")
    (tmp_path / "store").write_bytes(b"")

    code, said = finish(process)

    assert code == 4, said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    lost = [m["stages"][0]["error"] for m in report["models"] if m["status"] == "crashed"]
    assert len(lost) >= 4
    for error in lost:  # in words that depend on what each was about to do
        assert "store" in error["message"]
        assert error["hint"].startswith("run the build again")


@pytest.mark.slow
def test_a_password_in_the_address_is_in_no_report(tmp_path, tiny_pir):
    shutil.copytree(tiny_pir, tmp_path / "models" / "a")
    (tmp_path / "zoo.yaml").write_text("schema: 1\nmodels: [{path: models/*}]\n")
    code, said = build(tmp_path, "out", "--cache", "cache")
    assert code == 0, said
    flags = ("--scheduler", "local:1", "--store", "memory://me:secret@host/x")

    code, said = build(tmp_path, "out", "--cache", "cache", *flags)

    assert code == 0, said
    assert "memory://me:***@host/x" in (tmp_path / "out" / "report.json").read_text()
    told = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [path for path in told if b"secret" in path.read_bytes()]


def test_options_that_name_files_do_not_travel(tmp_path):
    aipp = tmp_path / "aipp.cfg"
    aipp.write_text("")
    check_parcels([task(), task(soc="Ascend310P3")])
    with pytest.raises(InputError, match=r"names .*aipp\.cfg"):
        check_parcels([task(soc="Ascend310P3", aipp=str(aipp))])
