"""Objects: what is read is what was put in, or nothing."""

from __future__ import annotations

import hashlib

import pytest

from converter.engine.cache.objects import TEMPORARY, BadObject, ObjectStore


@pytest.fixture
def store(tmp_path):
    return ObjectStore(tmp_path / "objects")


def test_out_comes_what_went_in(store, tmp_path):
    source = tmp_path / "model"
    source.write_bytes(b"x" * 3_000_000)

    digest = store.put(source)
    store.fetch(digest, tmp_path / "copy")

    assert digest == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert list(store.digests()) == [digest]


def test_an_edited_output_leaves_the_object_alone(store, tmp_path):
    digest = store.put_bytes(b"weights")
    for name in ("a", "b"):
        store.fetch(digest, tmp_path / name)

    with (tmp_path / "a").open("r+b") as file:  # in place, as onnx.save_model does it
        file.write(b"WEIGHTS")

    assert store.read(digest) == b"weights"
    assert (tmp_path / "b").read_bytes() == b"weights"


@pytest.mark.parametrize("damage", [b"", b"weigh", b"weightS"])
def test_a_damaged_object_is_not_given_out(store, tmp_path, damage):
    digest = store.put_bytes(b"weights")
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(damage)
    assert not store.is_sound(digest)

    with pytest.raises(BadObject, match="damaged"):
        store.fetch(digest, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()
    assert not store.path(digest).exists()
    assert store.put_bytes(b"weights") == digest
    assert store.read(digest) == b"weights"


def test_a_missing_object_is_said(store):
    with pytest.raises(BadObject, match="missing"):
        store.read("0" * 64)


def test_a_failed_put_leaves_nothing_behind(store, tmp_path):
    with pytest.raises(OSError):
        store.put(tmp_path / "nowhere")

    assert not [path for path in store.root.rglob("*") if path.name.startswith(TEMPORARY)]
