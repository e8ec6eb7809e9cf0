"""Which files a model's result is said to come from."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from converter.engine.cache.digests import Digests
from converter.engine.convert import Silent
from converter.engine.origin import files_of_models
from converter.engine.rendering import render_all
from converter.engine.reproduce import look_around, reproduce
from converter.engine.run import Settings, check_run, run_models
from converter.engine.running import interrupted
from converter.errors import InputError
from converter.model.artefacts import sha256_of
from converter.model.compile_options import CompileOptions
from converter.model.recipe import PlannedModel, PlannedPipeline
from converter.model.run_manifest import manifest_of
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


@pytest.fixture
def read(monkeypatch):
    """The names of the files whose digests are computed, each time."""
    from converter.engine.cache import digests

    names: list[str] = []

    def noted(path: Path) -> str:
        names.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr(digests, "sha256_of", noted)
    return names


def test_what_several_pipelines_name_is_read_once(tmp_path, read):
    base = tmp_path / "mine.yaml"
    base.write_text("pipeline_name: OCR\n")
    pipelines = [
        PlannedPipeline(name="OCR", base=str(base), out=f"{name}.yaml") for name in ("a", "b")
    ]

    reports = render_all(pipelines, [], tmp_path / "out", force=False)

    assert [file.path for each in reports for file in each.inputs] == [str(base)] * 2
    assert read == ["mine.yaml"]


def test_a_run_that_is_made_again_reads_its_sources_once(tiny_copy, tmp_path, read):
    class Nobody:
        """Runs nothing, as if Ctrl-C had been pressed at once."""

        interrupted = True

        def run(self, tasks, log_of, observer, *, jobs, schedule=None):
            return [interrupted(task, []) for task in tasks]

    models = [planned(tiny_copy)]
    first = run_models(models, tmp_path / "out", Settings(), Nobody(), Silent())
    manifest = manifest_of(first)
    assert manifest is not None
    read.clear()
    digests = Digests(None)

    look_around(manifest, tmp_path / "out", digests)
    reproduce(manifest, tmp_path / "again", Nobody(), Silent(), digests=digests)

    assert sorted(read) == sorted(Path(file.path).name for file in manifest.models[0].inputs)


@pytest.mark.parametrize("memory", [0, -1])
def test_no_memory_is_not_what_is_free(tiny_copy, tmp_path, memory):
    with pytest.raises(InputError, match="is no amount of memory") as refused:
        check_run([planned(tiny_copy)], tmp_path / "out", Settings(memory=memory))
    assert refused.value.hint
