"""The values of a program: complete, named as paddle2onnx names them, not changed by asking."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.onnx_values import OnnxValues
from converter.accuracy.paddle_values import PaddleValues
from converter.accuracy.predictor import PaddlePredictor
from converter.bridge.legacy_program import translate_legacy_program
from converter.bridge.program_values import ProgramValues
from converter.bridge.tensor_names import tensor_names, with_copies
from converter.bridge.translate import translate
from converter.model.paddle_dir import find_model
from converter.model.pir_document import load_pir


@pytest.fixture(params=["tiny_pir", "cls_model"])
def program(request, tmp_path):
    """A program in PIR form, its parameters, and inputs for it."""
    model = find_model(request.getfixturevalue(request.param))
    files = (model.program, model.params)
    if model.format == "legacy":
        files = translate_legacy_program(model, tmp_path)
    height = 48 if request.param == "cls_model" else 16
    x = np.random.default_rng(0).normal(size=(1, 3, height, 192)).astype(np.float32)
    return *files, {"x": x}


def test_asking_for_values_changes_no_output(program, tmp_path):
    path, params, inputs = program
    values = ProgramValues(load_pir(path))
    plain = PaddlePredictor(path, params, threads=1).run(inputs, list(values.outputs))
    numbers = [value.number for value in values.values]
    source = PaddleValues(values.fetch, params, tmp_path, threads=1)
    found = dict(source.evaluate(numbers, inputs))
    assert not source.refused
    assert found.keys() == set(numbers)
    fetched = values.fetch(numbers, tmp_path / "all.json")
    outputs = {name: number for number, name in fetched.items() if name in plain}
    assert outputs.keys() == plain.keys()
    for name, number in outputs.items():
        np.testing.assert_array_equal(found[number], plain[name])  # bit for bit


def test_a_value_is_the_same_alone_and_among_others(program, tmp_path):
    path, params, inputs = program
    values = ProgramValues(load_pir(path))
    numbers = [value.number for value in values.values]
    source = PaddleValues(values.fetch, params, tmp_path, threads=1)
    together = dict(source.evaluate(numbers, inputs))
    for number in numbers[:: max(1, len(numbers) // 4)]:
        ((_, alone),) = source.evaluate([number], inputs)
        np.testing.assert_array_equal(alone, together[number])


def test_every_value_has_its_tensor(program, tmp_path):
    """The names that are computed are those in the exported file, and the numbers agree."""
    path, params, inputs = program
    values = ProgramValues(load_pir(path))
    made = translate(load_pir(path), path, params, opset=13, work_dir=tmp_path)
    file = tmp_path / "exported.onnx"
    file.write_bytes(made.model.SerializeToString())
    tensors = OnnxValues(file, tmp_path / "work")
    pairs = {made.names[value.number]: value.number for value in values.values}
    assert pairs.keys() <= set(tensors.names)
    source = PaddleValues(values.fetch, params, tmp_path, threads=1)
    reference = dict(source.evaluate(pairs.values(), inputs))
    for name, value in tensors.evaluate(pairs, inputs):
        expected = reference[pairs[name]].astype(np.float64)
        got = value.astype(np.float64).reshape(expected.shape)
        assert np.abs(got - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max()), name
    chains = with_copies(made.names, made.model)
    assert any(len(chain) > 1 for chain in chains.values())
    assert all(chain[0] == made.names[number] for number, chain in chains.items())


def test_names_without_lowerings_are_those_of_paddle2onnx_alone(tiny_pir):
    names = tensor_names(load_pir(tiny_pir / "inference.json")).values()
    assert {"x", "p2o.pd_op.conv2d.0.0", "p2o.pd_op.full.1.0", "fetch_name_0"} <= set(names)
