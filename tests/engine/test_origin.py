"""Which files a model's result is said to come from."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.origin import files_of_models
from converter.model.compile_options import CompileOptions
from converter.model.recipe import PlannedModel
from converter.model.task import ConvertOptions


def names(model: PlannedModel) -> list[str]:
    return [Path(file.path).name for file in files_of_models([model], Digests(None))[model.name]]


def planned(source: Path, **options: object) -> PlannedModel:
    chosen = ConvertOptions.model_validate(options)
    return PlannedModel(name="m", model="m", source=source, options=chosen)


def test_a_models_own_files_with_size_and_digest(tiny_copy):
    (tiny_copy / "notes.txt").write_text("not the model's")

    found = files_of_models([planned(tiny_copy)], Digests(None))["m"]

    assert {Path(file.path).name for file in found} == {"inference.json", "inference.pdiparams"}
    for file in found:
        data = Path(file.path).read_bytes()
        assert file.bytes == len(data)
        assert file.sha256 == hashlib.sha256(data).hexdigest()


def test_data_and_files_for_atc_count_where_they_are_used(tiny_copy, tmp_path):
    shutil.copy(tiny_copy / "inference.pdiparams", tmp_path / "x.npy")
    (tmp_path / "keep.cfg").write_text("Conv_1")
    compiled = CompileOptions(soc="Ascend310P3", keep_dtype=str(tmp_path / "keep.cfg"))
    data = (str(tmp_path / "x.npy"),)

    assert names(planned(tiny_copy, data=data, compile=compiled))[2:] == ["x.npy", "keep.cfg"]
    without = compiled.model_copy(update={"soc": None})
    assert names(planned(tiny_copy, compile=without))[2:] == []


def test_a_directory_without_a_model_is_not_read(tmp_path):
    (tmp_path / "huge.bin").write_bytes(b"x")

    assert names(planned(tmp_path)) == []
    assert names(planned(tmp_path / "gone")) == []
