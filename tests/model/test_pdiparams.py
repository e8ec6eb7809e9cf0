from __future__ import annotations

import struct
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.legacy import read_legacy
from converter.model.pdiparams import ParamHeader, check_parameters, read_headers
from converter.model.pir import read_pir
from converter.model.program import Parameter
from converter.model.tensor_desc import DTYPES
from tests.model.builders import LEGACY_CLS, TINY_PIR, flipped, record, tensor_desc

TWO = record([2, 3], bytes(24)) + record([4], bytes(32), dtype=3)


def headers_of(tmp_path: Path, data: bytes, expected: int | None = None) -> tuple[ParamHeader, ...]:
    path = tmp_path / "made.pdiparams"
    path.write_bytes(data)
    return read_headers(path, expected=expected)


def fails(tmp_path: Path, data: bytes, *words: str, expected: int | None = None) -> None:
    with pytest.raises(InputError) as caught:
        headers_of(tmp_path, data, expected)
    for word in ("made.pdiparams", *words):
        assert word in caught.value.message
    assert caught.value.hint


def test_real_legacy_stream_matches_its_program() -> None:
    program = read_legacy(LEGACY_CLS / "inference.pdmodel")
    path = LEGACY_CLS / "inference.pdiparams"
    headers = read_headers(path, expected=213)
    named = check_parameters(program.parameters, headers)
    assert [header.name for header in named] == sorted(item.name for item in program.parameters)
    assert sum(header.nbytes for header in named) == 534_512
    assert named[-1].offset + named[-1].nbytes == path.stat().st_size


def test_real_pir_stream_matches_its_program() -> None:
    program = read_pir(TINY_PIR / "inference.json")
    path = TINY_PIR / "inference.pdiparams"
    named = check_parameters(program.parameters, read_headers(path))
    assert sum(header.nbytes for header in named) == 512
    # A batch norm's scale starts as ones, its running mean as zeros: positions tell the names.
    stored = path.read_bytes()
    values = {
        header.name: stored[header.offset : header.offset + header.nbytes] for header in named
    }
    assert struct.unpack("<4f", values["batch_norm2d_0.w_0"]) == (1.0, 1.0, 1.0, 1.0)
    assert struct.unpack("<4f", values["batch_norm2d_0.w_1"]) == (0.0, 0.0, 0.0, 0.0)
    assert struct.unpack("<4f", values["batch_norm2d_0.w_2"]) == (1.0, 1.0, 1.0, 1.0)


def test_headers(tmp_path: Path) -> None:
    first, second = headers_of(tmp_path, TWO)
    assert (first.name, first.dtype, first.shape, first.nbytes) == (None, "float32", (2, 3), 24)
    assert (second.dtype, second.shape, second.nbytes) == ("int64", (4,), 32)
    assert second.offset + second.nbytes == len(TWO)


@pytest.mark.parametrize(("code", "dtype"), sorted(DTYPES.items()))
def test_every_dtype(tmp_path: Path, code: int, dtype: str) -> None:
    width = Parameter("w", dtype, (1,)).nbytes
    (header,) = headers_of(tmp_path, record([5], bytes(5 * width), dtype=code))
    assert (header.dtype, header.nbytes) == (dtype, 5 * width)


def test_scalars_empty_tensors_and_levels_of_detail(tmp_path: Path) -> None:
    data = record([], bytes(4)) + record([0, 3], b"") + record([1], bytes(4), levels=[bytes(16)])
    assert [header.nbytes for header in headers_of(tmp_path, data)] == [4, 0, 4]


def test_truncated_data_says_where_and_how_much(tmp_path: Path) -> None:
    fails(tmp_path, TWO[:-5], "cut short", "tensor 2 of 2", "5 bytes are missing", expected=2)
    fails(tmp_path, TWO[:-5], "cut short at tensor 2:", "5 bytes are missing")


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = len(record([2, 3], bytes(24)))
    for length in range(1, len(TWO)):
        if length == whole:
            assert len(headers_of(tmp_path, TWO[:length])) == 1
        else:
            fails(tmp_path, TWO[:length], "missing")


def test_missing_whole_tensors_are_a_count_mismatch(tmp_path: Path) -> None:
    headers = headers_of(tmp_path, record([2], bytes(8)), expected=2)
    wanted = [Parameter("a", "float32", (2,)), Parameter("b", "float32", (2,))]
    with pytest.raises(InputError, match="2 parameters, the file 1 tensor") as caught:
        check_parameters(wanted, headers)
    assert "another model" in caught.value.message
    assert caught.value.hint


def test_trailing_bytes(tmp_path: Path) -> None:
    fails(tmp_path, TWO + b"\1\2\3", "3 bytes after its last tensor", expected=2)
    fails(tmp_path, TWO + bytes(7), "7 bytes after its last tensor", expected=2)
    fails(tmp_path, TWO + b"\1" * 40, "damaged at tensor 3", "version")


def test_empty_missing_and_directory(tmp_path: Path) -> None:
    fails(tmp_path, b"", "is empty")
    for path, words in ((tmp_path / "gone", "does not exist"), (tmp_path, "directory")):
        with pytest.raises(InputError, match=words) as caught:
            read_headers(path)
        assert caught.value.hint


def broken(desc: bytes, *, size: int | None = None, levels: int = 0) -> bytes:
    size = len(desc) if size is None else size
    return struct.pack("<IQIi", 0, levels, 0, size) + desc


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (broken(b"", size=-1), ["-1 bytes"]),
        (broken(b"", size=0), ["0 bytes"]),
        (broken(b"", size=2**31 - 1), ["bytes"]),
        (broken(b"", levels=2**60), ["levels"]),
        (broken(tensor_desc(7, [1])), ["data type"]),
        (broken(tensor_desc(5, [-1])), ["negative"]),
        (broken(tensor_desc(5, [2**62, 2**62])), ["missing"]),
        (broken(b"\x0a\x7f"), ["wants"]),
        (b"hello, this is some text file", ["version"]),
    ],
)
def test_damaged_headers(tmp_path: Path, data: bytes, words: list[str]) -> None:
    fails(tmp_path, data, "tensor 1", *words)


@pytest.mark.parametrize(
    "found", [Parameter("", "float32", (3, 2)), Parameter("", "float16", (2, 3))]
)
def test_first_mismatch_is_named(found: Parameter) -> None:
    header = ParamHeader(None, found.dtype, found.shape, 0, found.nbytes)
    good = ParamHeader(None, "float32", (1,), 0, 4)
    wanted = [Parameter("b.w", "float32", (2, 3)), Parameter("a.w", "float32", (1,))]
    with pytest.raises(InputError) as caught:
        check_parameters(wanted, [good, header])
    assert "b.w" in caught.value.message
    assert found.dtype in caught.value.message
    assert str(list(found.shape)) in caught.value.message
    assert caught.value.hint


def test_flipped_bytes_never_escape(tmp_path: Path) -> None:
    refused = 0
    for changed in flipped(TWO, 400, seed=4):
        try:
            headers = headers_of(tmp_path, changed, expected=2)
        except InputError as error:
            refused += bool(error.hint)
        else:
            assert all(header.nbytes >= 0 for header in headers)
    assert refused > 100  # most of the bytes are headers


def test_flipped_bytes_of_a_real_file(tmp_path: Path) -> None:
    program = read_pir(TINY_PIR / "inference.json")
    data = (TINY_PIR / "inference.pdiparams").read_bytes()
    outcomes: set[object] = set()
    for changed in flipped(data, 300, seed=5):
        try:
            check_parameters(program.parameters, headers_of(tmp_path, changed))
        except InputError as error:
            outcomes.add("damaged" in error.message or "cut short" in error.message)
        else:
            outcomes.add("not noticed")
    # A changed weight cannot be noticed; every change of a header is.
    assert outcomes == {True, "not noticed"}
