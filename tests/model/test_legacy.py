from __future__ import annotations

from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.legacy import describe_legacy, read_legacy
from tests.model.builders import (
    LEGACY_CLS,
    field,
    flipped,
    op_desc,
    program_desc,
    small_legacy,
    tensor_desc,
    variable,
    varint,
)

FEED = op_desc("feed", {"X": "feed"}, {"Out": "x"}, 0)
FETCH = op_desc("fetch", {"X": "x"}, {"Out": "fetch"}, 0)
X = variable("x", [-1, 4])


def fails(data: bytes, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        describe_legacy(data, source="made.pdmodel")
    for word in ("made.pdmodel", *words):
        assert word in caught.value.message
    assert caught.value.hint


def test_real_model() -> None:
    program = read_legacy(LEGACY_CLS / "inference.pdmodel")
    assert program.format == "legacy"
    assert [str(spec) for spec in program.inputs] == ["x float32[batch,3,height,width]"]
    assert [spec.name for spec in program.outputs] == ["softmax_0.tmp_0"]
    assert program.outputs[0].shape[-1] == 2
    assert program.paddle_version == "2.3.2"
    assert program.pir_version is None
    assert len(program.parameters) == 213
    assert sum(parameter.nbytes for parameter in program.parameters) == 534_512
    assert program.operators["conv2d"] == 42
    assert program.operators["batch_norm"] == 35


def test_made_up_model() -> None:
    program = describe_legacy(small_legacy(), source="made up")
    assert [str(spec) for spec in program.inputs] == ["x float32[batch,4]"]
    assert [str(spec) for spec in program.outputs] == ["y float32[y_axis0,4]"]
    assert [(item.name, item.shape) for item in program.parameters] == [("w", (4,))]
    assert program.operators == {"feed": 1, "elementwise_mul": 1, "relu": 1, "fetch": 1}
    assert program.paddle_version == "2.4.1"


def test_order_is_the_column_not_the_position() -> None:
    data = program_desc(
        X
        + variable("z", [2], dtype=3)
        + op_desc("feed", {}, {"Out": "z"}, 1)
        + FEED
        + op_desc("fetch", {"X": "x"}, {}, 1)
        + op_desc("fetch", {"X": "z"}, {}, 0)
    )
    program = describe_legacy(data, source="made up")
    assert [(spec.name, spec.dtype) for spec in program.inputs] == [
        ("x", "float32"),
        ("z", "int64"),
    ]
    assert [spec.name for spec in program.outputs] == ["z", "x"]


def test_operators_and_parameters_of_sub_blocks() -> None:
    body = variable("inner_w", [3], persistable=True) + op_desc("tanh", {"X": "x"}, {"Out": "x"})
    data = program_desc(X + FEED + op_desc("while", {}, {}) + FETCH, body)
    program = describe_legacy(data, source="made up")
    assert program.operators == {"feed": 1, "while": 1, "fetch": 1, "tanh": 1}
    assert [item.name for item in program.parameters] == ["inner_w"]


def test_packed_extents_and_unknown_fields() -> None:
    packed = field(1, 5) + field(2, varint(-1) + varint(8)) + field(99, b"later")
    kind = field(1, 7) + field(3, field(1, packed) + field(2, 0))
    data = program_desc(field(3, field(1, "x") + field(2, kind)) + FEED + FETCH)
    program = describe_legacy(data, source="made up")
    assert program.inputs[0].shape == ("batch", 8)


@pytest.mark.parametrize(
    ("version", "text"), [(0, None), (1008005, "1.8.5"), (2006002, "2.6.2"), (-1, None)]
)
def test_versions(version: int, text: str | None) -> None:
    program = describe_legacy(program_desc(X + FEED + FETCH, version=version), source="made up")
    assert program.paddle_version == text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x00\x00", ["field number 0"]),
        (b"not a program at all", []),
        (b"\xff" * 40, ["number"]),
        (b"\x0a\xff\xff\xff\xff\x0f", ["wants"]),
        (b"\x0b", ["wire type 3"]),
        (field(4, field(1, 1)), ["no blocks"]),
        (field(1, 3), ["number where a message"]),
        (program_desc(X + FEED), ["no fetch"]),
        (program_desc(FEED + FETCH), ["'x'", "declares"]),
        (program_desc(variable("x", [], kind=9) + FETCH), ["'x'", "dense tensor"]),
        (program_desc(variable("x", [1], dtype=7) + FETCH), ["7", "data type"]),
        (program_desc(variable("x", [1] * 99) + FETCH), ["99 axes"]),
        (program_desc(X + variable("w", [-1], persistable=True) + FETCH), ["'w'", "dynamic"]),
        (program_desc(X + variable("w", [], kind=8, persistable=True) + FETCH), ["'w'", "dense"]),
        (program_desc(field(3, field(2, tensor_desc(5, [])))), []),
        (program_desc(field(4, b"")), ["no type"]),
        (program_desc(field(3, field(1, b"\xff"))), ["UTF-8"]),
        (program_desc(field(3, field(1, 5))), ["number where"]),
        (program_desc(field(3, field(1, "x") + field(3, "yes"))), ["bytes where"]),
    ],
)
def test_damaged_programs(data: bytes, words: list[str]) -> None:
    fails(data, *words)


@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_missing_empty_and_pointer_files(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "inference.pdmodel"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_legacy(path)
    assert "inference.pdmodel" in caught.value.message
    assert caught.value.hint


def described_or_refused(data: bytes) -> bool:
    """Anything but an InputError or a well-formed description escapes and fails the test."""
    try:
        program = describe_legacy(data, source="fuzz")
    except InputError as error:
        return bool(error.message and error.hint)
    assert all(spec.name.encode() for spec in (*program.inputs, *program.outputs))
    return all(item.nbytes >= 0 for item in program.parameters)


def test_flipped_bytes_never_escape() -> None:
    assert all(map(described_or_refused, flipped(small_legacy(), 2000, seed=2)))
    assert all(map(described_or_refused, flipped(small_legacy(), 2000, seed=4, plausible=True)))
    real = (LEGACY_CLS / "inference.pdmodel").read_bytes()
    assert all(map(described_or_refused, flipped(real, 60, seed=3)))


def test_truncated_files_are_refused_or_whole_messages() -> None:
    data = small_legacy()
    for length in range(len(data)):
        assert described_or_refused(data[:length])
    fails(data[: len(data) // 2])


def test_truncated_real_file() -> None:
    fails((LEGACY_CLS / "inference.pdmodel").read_bytes()[:100_000], "wants", "left")
