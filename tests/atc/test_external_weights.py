"""Weights beside an OM file: found, needed, and taken along by the script."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from converter.atc import external_weights
from converter.atc.command import build_argv, render_script
from converter.errors import InputError

ARGV = build_argv("inference.onnx", "inference", "Ascend310P3", "x:1,3,32,32")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["--external_weight=1"], True),
        (["--external_weight=2"], True),
        (["--external_weight=0"], False),
        (["--external_weight="], False),
        ([], False),
    ],
)
def test_asked_for(words, asked):
    assert external_weights.are_asked_for([*ARGV, *words]) is asked


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("weight/a", True),
        ("inference_weight_combined/a", True),
        ("weights/a", False),
        ("weight/../../a", False),
        ("/weight/a", False),
        ("fusion_result.json", False),
    ],
)
def test_names(name, is_one):
    assert external_weights.is_one(name) is is_one


def test_an_om_file_that_needs_weights(tmp_path):
    om = tmp_path / "inference.om"
    assert external_weights.needed_by(om, None) == {}
    assert external_weights.needed_by(om, "atc --external_weight=0") == {}
    for told in ("atc --external_weight=1 --soc_version=x", 'atc --external-weight "2"'):
        with pytest.raises(InputError, match="they are not beside it"):
            external_weights.needed_by(om, told)
    (tmp_path / "weight").mkdir()
    (tmp_path / "weight" / "b").touch()
    (tmp_path / "weight" / "a").touch()
    (tmp_path / "weight" / "elsewhere").symlink_to("/etc/hostname")
    found = external_weights.needed_by(om, "atc --external_weight=1")
    assert list(found) == ["weight/a", "weight/b"]


def test_the_script_takes_them_along(simulated_atc, tmp_path: Path):
    simulated_atc("ok")
    directory = tmp_path / "a 'model'"
    directory.mkdir()
    (directory / "inference.onnx").write_bytes(b"onnx")
    (directory / "weight").mkdir()
    (directory / "weight" / "of another compilation").touch()
    plain = render_script("m", ARGV, "inference.onnx", "inference.om")
    assert "weight" not in plain
    script = directory / "atc.sh"
    script.write_text(
        render_script("m", (*ARGV, "--external_weight=1"), "inference.onnx", "inference.om")
    )

    ended = subprocess.run(["bash", script], cwd="/", capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    assert (directory / "inference.om").is_file()
    assert [path.name for path in (directory / "weight").iterdir()] == ["simulated_weight"]
    assert not list(directory.glob(".*"))
