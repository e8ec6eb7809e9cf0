"""``paddle2om convert`` as a user meets it: exit code, stdout, stderr, and what is on disk."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import COMMAND, paddle2om

CODES = {0, 1, 2, 3, 4}

FAULTS = Path(__file__).parent.parent / "simulators" / "faults"


def assert_one_clear_error(ended: subprocess.CompletedProcess[str], words: str) -> None:
    assert "Traceback" not in ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    hints = [line for line in ended.stderr.splitlines() if line.startswith("hint: ")]
    assert len(errors) == 1, ended.stderr
    assert len(hints) == 1
    assert words in errors[0]
    assert ended.stdout == ""


def test_a_model_converts(cls_model, tmp_path):
    out = tmp_path / "out"

    ended = paddle2om(
        "convert", cls_model, "-o", out, "--soc", "Ascend310P3", "--shape", "x=1,3,48,192"
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    assert "atc not found" in ended.stderr or "om " in ended.stderr
    directory = out / cls_model.name
    assert (directory / "inference.onnx").is_file()
    assert "x:1,3,48,192" in (directory / "atc.sh").read_text()
    report = json.loads((out / "report.json").read_text())
    assert report["models"][0]["stages"][1]["facts"]["opset"] == 11
    assert (out / "report.html").read_text().lower().startswith("<!doctype html>")
    assert not list(out.glob(".paddle2om-work-*"))


def test_json_goes_to_stdout_and_nothing_else_does(tiny_pir, tmp_path):
    ended = paddle2om("convert", tiny_pir, "-o", tmp_path / "out", "--json", "--opset", 13)

    report = json.loads(ended.stdout)
    assert report["models"][0]["name"] == "tiny_pir"
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())


@pytest.fixture
def no_simplification(monkeypatch):
    """Every model is degraded: its simplification is refused."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTS), prepend=os.pathsep)
    monkeypatch.setenv("FAULT", "no-simplification")


def test_strict_turns_degraded_into_a_failure(cls_model, tmp_path, no_simplification):
    assert paddle2om("convert", cls_model, "-o", tmp_path / "a").returncode == 0
    assert paddle2om("convert", cls_model, "-o", tmp_path / "a", "--strict").returncode == 1


def truncate(directory: Path) -> None:
    params = directory / "inference.pdiparams"
    params.write_bytes(params.read_bytes()[:-100])


def lose_the_weights(directory: Path) -> None:
    (directory / "inference.pdiparams").unlink()


def flip_a_byte(directory: Path) -> None:
    program = directory / "inference.json"
    data = bytearray(program.read_bytes())
    data[data.index(b'"')] ^= 0x04
    program.write_bytes(data)


def leave_a_pointer(directory: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    (directory / "inference.pdiparams").write_text(pointer)


def empty(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncate, "cut short"),
        (lose_the_weights, "missing weights"),
        (flip_a_byte, "inference.json"),
        (leave_a_pointer, "LFS"),
        (empty, "is empty"),
        (shutil.rmtree, "does not exist"),
    ],
)
def test_a_damaged_model(damage, words, tiny_copy, tmp_path):
    damage(tiny_copy)

    ended = paddle2om("convert", tiny_copy, "-o", tmp_path / "out", "-q")

    assert ended.returncode == 2
    assert_one_clear_error(ended, words)
    assert not (tmp_path / "out" / "tiny").exists()


def test_one_bad_model_among_good_ones(tiny_copy, cls_model, tmp_path):
    truncate(tiny_copy)

    ended = paddle2om("convert", tiny_copy, cls_model, "-o", tmp_path / "out")

    assert ended.returncode == 2
    assert (tmp_path / "out" / cls_model.name / "inference.onnx").is_file()
    assert "1 of 2 models failed" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--opset", "99"], "opset 99 is not supported"),
        (["--opset", "6"], "opset 6 is not supported"),
        (["--soc", "310P3"], "unknown soc_version '310P3'"),
        (["--soc", "Ascend310P3", "--shape", "x"], "is not NAME=N,C,H,W"),
        (["--shape", "x=1,a"], "is not NAME=N,C,H,W"),
        (["--atol", "nan"], "--atol"),
        (["--rtol", "-1"], "--rtol"),
        (["--rtol", "inf"], "--rtol"),
        (["--soc", "ascend310p3 "], "unknown soc_version"),
        (["--timeout", "0"], "--timeout"),
        (["-o", "/dev/null/out"], "cannot write to the output directory"),
        (["-o", "/proc/out"], "cannot write to the output directory"),
    ],
)
def test_wrong_flags(arguments, words, tiny_pir, tmp_path):
    ended = paddle2om("convert", tiny_pir, *arguments, cwd=tmp_path)

    assert ended.returncode == 2
    assert_one_clear_error(ended, words)
    assert list(tmp_path.iterdir()) == []


def test_output_into_the_model_directory_is_refused(tiny_copy):
    before = sorted(tiny_copy.iterdir())

    ended = paddle2om("convert", tiny_copy, "-o", tiny_copy.parent)

    assert ended.returncode == 2
    assert_one_clear_error(ended, "lies in the model directory")
    assert sorted(tiny_copy.iterdir()) == before


def test_output_into_a_file_is_refused(tiny_pir, tmp_path):
    (tmp_path / "file").write_text("mine")
    ended = paddle2om("convert", tiny_pir, "-o", tmp_path / "file")
    assert ended.returncode == 2
    assert_one_clear_error(ended, "file is a file, and results go into a directory")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_same_model_twice_is_refused(tiny_pir, tmp_path):
    ended = paddle2om("convert", tiny_pir, tiny_pir, "-o", tmp_path / "out")

    assert ended.returncode == 2
    assert_one_clear_error(ended, "more than once")


def test_names_with_spaces_and_chinese(cls_model, tmp_path):
    model = shutil.copytree(cls_model, tmp_path / "模型 一 'quoted'")
    out = tmp_path / "输出 dir"

    ended = paddle2om(
        "convert", model, "-o", out, "--soc", "Ascend310P3", "--shape", "x=1,3,48,192", cwd=tmp_path
    )

    assert ended.returncode == 0, ended.stderr
    assert (out / model.name / "inference.onnx").is_file()
    assert (out / model.name / "atc.sh").is_file()


def test_models_of_one_name_are_told_apart(tiny_pir, tmp_path):
    models = [shutil.copytree(tiny_pir, tmp_path / parent / "m") for parent in ("a", "b")]

    ended = paddle2om("convert", *models, "-o", tmp_path / "out", "--opset", "13")

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "a_m" / "inference.onnx").is_file()
    assert (tmp_path / "out" / "b_m" / "inference.onnx").is_file()


def test_flipped_bytes_never_crash_the_command(tiny_pir, tmp_path):
    """Twelve models, each with one byte of its program changed: a documented end for each."""
    chance = random.Random(20)
    models = []
    for index in range(12):
        model = Path(shutil.copytree(tiny_pir, tmp_path / f"m{index}"))
        program = model / "inference.json"
        data = bytearray(program.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
        program.write_bytes(data)
        models.append(model)

    ended = paddle2om("convert", *models, "-o", tmp_path / "out", "--opset", "13", "--json")

    assert "Traceback" not in ended.stderr
    report = json.loads(ended.stdout)
    assert len(report["models"]) == 12
    for model in report["models"]:
        for stage in model["stages"]:
            if stage["error"]:
                assert stage["error"]["exit_code"] in CODES
                assert stage["error"]["hint"]


def test_a_program_file_of_any_stem(tiny_pir, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for suffix in (".json", ".pdiparams"):
        shutil.copy(tiny_pir / f"inference{suffix}", model / f"detector{suffix}")

    ended = paddle2om("convert", model / "detector.json", "-o", tmp_path / "out", "--opset", "13")

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "detector" / "inference.onnx").is_file()


def test_a_package_in_the_current_directory_is_not_imported(tiny_pir, tmp_path):
    """People keep models in directories called onnx or paddle."""
    for name in ("onnx", "paddle", "converter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('wrong one')")
    script = "from converter.cli.main import entry; entry()"
    command = [sys.executable, "-P", "-c", script, "convert", tiny_pir, "--opset", "13"]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr


def test_a_model_called_logs_has_a_place_of_its_own(tiny_pir, tmp_path):
    model = shutil.copytree(tiny_pir, tmp_path / "zoo" / "logs")

    ended = paddle2om("convert", model, "-o", tmp_path / "out", "--opset", "13")

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "zoo_logs" / "inference.onnx").is_file()


def test_a_shape_without_a_soc_is_not_ignored(tiny_pir, tmp_path):
    ended = paddle2om("convert", tiny_pir, "-o", tmp_path / "out", "--shape", "x=1,3,32,32")

    assert ended.returncode == 2
    assert_one_clear_error(ended, "--shape without --soc")


def test_a_shape_that_does_not_fit_is_told_before_the_export(tiny_pir, tmp_path):
    asked = ("--soc", "Ascend310P3", "--shape", "y=1,3,32,32", "-q")
    ended = paddle2om("convert", tiny_pir, "-o", tmp_path, *asked)
    assert ended.returncode == 2
    assert_one_clear_error(ended, "compile: --shape is given for 'y', which is not an input")
    (model,) = json.loads((tmp_path / "report.json").read_text())["models"]
    stages = {stage["stage"]: stage["status"] for stage in model["stages"]}
    assert list(stages) == ["inspect", "export", "simplify", "validate", "compile"]
    assert list(stages.values()) == ["ok", "skipped", "skipped", "skipped", "failed"]
    assert {path.name for path in (tmp_path / tiny_pir.name).glob("*.onnx")} == set()


def test_a_soc_without_a_shape_keeps_the_onnx_model(tiny_pir, tmp_path):
    out = tmp_path / "out"

    ended = paddle2om("convert", tiny_pir, "-o", out, "--opset", "13", "--soc", "Ascend310P3", "-q")

    assert ended.returncode == 2
    assert_one_clear_error(ended, "no static shape for input x")
    assert "--shape x=1,3,HEIGHT,WIDTH" in ended.stderr
    assert (out / "tiny_pir" / "inference.onnx").is_file()


def test_quiet_and_strict_say_what_is_degraded(cls_model, tmp_path, no_simplification):
    ended = paddle2om("convert", cls_model, "-o", tmp_path / "out", "-q", "--strict")

    assert ended.returncode == 1
    assert_one_clear_error(ended, "simplify degraded: kept the unsimplified model: planted")


def test_a_killed_run_does_not_block_the_directory(cls_model, tmp_path):
    """As the kernel or a CI system does it: no chance to clean up."""
    out = tmp_path / "out"
    command = [*COMMAND, "convert", str(cls_model), "-o", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as killed:
        for line in killed.stderr:
            if "inspect ok" in line:
                break
        killed.kill()

    ended = paddle2om("convert", cls_model, "-o", out)

    assert ended.returncode == 0, ended.stderr
    assert not list(out.glob(".paddle2om-work-*"))


def test_a_users_log_is_not_replaced(tiny_pir, tmp_path):
    log = tmp_path / "out" / "logs" / "tiny_pir.log"
    log.parent.mkdir(parents=True)
    log.write_text("mine")

    ended = paddle2om("convert", tiny_pir, "-o", tmp_path / "out")

    assert ended.returncode == 2
    assert_one_clear_error(ended, "is not a log of paddle2om")
    assert log.read_text() == "mine"


def test_a_reader_that_goes_away_does_not_end_the_work(tiny_pir, tmp_path):
    script = (
        f"{' '.join(COMMAND)} convert {tiny_pir} -o {tmp_path / 'out'} "
        "--opset 13 2>&1 | head -1; exit ${PIPESTATUS[0]}"
    )
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout
    assert (tmp_path / "out" / "tiny_pir" / "inference.onnx").is_file()
    assert (tmp_path / "out" / "report.json").is_file()


def test_a_name_that_is_not_text(tiny_pir, tmp_path):
    model = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfebad"))
    shutil.copytree(tiny_pir, model)

    ended = paddle2om("convert", model, "-o", tmp_path / "out")

    assert ended.returncode == 2
    assert_one_clear_error(ended, "is not UTF-8 text")
    assert not (tmp_path / "out").exists()


def test_an_empty_output_directory_name(tiny_pir, tmp_path):
    ended = paddle2om("convert", tiny_pir, "-o", "", cwd=tmp_path)

    assert ended.returncode == 2
    assert "it is empty" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ("[[1, 3, 64, 64], [1, 3, 32, 32], [1, 3, 96, 96]]", "are not min <= opt <= max"),
        ("[[1, 3, 64], [1, 3, 64], [1, 3, 96]]", "do not fit that input"),
        ("[[1, 4, 64, 64], [1, 4, 64, 64], [1, 4, 96, 96]]", "do not fit that input"),
    ],
)
def test_wrong_shapes_in_inference_yml(shapes, words, tiny_copy, tmp_path):
    yml = f"Hpi: {{backend_configs: {{tensorrt: {{dynamic_shapes: {{x: {shapes}}}}}}}}}\n"
    (tiny_copy / "inference.yml").write_text(yml)

    ended = paddle2om("convert", tiny_copy, "-o", tmp_path / "out", "-q")

    assert ended.returncode == 2
    assert_one_clear_error(ended, words)
    assert "inference.yml" in ended.stderr
