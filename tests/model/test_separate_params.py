"""Directories of the Paddle 1.x era: ``__model__`` and one file per parameter."""

import shutil

import pytest

from converter import convert
from converter.errors import InputError
from converter.model.describe import describe
from converter.model.legacy import read_legacy
from converter.model.paddle_dir import find_model
from converter.model.pdiparams import check_parameters, read_headers


@pytest.fixture
def separate(cls_model, tmp_path):
    """The classifier, its parameters cut into one file each."""
    directory = tmp_path / "separate"
    directory.mkdir()
    shutil.copy(cls_model / "inference.pdmodel", directory / "__model__")
    combined = cls_model / "inference.pdiparams"
    parameters = read_legacy(directory / "__model__").parameters
    headers = check_parameters(parameters, read_headers(combined))
    data = combined.read_bytes()
    begin = 0
    for header in headers:
        end = header.offset + header.nbytes
        (directory / header.name).write_bytes(data[begin:end])
        begin = end
    assert begin == len(data)
    return directory


def test_the_facts_are_those_of_the_combined_model(separate, cls_model):
    apart, together = describe(find_model(separate)), describe(find_model(cls_model))
    assert apart.params_file is None
    assert apart.parameter_count == together.parameter_count
    assert apart.parameter_bytes == together.parameter_bytes


def test_a_missing_file_is_named(separate):
    victim = sorted(path for path in separate.iterdir() if path.name != "__model__")[3]
    victim.unlink()
    with pytest.raises(InputError, match=victim.name):
        describe(find_model(separate))


def test_a_cut_file_is_named(separate):
    victim = sorted(path for path in separate.iterdir() if path.name != "__model__")[3]
    victim.write_bytes(victim.read_bytes()[:-2])
    with pytest.raises(InputError, match=victim.name):
        describe(find_model(separate))


def test_it_converts_to_the_same_file(separate, cls_model, tmp_path):
    report = convert([separate, cls_model], tmp_path / "out", opset=11)
    assert report.exit_code == 0, report
    names = [model.name for model in report.models]
    apart, together = ((tmp_path / "out" / name / "inference.onnx") for name in names)
    import onnx

    graphs = [onnx.load(path).graph.SerializeToString() for path in (apart, together)]
    assert graphs[0] == graphs[1]
