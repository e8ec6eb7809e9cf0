from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from converter.errors import InputError
from converter.model.inference_yml import read_inference_yml
from converter.paddlex.modules import scan_models
from converter.paddlex.readiness import make_ready, planned

MakeModel = Callable[..., Path]

CHARACTERS = ["\u3000", "一", "'", '"', "\\", "#", "~", "null", "1", "\u2028", "e\u0301", "😀"]


@pytest.fixture
def onnx() -> ModuleType:
    import onnx

    return onnx


@pytest.fixture
def ready(tmp_path: Path) -> Callable[..., list[Path]]:
    """Complete all models in ``models`` into ``ready``; returns their directories."""

    def run(dictionaries: dict[str, Path] | None = None, *, force: bool = False) -> list[Path]:
        models = planned(scan_models(tmp_path / "models"), tmp_path / "ready")
        lacking = [model for model in models if model.repairs]
        make_ready(lacking, dictionaries or {}, force=force)
        return [model.directory for model in models]

    return run


def bare(make_model: MakeModel, name: str, *files: str) -> Path:
    path = make_model(name, "plain", files=files or ("inference.onnx",))
    (path / "inference.yml").unlink()
    return path


def write_recogniser(onnx: ModuleType, path: Path, classes: int) -> None:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [value("x", 1, ["b", "t", classes])],
        [value("y", 1, ["b", "t", classes])],
    )
    onnx.save(onnx.helper.make_model(graph), str(path))


@pytest.mark.parametrize(
    ("name", "role", "size"),
    [
        ("PP-OCRv4_server_det", "text_detection", None),
        ("PP-LCNet_x1_0_doc_ori", "doc_orientation", (224, 224)),
        ("PP-LCNet_x0_25_textline_ori", "textline_orientation", (80, 160)),
        ("UVDoc", "doc_unwarping", None),
    ],
)
def test_a_bare_model_gets_its_yml(
    make_model: MakeModel,
    ready: Callable[..., list[Path]],
    name: str,
    role: str,
    size: tuple[int, int] | None,
) -> None:
    source = bare(make_model, name, "inference.onnx", "inference.json", "inference.pdiparams")
    (source / "notes.txt").write_text("mine")
    before = {path.name for path in source.iterdir()}
    (made,) = ready()
    content = read_inference_yml(made / "inference.yml")
    assert (content.model_name, content.role, content.input_size) == (name, role, size)
    assert content.shape_hints
    assert {path.name for path in made.iterdir()} == {
        *before,
        "inference.yml",
        "paddle2om.manifest.json",
    }
    assert (made / "inference.onnx").read_bytes() == (source / "inference.onnx").read_bytes()
    assert {path.name for path in source.iterdir()} == before
    (again,) = scan_models(made.parent)
    assert again.repairs is None and not again.problem


def test_a_recogniser_gets_its_characters(
    make_model: MakeModel, ready: Callable[..., list[Path]], onnx: ModuleType
) -> None:
    source = bare(make_model, "PP-OCRv5_mobile_rec")
    write_recogniser(onnx, source / "inference.onnx", len(CHARACTERS) + 2)
    (source / "ppocr_keys.txt").write_text("\n".join(CHARACTERS) + "\n", encoding="utf-8")
    (made,) = ready()
    content = yaml.safe_load((made / "inference.yml").read_text(encoding="utf-8"))
    assert content["PostProcess"]["character_dict"] == CHARACTERS
    assert content["Global"]["model_name"] == "PP-OCRv5_mobile_rec"


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_a_dictionary_may_hold_the_space_itself(
    make_model: MakeModel, ready: Callable[..., list[Path]], onnx: ModuleType, line_end: str
) -> None:
    source = bare(make_model, "en_PP-OCRv4_mobile_rec")
    write_recogniser(onnx, source / "inference.onnx", 5)
    (source / "dict.txt").write_bytes(line_end.join(["a", "b", "c", " ", ""]).encode())
    (made,) = ready()
    content = yaml.safe_load((made / "inference.yml").read_text())
    assert content["PostProcess"]["character_dict"] == ["a", "b", "c"]


def test_a_wrong_dictionary_is_refused(
    make_model: MakeModel,
    ready: Callable[..., list[Path]],
    onnx: ModuleType,
    tmp_path: Path,
) -> None:
    """One character too few, and every text is fluent nonsense."""
    bare(make_model, "PP-OCRv5_mobile_det")
    source = bare(make_model, "PP-OCRv5_mobile_rec")
    write_recogniser(onnx, source / "inference.onnx", 5)
    with pytest.raises(InputError, match="there is no dictionary") as caught:
        ready()
    assert "--dict PP-OCRv5_mobile_rec=FILE" in caught.value.hint
    wrong = tmp_path / "wrong.txt"
    for text, message in (
        ("a\nb\n", "has 2 characters, but PP-OCRv5_mobile_rec tells 3 apart"),
        ("a\n\nb\n", "has an empty line 2"),
    ):
        wrong.write_text(text)
        with pytest.raises(InputError, match=message):
            ready({"PP-OCRv5_mobile_rec": wrong})
    wrong.write_bytes(b"\xff\n")
    with pytest.raises(InputError, match="is not UTF-8"):
        ready({"PP-OCRv5_mobile_rec": wrong})
    with pytest.raises(InputError, match="does not exist"):
        ready({"PP-OCRv5_mobile_rec": tmp_path / "none.txt"})
    for name in ("a", "b"):
        (source / f"{name}.txt").write_text("a\nb\nc\n")
    with pytest.raises(InputError, match=r"several text files: a\.txt, b\.txt"):
        ready()
    assert not (tmp_path / "ready").exists()  # the detector alone would have been possible


def test_files_get_the_names_that_paddlex_loads(
    make_model: MakeModel, ready: Callable[..., list[Path]]
) -> None:
    source = make_model("my_det", "det", files=("det_v5.onnx", "det_310.om"))
    (source / "model.onnx.data").write_bytes(b"weights")
    (made,) = ready()
    assert {path.name for path in made.iterdir()} == {
        "inference.onnx",
        "inference.om",
        "inference.yml",
        "model.onnx.data",
        "paddle2om.manifest.json",
    }
    assert (made / "inference.yml").read_bytes() == (source / "inference.yml").read_bytes()
    two = make_model("two", "det", files=("a.onnx", "b.onnx"))
    found = {model.name: model for model in scan_models(two.parent)}
    assert found["two"].backends == frozenset()  # which of them is not ours to say


@pytest.mark.parametrize(
    "yml",
    [
        "Global:\n  x: 1 # c\nPreProcess: {a: [1]}\n",
        "PreProcess: {a: [1]} # c\n",
        "Global: null\nPreProcess: {a: [1]}\n",
    ],
)
def test_a_nameless_yml_keeps_what_it_says(
    make_model: MakeModel, ready: Callable[..., list[Path]], yml: str
) -> None:
    source = make_model("PP-OCRv4_mobile_det", "det")
    (source / "inference.yml").write_text(yml)
    (made,) = ready()
    content = yaml.safe_load((made / "inference.yml").read_text())
    assert content["Global"]["model_name"] == "PP-OCRv4_mobile_det"
    assert content["PreProcess"] == {"a": [1]}
    assert (source / "inference.yml").read_text() == yml


def test_the_shape_that_an_om_file_was_compiled_for_goes_along(
    make_model: MakeModel, ready: Callable[..., list[Path]]
) -> None:
    source = make_model(
        "PP-OCRv4_mobile_det", "det", files=("inference.om",), om_input_shape="x:1,3,640,480"
    )
    (source / "inference.yml").unlink()
    (made,) = ready()
    manifest = json.loads((made / "paddle2om.manifest.json").read_text())
    assert manifest["om_input_shape"] == "x:1,3,640,480"
    (found,) = scan_models(made.parent)
    assert found.om_input_shape == "x:1,3,640,480"


def test_nobodys_work_is_overwritten(
    make_model: MakeModel, ready: Callable[..., list[Path]]
) -> None:
    source = bare(make_model, "PP-OCRv4_mobile_det")
    (made,) = ready()
    stamp = (made / "inference.onnx").stat().st_mtime_ns
    ready()
    assert (made / "inference.onnx").stat().st_mtime_ns == stamp  # equal files are left alone
    (source / "inference.onnx").write_bytes(b"another")
    ready()
    assert (made / "inference.onnx").read_bytes() == b"another"
    (made / "inference.yml").write_text("mine: 1")
    with pytest.raises(InputError, match="was not made by paddle2om"):
        ready()
    assert (made / "inference.yml").read_text() == "mine: 1"
    ready(force=True)
    assert (made / "inference.yml").read_text() != "mine: 1"


def test_never_in_place(make_model: MakeModel, tmp_path: Path) -> None:
    bare(make_model, "PP-OCRv4_mobile_det")
    models = planned(scan_models(tmp_path / "models"), tmp_path / "models")
    with pytest.raises(InputError, match="in its own place"):
        make_ready(models, {})


def test_an_unwritable_place(make_model: MakeModel, tmp_path: Path) -> None:
    bare(make_model, "PP-OCRv4_mobile_det")
    (tmp_path / "file").write_text("")
    models = planned(scan_models(tmp_path / "models"), tmp_path / "file")
    with pytest.raises(InputError, match="cannot write"):
        make_ready(models, {})


def test_unknown_bare_models_stay_unusable(make_model: MakeModel, tmp_path: Path) -> None:
    for name in ("PicoDet-S", "my_rec", "ch_ppocr_mobile_v2.0_rec"):
        bare(make_model, name)
    found = scan_models(tmp_path / "models")
    assert {model.model_name for model in found} == {""}
    assert all("no inference.yml" in model.problem for model in found)
