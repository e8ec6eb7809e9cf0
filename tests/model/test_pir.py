from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from converter.errors import InputError
from converter.model.pir import describe_pir, read_pir
from converter.model.pir_document import parse_pir
from converter.model.pir_types import DTYPES
from converter.model.program import ITEM_BYTES, ProgramDescription
from tests.model.builders import (
    TINY_PIR,
    attr,
    data_op,
    document,
    dump,
    fetch_op,
    flipped,
    operation,
    parameter,
    small_pir,
    tensor_type,
)


def describe(content: Any) -> ProgramDescription:
    return describe_pir(parse_pir(dump(content), source="made up"), source="made up")


def fails(data: bytes, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        describe_pir(parse_pir(data, source="made.json"), source="made.json")
    for word in ("made.json", *words):
        assert word in caught.value.message
    assert caught.value.hint


def test_real_model() -> None:
    program = read_pir(TINY_PIR / "inference.json")
    assert [str(spec) for spec in program.inputs] == ["x float32[batch,3,height,width]"]
    assert [(spec.name, spec.dtype, spec.rank) for spec in program.outputs] == [
        ("fetch_name_0", "float32", 4),
        ("fetch_name_1", "int64", 3),
    ]
    assert program.pir_version == 4
    assert program.paddle_version is None
    assert {parameter.name: parameter.shape for parameter in program.parameters} == {
        "batch_norm2d_0.w_2": (4,),
        "batch_norm2d_0.w_1": (4,),
        "batch_norm2d_0.b_0": (4,),
        "batch_norm2d_0.w_0": (4,),
        "conv2d_0.b_0": (4,),
        "conv2d_0.w_0": (4, 3, 3, 3),
    }
    assert sum(parameter.nbytes for parameter in program.parameters) == 512


def test_a_parameter_that_is_not_saved_is_none() -> None:
    """Every recurrent layer declares its dropout state."""
    kind = tensor_type("0.t_f32", [2])
    state = parameter("lstm_0.dropout_state", 3, tensor_type("0.t_ui8", [])) | {"OA": [0, 1, 0]}
    kept = parameter("w", 1, kind) | {"OA": [1, 0, 1]}
    program = describe_pir(
        document([state, kept, data_op("x", 2, kind), fetch_op("y", 0, 2, kind)]), source="it"
    )
    assert [item.name for item in program.parameters] == ["w"]


def test_operators_in_bodies_are_counted_and_parameters_are_not() -> None:
    operators = read_pir(TINY_PIR / "inference.json").operators
    assert operators["pd_op.if"] == 1
    assert operators["cf.yield"] == 2
    assert operators["pd_op.sigmoid"] == 1  # only in the body of the if
    assert operators["pd_op.conv2d"] == 1
    assert "builtin.parameter" not in operators


@pytest.mark.parametrize(("code", "dtype"), sorted(DTYPES.items()))
def test_every_dtype(code: str, dtype: str) -> None:
    kind = tensor_type(code, [2])
    program = describe(
        document([parameter("w", 1, kind), data_op("x", 2, kind), fetch_op("y", 0, 2, kind)])
    )
    assert program.inputs[0].dtype == program.outputs[0].dtype == dtype
    assert program.parameters[0].nbytes == 2 * ITEM_BYTES[dtype]


def test_outputs_follow_their_column_and_inputs_theirs() -> None:
    kind = tensor_type("0.t_f32", [1])
    feeds = [
        operation(
            "1.feed", [attr("name", "0.a_str", name), attr("col", "0.a_i32", col)], [], {col: kind}
        )
        for name, col in (("second", 2), ("first", 1))
    ]
    program = describe(
        document(
            [*feeds, data_op("data", 3, kind), fetch_op("b", 1, 1, kind), fetch_op("a", 0, 2, kind)]
        )
    )
    assert [spec.name for spec in program.inputs] == ["data", "first", "second"]
    assert [spec.name for spec in program.outputs] == ["a", "b"]


def test_shadow_output_takes_its_type_from_the_operand() -> None:
    kind = tensor_type("0.t_i64", [-1, 7])
    shadow = operation("0.shadow_output", [attr("output_name", "0.a_str", "out")], [2])
    program = describe(document([data_op("x", 2, kind), shadow]))
    assert [str(spec) for spec in program.outputs] == ["out int64[out_axis0,7]"]


def test_scalar_and_dynamic_shapes() -> None:
    program = describe(
        document(
            [
                data_op("x", 1, tensor_type("0.t_f32", [-1, 3, -1, -1])),
                data_op("s", 2, tensor_type("0.t_f32", [])),
                fetch_op("y", 0, 2, tensor_type("0.t_f32", [])),
            ]
        )
    )
    assert program.inputs[0].shape == ("batch", 3, "height", "width")
    assert program.inputs[1].shape == program.outputs[0].shape == ()


def test_program_without_inputs_is_allowed() -> None:
    kind = tensor_type("0.t_f32", [1])
    program = describe(
        document([operation("1.full", [], [], {1: kind}), fetch_op("y", 0, 1, kind)])
    )
    assert program.inputs == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe\x00", ["UTF-8", "byte 0"]),
        (b"{\n  nonsense", ["not JSON", "line 2", "column 3"]),
        (b'{"a": [1, 2', ["too early", "line 1"]),
        (b'{"a": "text', ["too early"]),
        (b"[1, 2]", ["no base_code"]),
        (b'{"model_type": "bert"}', ["no base_code"]),
        (b'{"base_code": {"magic": "pis"}}', ["magic", "'pis'"]),
        (b'{"base_code": {}}', ["magic"]),
        (b"[" * 100_000, ["usable JSON"]),
        (b'{"a": ' + b"1" * 5000 + b"}", ["usable JSON"]),
    ],
)
def test_not_a_pir_document(data: bytes, words: list[str]) -> None:
    fails(data, *words)


def at(content: Any, path: list[Any]) -> Any:
    for key in path:
        content = content[key]
    return content


OPS = ["program", "regions", 0, "blocks", 0, "ops"]


@pytest.mark.parametrize("wrong", [None, 7, "text", [], {}, True, 1e300, "\ud800"])
@pytest.mark.parametrize(
    "path",
    [
        ["base_code", "version"],
        ["program"],
        ["program", "regions"],
        ["program", "regions", 0],
        ["program", "regions", 0, "blocks"],
        OPS,
        [*OPS, 0],
        [*OPS, 0, "#"],
        [*OPS, 0, "A"],
        [*OPS, 0, "A", 3],
        [*OPS, 0, "O"],
        [*OPS, 0, "O", "TT"],
        [*OPS, 0, "O", "TT", "D"],
        [*OPS, 0, "O", "TT", "D", 0],
        [*OPS, 0, "O", "TT", "D", 1],
        [*OPS, 0, "O", "TT", "D", 1, 0],
        [*OPS, 1, "A"],
        [*OPS, 1, "A", 0],
        [*OPS, 1, "A", 0, "AT"],
        [*OPS, 1, "A", 0, "AT", "D"],
        [*OPS, 1, "O"],
        [*OPS, 1, "O", 0],
        [*OPS, 4, "I"],
        [*OPS, 4, "I", 0, "%"],
        [*OPS, 4, "A", 1, "AT", "D"],
    ],
)
def test_wrong_types_end_in_an_input_error_or_a_description(path: list[Any], wrong: Any) -> None:
    content = copy.deepcopy(small_pir())
    at(content, path[:-1])[path[-1]] = wrong
    assert described_or_refused(json.dumps(content).encode())
    if isinstance(at(content, path[:-1]), dict):
        del at(content, path[:-1])[path[-1]]
        assert described_or_refused(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ops: ops.pop(), ["no fetch"]),
        (lambda ops: ops[0]["O"]["TT"]["D"].__setitem__(1, [-1]), ["w", "dynamic"]),
        (lambda ops: ops[1]["O"].clear(), ["input x", "dense tensor"]),
        (lambda ops: ops[4].update(I=[{"%": 99}]), ["output out", "dense tensor"]),
        (lambda ops: ops[1]["O"][0]["TT"]["D"][0].update({"#": "0.t_f9"}), ["input x"]),
        (lambda ops: ops[2].update(regions=[{"blocks": [{"ops": [3]}]}]), ["an operator is 3"]),
        (lambda ops: ops[1]["O"][0]["TT"]["D"].__setitem__(1, [1] * 99), ["99 axes"]),
    ],
)
def test_malformed_programs_say_what_is_wrong(change: Any, words: list[str]) -> None:
    content = small_pir()
    change(at(content, OPS))
    fails(dump(content), *words)


def test_missing_empty_and_pointer_files(tmp_path: Path) -> None:
    for content in (None, b"", b"version https://git-lfs.github.com/spec/v1\n"):
        path = tmp_path / "inference.json"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_pir(path)
        assert "inference.json" in caught.value.message
        assert caught.value.hint


def described_or_refused(data: bytes) -> bool:
    """Anything but an InputError or a well-formed description escapes and fails the test."""
    try:
        program = describe_pir(parse_pir(data, source="fuzz"), source="fuzz")
    except InputError as error:
        return bool(error.message and error.hint)
    specs = (*program.inputs, *program.outputs)
    names = [spec.name for spec in specs] + [item.name for item in program.parameters]
    assert all(name.encode() for name in names)
    assert all(extent >= 0 for item in program.parameters for extent in item.shape)
    assert all(item.nbytes >= 0 for item in program.parameters)
    return bool(program.outputs)


def test_flipped_bytes_never_escape() -> None:
    data = (TINY_PIR / "inference.json").read_bytes()
    assert all(map(described_or_refused, flipped(data, 2000, seed=1)))
    assert all(map(described_or_refused, flipped(data, 2000, seed=2, plausible=True)))


def test_truncated_files_are_refused() -> None:
    data = (TINY_PIR / "inference.json").read_bytes().rstrip()
    for length in range(1, len(data), 97):
        with pytest.raises(InputError):
            parse_pir(data[:length], source="cut")
