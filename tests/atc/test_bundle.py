"""Bundles: what is packed, what a CANN host does with it, and what is made of what comes back."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from converter.atc.bundle import BUNDLE_MANIFEST, add_model, read_bundle, returned_om
from converter.atc.command import build_argv
from converter.atc.om_check import Asked
from converter.errors import InputError, StageError
from converter.model.om_header import OM_MAGIC
from converter.model.tensor import TensorSpec

SHAPE = "x:1,3,48,320"
ARGV = (*build_argv("inference.onnx", "inference", "Ascend310P3", SHAPE), "--keep_dtype=keep.cfg")
ASKED = Asked(
    (TensorSpec(name="x", dtype="float32", shape=(1, 3, 48, 320)),),
    (TensorSpec(name="y", dtype="float32", shape=(1, "t")),),
    {"soc_version": "Ascend310P3", "input_shape": SHAPE},
    opaque=frozenset("x"),
)


@pytest.fixture
def pack(tmp_path):
    """Packs a model into a bundle whose name a shell would not like."""
    bundle = tmp_path / "a bundle; $(touch pwned) 'of' models"

    def pack(name, *, content=b"onnx bytes", argv=ARGV):
        (tmp_path / "m.onnx").write_bytes(content)
        (tmp_path / "keep it.cfg").write_text("Softmax_1\n")
        (tmp_path / "yml").write_text("Global: {}\n")
        return add_model(
            bundle,
            name=name,
            argv=argv,
            asked=ASKED,
            input_shape=SHAPE,
            onnx=tmp_path / "m.onnx",
            source=tmp_path / "m.onnx",
            files={"keep.cfg": tmp_path / "keep it.cfg"},
            beside={"inference.yml": tmp_path / "yml"},
        )

    pack.bundle = bundle
    return pack


def run(bundle, code=0):
    ended = subprocess.run([bundle / "run.sh"], cwd="/", capture_output=True, text=True)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def test_there_and_back(pack, simulated_atc, tmp_path):
    simulated_atc("ok")
    pack("first")
    pack("模型 $(touch pwned) 'two'")
    away = tmp_path / "away"
    shutil.copytree(pack.bundle, away)  # another machine

    told = run(away)

    assert "first: ok" in told
    entries = read_bundle(away)
    assert [entry.manifest.name for entry in entries] == ["first", "模型 $(touch pwned) 'two'"]
    for entry in entries:
        om = returned_om(entry).om
        assert om.read_bytes().startswith(OM_MAGIC)
        assert "ATC run success" in (entry.directory / "atc.log").read_text()
        assert entry.manifest.argv == ARGV
        assert entry.manifest.asked == ASKED
    assert not list(tmp_path.rglob("pwned"))
    assert "first: done before" in run(away)
    # One model's directory is a bundle, too.
    assert read_bundle(away / "first")[0].manifest == entries[0].manifest


def test_a_failure_there_is_explained_here(pack, simulated_atc):
    simulated_atc("fail:E16002")
    pack("first")
    pack("second")
    told = run(pack.bundle, code=1)
    assert told.count("FAILED with code 255") == 2
    assert "E16002" in told
    with pytest.raises(StageError, match="atc made no inference") as failed:
        returned_om(read_bundle(pack.bundle)[0])
    assert "atc.log has atc's full words" in failed.value.hint


def test_a_failed_model_is_tried_again(pack, simulated_atc, monkeypatch):
    simulated_atc("not-om")
    pack("first")
    run(pack.bundle, code=1)
    monkeypatch.setenv("ATC_SIMULATOR_MODE", "ok")
    assert "first: ok" in run(pack.bundle)


def test_a_model_that_was_not_compiled(pack):
    pack("first")
    with pytest.raises(StageError, match="first was not compiled"):
        returned_om(read_bundle(pack.bundle)[0])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "inference.onnx").write_bytes(b"other"), "inference.onnx is not what was"),
        (lambda d: (d / "keep.cfg").unlink(), "keep.cfg is not what was put"),
        (lambda d: (d / "atc.sh").write_text("exit 0"), "atc.sh is not what was put"),
        (lambda d: (d / "inference.om").write_bytes(OM_MAGIC), "is not the file that run.sh made"),
        (lambda d: (d / "inference.om.sha256").unlink(), "sha256 is missing"),
        (lambda d: (d / "inference.om.sha256").write_text(""), "sha256 is empty"),
        (lambda d: (d / "inference.om.sha256").write_text(" \n"), "sha256 is damaged"),
    ],
)
def test_what_came_back_changed(damage, words, pack, simulated_atc):
    simulated_atc("ok")
    entry = pack("first")
    run(pack.bundle)
    damage(entry.directory)
    with pytest.raises(InputError, match=words) as refused:
        returned_om(read_bundle(pack.bundle)[0])
    assert refused.value.hint


@pytest.mark.parametrize(
    ("flag", "directory"), [("1", "weight"), ("2", "inference_weight_combined")]
)
def test_external_weights_come_back_too(flag, directory, pack, simulated_atc):
    """An OM file without them cannot be loaded."""
    simulated_atc("ok")
    entry = pack("first", argv=(*ARGV, f"--external_weight={flag}"))
    run(pack.bundle)
    name = f"{directory}/simulated_weight"
    assert list(returned_om(entry).weights) == [name]
    assert "first: done before" in run(pack.bundle)

    (entry.directory / directory / "stray").write_bytes(b"of another model")
    with pytest.raises(InputError, match=r"stray is not the file that run\.sh made"):
        returned_om(entry)
    (entry.directory / directory / "stray").unlink()
    (entry.directory / name).write_bytes(b"changed")
    with pytest.raises(InputError, match=r"simulated_weight is not the file that run\.sh made"):
        returned_om(entry)
    assert "first: ok" in run(pack.bundle)  # made again, with its weights
    assert returned_om(entry).weights


def test_digests_that_name_files_elsewhere(pack, simulated_atc):
    simulated_atc("ok")
    entry = pack("first")
    run(pack.bundle)
    with (entry.directory / "inference.om.sha256").open("a") as file:
        file.write(f"{'0' * 64}  ../../m.onnx\n")
    with pytest.raises(InputError, match="sha256 is damaged"):
        returned_om(entry)


def test_a_manifest_that_names_files_elsewhere(pack, tmp_path):
    entry = pack("first")
    path = entry.directory / BUNDLE_MANIFEST
    content = json.loads(path.read_text())
    content["files"]["../../m.onnx"] = content["files"]["inference.onnx"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not what was put into the bundle"):
        returned_om(read_bundle(pack.bundle)[0])


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"schema_version": 2}'])
def test_a_damaged_manifest(text, pack):
    entry = pack("first")
    (entry.directory / BUNDLE_MANIFEST).write_text(text)
    with pytest.raises(InputError, match=r"is damaged|is empty"):
        read_bundle(pack.bundle)


def test_what_is_no_bundle(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="is not a bundle"):
            read_bundle(path)


def test_packing_again(pack, simulated_atc):
    """The same model stays with its results; another one under its name takes its place."""
    simulated_atc("ok")
    entry = pack("first")
    run(pack.bundle)
    assert pack("first") == entry
    assert returned_om(entry)
    again = pack("first", content=b"another model")
    assert not (again.directory / "inference.om").exists()
    assert {path.name for path in pack.bundle.iterdir()} == {"README.md", "run.sh", "first"}


def test_somebody_elses_directory_stays(pack):
    (pack.bundle / "first").mkdir(parents=True)
    (pack.bundle / "first" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a model of a bundle"):
        pack("first")
    assert (pack.bundle / "first" / "thesis.txt").read_text() == "mine"
    assert {path.name for path in pack.bundle.iterdir()} == {"README.md", "run.sh", "first"}


@pytest.mark.parametrize("name", ["README.md", "run.sh"])
def test_somebody_elses_files_stay(pack, name):
    """A bundle in a project's own directory would replace the project's files."""
    pack.bundle.mkdir()
    (pack.bundle / name).write_text("mine")

    with pytest.raises(InputError, match=f"{name} exists and is not a bundle's"):
        pack("first")

    assert {path.name for path in pack.bundle.iterdir()} == {name}
    assert (pack.bundle / name).read_text() == "mine"


def test_a_damaged_model_is_packed_again(pack):
    entry = pack("first")
    (entry.directory / "inference.onnx").write_bytes(b"damaged")

    again = pack("first")

    assert (again.directory / "inference.onnx").read_bytes() == b"onnx bytes"


def test_a_bundle_without_a_model_is_not_compiled(pack):
    entry = pack("first")
    shutil.rmtree(entry.directory)
    run(pack.bundle, code=2)


def test_a_model_without_its_script_fails(pack):
    entry = pack("first")
    (entry.directory / "atc.sh").unlink()
    run(pack.bundle, code=1)
