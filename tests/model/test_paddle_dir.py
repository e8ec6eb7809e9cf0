from __future__ import annotations

import os
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.paddle_dir import find_model, model_name
from tests.model.builders import LEGACY_CLS, TINY_PIR, dump, small_legacy, small_pir

PIR = dump(small_pir())
LEGACY = small_legacy()
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def write(directory: Path, files: dict[str, bytes]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return directory


def fails(path: Path, *words: str) -> InputError:
    with pytest.raises(InputError) as caught:
        find_model(path)
    for word in words:
        assert word in caught.value.message
    assert caught.value.hint
    return caught.value


def test_finds_the_real_models() -> None:
    pir = find_model(TINY_PIR)
    assert (pir.format, pir.program.name) == ("pir", "inference.json")
    legacy = find_model(LEGACY_CLS)
    assert (legacy.format, legacy.program.name) == ("legacy", "inference.pdmodel")
    assert legacy.params == LEGACY_CLS / "inference.pdiparams"
    assert legacy.yml is None


@pytest.mark.parametrize(
    ("files", "program", "params"),
    [
        (("inference.json", "inference.pdmodel", "other.json"), "inference.json", None),
        (("inference.pdmodel", "a.json"), "inference.pdmodel", None),
        (("det.json", "det.pdmodel", "det.pdiparams"), "det.json", "det.pdiparams"),
        (("det.pdmodel", "det.pdiparams"), "det.pdmodel", "det.pdiparams"),
        (("__model__", "__params__"), "__model__", "__params__"),
        (("__model__",), "__model__", None),
    ],
)
def test_preference(
    tmp_path: Path, files: tuple[str, ...], program: str, params: str | None
) -> None:
    write(tmp_path, {name: PIR if name.endswith("json") else LEGACY for name in files})
    model = find_model(tmp_path)
    assert model.program.name == program
    assert (model.params.name if model.params else None) == params
    assert model.format == ("pir" if program.endswith(".json") else "legacy")


def test_other_json_files_do_not_confuse(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "config.json": b'{"model_type": "x"}',
            "tokenizer.json": b"{}",
            "empty.json": b"",
            "net.json": PIR,
            "net.pdiparams": b"weights",
            "net.yml": b"Global: {}",
        },
    )
    model = find_model(tmp_path)
    assert model.program.name == "net.json"
    assert model.yml == tmp_path / "net.yml"


def test_json_that_is_no_program_does_not_hide_the_pdmodel(tmp_path: Path) -> None:
    write(tmp_path, {"net.json": b'{"labels": []}', "net.pdmodel": LEGACY, "net.pdiparams": b"w"})
    assert find_model(tmp_path).program.name == "net.pdmodel"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("inference.json", "zoo_model"),
        ("model.pdmodel", "zoo_model"),
        ("__model__", "zoo_model"),
        ("PP-OCRv5_det.json", "PP-OCRv5_det"),
        ("angle.cls.pdmodel", "angle.cls"),
    ],
)
def test_named_program_file(tmp_path: Path, file: str, name: str) -> None:
    directory = write(
        tmp_path / "zoo_model",
        {file: PIR if file.endswith("json") else LEGACY, "inference.yml": b"Global: {}"},
    )
    model = find_model(directory / file)
    assert model.program.name == file
    assert model_name(directory / file) == name
    assert model.yml == directory / "inference.yml"


def test_directory_names_the_model_even_with_a_telling_stem(tmp_path: Path) -> None:
    assert model_name(write(tmp_path / "zoo", {"det.json": PIR})) == "zoo"


def test_relative_current_directory_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path / "here", {"inference.json": PIR}))
    assert find_model(Path()).program.name == "inference.json"
    assert model_name(Path()) == "here"


def test_a_name_needs_no_model(tmp_path: Path) -> None:
    assert model_name(tmp_path / "nowhere") == "nowhere"
    assert model_name(write(tmp_path / "notes", {"notes.txt": b""}) / "notes.txt") == "notes"
    assert model_name(Path("/")) == "model"


def test_an_inference_yml_beside_two_programs_is_about_neither(tmp_path: Path) -> None:
    write(tmp_path, {"det.json": PIR, "rec.pdmodel": LEGACY, "inference.yml": b"Global: {}"})
    assert find_model(tmp_path / "det.json").yml is None
    assert find_model(tmp_path / "rec.pdmodel").yml is None
    write(tmp_path, {"rec.yml": b"Global: {}"})
    assert find_model(tmp_path / "rec.pdmodel").yml == tmp_path / "rec.yml"


def test_an_inference_yml_belongs_to_the_program_called_inference(tmp_path: Path) -> None:
    write(tmp_path, {"inference.json": PIR, "rec.json": PIR, "inference.yml": b"Global: {}"})
    assert find_model(tmp_path).yml == tmp_path / "inference.yml"
    assert find_model(tmp_path / "rec.json").yml is None


def test_two_files_of_one_stem_are_one_program(tmp_path: Path) -> None:
    write(tmp_path, {"det.json": PIR, "det.pdmodel": LEGACY, "inference.yml": b"Global: {}"})
    assert find_model(tmp_path / "det.pdmodel").yml == tmp_path / "inference.yml"


def test_several_programs_are_listed(tmp_path: Path) -> None:
    write(tmp_path, {"det.json": PIR, "rec.pdmodel": LEGACY})
    assert "det.json" in fails(tmp_path, "2 programs", "det.json", "rec.pdmodel").hint


def test_missing_path(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere", "does not exist")
    fails(tmp_path / ("x" * 300), "cannot read")
    fails(Path("a\0b"), "not a path")


def test_what_paddle2om_wrote_models_to(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "det").mkdir()
    (tmp_path / "det" / "inference.onnx").write_bytes(b"onnx")
    assert str(tmp_path / "det") in fails(tmp_path, "no Paddle model").hint


def test_broken_link(tmp_path: Path) -> None:
    (tmp_path / "inference.json").symlink_to(tmp_path / "gone")
    fails(tmp_path / "inference.json", "does not exist")
    fails(tmp_path, "no Paddle model")


def test_empty_directory(tmp_path: Path) -> None:
    fails(tmp_path, "is empty")


def test_directory_without_a_model_says_what_was_found(tmp_path: Path) -> None:
    write(tmp_path, {f"{letter}.txt": b"x" for letter in "abcdefgh"})
    error = fails(tmp_path, "inference.json", "*.pdmodel", "a.txt", "e.txt", "and 3 more")
    assert "f.txt" not in error.message


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        ("model.onnx", "converted already"),
        ("model.om", "compiled already"),
        ("model_state.pdparams", "paddle.jit.save"),
        ("inference.pdiparams", "program"),
    ],
)
def test_other_models_get_their_own_advice(tmp_path: Path, file: str, advice: str) -> None:
    write(tmp_path, {file: b"x"})
    assert advice in fails(tmp_path, file).hint
    assert advice in fails(tmp_path / file, file).hint
    assert "paddle2om" not in fails(tmp_path, file).hint  # its commands take Paddle models only


def test_a_file_that_is_neither(tmp_path: Path) -> None:
    write(tmp_path, {"notes.txt": b"x"})
    fails(tmp_path / "notes.txt", "not a Paddle program")


@pytest.mark.parametrize("name", ["inference.json", "inference.pdmodel", "det.pdmodel"])
def test_empty_program(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: b""})
    fails(tmp_path, name, "is empty")


def test_empty_program_beside_its_weights(tmp_path: Path) -> None:
    write(tmp_path, {"det.json": b"", "det.pdiparams": b"w"})
    fails(tmp_path, "det.json", "is empty")


def test_git_lfs_pointers(tmp_path: Path) -> None:
    write(tmp_path, {"inference.json": POINTER})
    assert "git lfs pull" in fails(tmp_path, "inference.json", "Git LFS").hint
    write(tmp_path, {"inference.json": PIR, "inference.pdiparams": POINTER})
    assert "git lfs pull" in fails(tmp_path, "inference.pdiparams", "Git LFS").hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    write(tmp_path, {"inference.json": PIR})
    (tmp_path / "inference.json").chmod(0)
    fails(tmp_path, "permission denied")


def test_permission_denied_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    write(tmp_path, {"inference.json": PIR})
    monkeypatch.setattr(Path, "open", refuse)
    assert "read access" in fails(tmp_path, "permission denied", "inference.json").hint
    monkeypatch.setattr(Path, "iterdir", refuse)
    fails(tmp_path, "permission denied")


def test_a_folder_of_models_is_told_as_one(tmp_path):
    (tmp_path / "zoo" / "a").mkdir(parents=True)
    (tmp_path / "zoo" / "a" / "inference.json").write_text("{}")
    with pytest.raises(InputError, match="no Paddle model in") as raised:
        find_model(tmp_path / "zoo")
    assert f"{tmp_path}/zoo/* for all" in raised.value.hint
    assert "recipe init" in raised.value.hint
