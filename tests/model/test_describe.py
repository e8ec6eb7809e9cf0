from __future__ import annotations

from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.describe import describe, read_parameter_headers, read_program
from converter.model.paddle_dir import find_model
from converter.model.result import InspectFacts
from tests.model.builders import (
    LEGACY_CLS,
    TINY_PIR,
    data_op,
    document,
    dump,
    fetch_op,
    record,
    small_legacy,
    tensor_type,
    write_model,
)


def fails(path: Path, *words: str) -> InputError:
    with pytest.raises(InputError) as caught:
        describe(find_model(path))
    for word in words:
        assert word in caught.value.message
    assert caught.value.hint
    return caught.value


def test_real_pir_model() -> None:
    facts = describe(find_model(TINY_PIR))
    assert (facts.format, facts.program_file, facts.params_file, facts.yml_file) == (
        *("pir", "inference.json", "inference.pdiparams", None),
    )
    assert (facts.parameter_count, facts.parameter_bytes) == (6, 512)
    assert facts.paddle_version is None
    assert InspectFacts.model_validate_json(facts.model_dump_json()) == facts


def test_real_legacy_model() -> None:
    facts = describe(find_model(LEGACY_CLS))
    assert (facts.format, facts.paddle_version) == ("legacy", "2.3.2")
    assert (facts.parameter_count, facts.parameter_bytes) == (213, 534_512)
    assert facts.operators["hard_swish"] == 18


def test_yml_is_part_of_it(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m")
    (directory / "inference.yml").write_text(
        "Global: {model_name: net}\n"
        "Hpi: {backend_configs: {tensorrt: {dynamic_shapes: {x: [[1, 4], [2, 4], [8, 4]]}}}}\n"
    )
    facts = describe(find_model(directory))
    assert (facts.model_name, facts.yml_file) == ("net", "inference.yml")
    assert facts.shape_hints["x"].max == (8, 4)


def test_paddle_1_layout(tmp_path: Path) -> None:
    (tmp_path / "__model__").write_bytes(small_legacy())
    assert "__params__" in fails(tmp_path, "missing weights", "needs 1 parameter,").hint
    (tmp_path / "__params__").write_bytes(record([4], bytes(16)))
    assert describe(find_model(tmp_path)).params_file == "__params__"


def test_missing_weights(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m")
    (directory / "inference.pdiparams").unlink()
    assert "inference.pdiparams" in fails(directory, "missing weights").hint


def test_one_file_per_parameter(tmp_path: Path) -> None:
    (tmp_path / "__model__").write_bytes(small_legacy())
    (tmp_path / "w").write_bytes(record([4], bytes(16)))
    facts = describe(find_model(tmp_path))
    assert (facts.params_file, facts.parameter_count, facts.parameter_bytes) == (None, 1, 16)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (b"", ["is empty"]),
        (record([4], bytes(15)), ["cut short", "tensor 1 of 1", "1 byte is missing"]),
        (record([4], bytes(16)) + b"?", ["1 byte after its last tensor"]),
        (record([4], bytes(16)) * 2, ["another model", "1 parameter, ", "2 tensors"]),
        (record([5], bytes(20)), ["another model", "w", "float32[4]", "float32[5]"]),
        (record([4], bytes(8), dtype=4), ["another model", "float16[4]"]),
    ],
)
def test_wrong_weights(tmp_path: Path, params: bytes, words: list[str]) -> None:
    fails(write_model(tmp_path / "m", params), "inference.pdiparams", *words)


def test_weights_of_another_real_model(tmp_path: Path) -> None:
    (tmp_path / "inference.json").write_bytes((TINY_PIR / "inference.json").read_bytes())
    other = (LEGACY_CLS / "inference.pdiparams").read_bytes()
    (tmp_path / "inference.pdiparams").write_bytes(other)
    fails(tmp_path, "another model", "6 parameters", "213 tensors")


@pytest.mark.parametrize("params", [None, b""])
def test_program_without_parameters_needs_no_file(tmp_path: Path, params: bytes | None) -> None:
    kind = tensor_type("0.t_f32", [2])
    program = document([data_op("x", 1, kind), fetch_op("y", 0, 1, kind)])
    (tmp_path / "inference.json").write_bytes(dump(program))
    if params is not None:
        (tmp_path / "inference.pdiparams").write_bytes(params)
    facts = describe(find_model(tmp_path))
    assert (facts.parameter_count, facts.parameter_bytes) == (0, 0)


def test_headers_have_the_programs_names(tmp_path: Path) -> None:
    model = find_model(write_model(tmp_path / "m"))
    (header,) = read_parameter_headers(model, read_program(model))
    assert (header.name, header.shape, header.nbytes) == ("w", (4,), 16)


def test_files_that_vanish_are_input_errors(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m")
    model = find_model(directory)
    for name in ("inference.pdiparams", "inference.json"):
        (directory / name).unlink()
        with pytest.raises(InputError, match="does not exist") as caught:
            describe(model)
        assert caught.value.hint


def test_describing_leaves_the_directory_alone(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "m")
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    describe(find_model(directory))
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
