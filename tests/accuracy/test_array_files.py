"""Whatever is in a file of arrays, it is read or refused with one clear error."""

from __future__ import annotations

import io
import os
import threading
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converter.accuracy.array_files import read_arrays, read_npz, recorded_inputs
from converter.accuracy.recorded import read_recorded
from converter.errors import InputError

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_npy", ".npy"), data)
    return buffer.getvalue()


def compressed() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, y=np.arange(2000.0))
    return buffer.getvalue()


def changed(data: bytes, at: dict[int, int]) -> bytes:
    return bytes(at.get(index, byte) for index, byte in enumerate(data))


def entry(data: bytes) -> int:
    return data.index(b"PK\1\2")


GOOD = zipped(y_npy=npy(ARRAY))
BROKEN = {
    "text in place of an array": zipped(y=b"hello"),
    "no array under its name": zipped(y_npy=b"hello"),
    "a header that ends": zipped(y_npy=header("(2,,")),
    "more than there is memory": zipped(y_npy=header("(99999999999999,)")),
    "less than the header says": zipped(y_npy=header("(9,)")),
    "a damaged stream": changed(compressed(), dict.fromkeys(range(200, 2000, 7), 0xA5)),
    "a password": changed(GOOD, {6: 1, entry(GOOD) + 8: 1}),
    "an unknown method": changed(GOOD, {8: 99, entry(GOOD) + 10: 99}),
    "no zip": b"PK\3\4 no zip",
    "Python objects": zipped(y_npy=npy(np.zeros(2, "f4")).replace(b"'<f4'", b"'|O' ")),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_one_clear_error(what: str, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(BROKEN[what])
    with pytest.raises(InputError, match=r"data\.npz") as caught:
        read_npz(path)
    assert caught.value.hint


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(0, len(GOOD) - 1), st.integers(0, 255), max_size=4))
def test_no_damage_escapes(tmp_path: Path, at: dict[int, int]) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(changed(GOOD, at))
    try:
        found = read_npz(path)
    except InputError as error:
        assert error.hint
    else:
        assert all(isinstance(array, np.ndarray) for array in found.values())


def test_an_array_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(npy(ARRAY))
    np.testing.assert_array_equal(read_arrays(path), ARRAY)
    with pytest.raises(InputError, match="without a name"):
        read_npz(path)


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("y.npy", npy(ARRAY))
        archive.writestr("y.npy", npy(ARRAY + 1))
    with pytest.raises(InputError, match="same name"):
        read_npz(path)


def test_arrays_have_the_byte_order_of_the_machine(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", y=ARRAY.astype(">f4"), i=np.array([1, 2], ">i8"))
    found = read_npz(tmp_path / "data.npz")
    assert all(array.dtype.isnative for array in found.values())
    np.testing.assert_array_equal(found["y"], ARRAY)


def test_inputs_of_a_record_lose_their_prefix() -> None:
    assert list(recorded_inputs({"input:x": ARRAY, "output:y": ARRAY})) == ["x"]
    assert list(recorded_inputs({"x": ARRAY})) == ["x"]


def test_an_array_of_a_record_that_is_neither_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **{"output:y": ARRAY, "z": ARRAY})
    with pytest.raises(InputError, match="holds z: neither input nor output"):
        read_recorded(path, plain=True)
    np.savez(path, y=ARRAY, z=ARRAY)
    assert list(read_recorded(path, plain=True)[1]) == ["y", "z"]


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_files_bytes_are_not_held_beside_its_arrays(tmp_path: Path, suffix: str) -> None:
    path, big = tmp_path / f"data.{suffix}", np.zeros(4 << 20, np.float32)
    (np.save if suffix == "npy" else np.savez)(path, big)
    tracemalloc.start()
    try:
        read_arrays(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * big.nbytes


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(GOOD,))
    writer.start()
    found = read_npz(path)
    writer.join()
    np.testing.assert_array_equal(found["y"], ARRAY)


@pytest.mark.parametrize("name", ["empty", "folder", "none"])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    words = {"empty": "is empty", "folder": "is a directory", "none": "does not exist"}
    with pytest.raises(InputError, match=words[name]) as caught:
        read_arrays(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize("shape", ["(99999999999999,)", "(9,)", "(2,,"])
def test_a_header_that_is_not_true(tmp_path: Path, shape: str) -> None:
    (tmp_path / "a.npy").write_bytes(header(shape))
    with pytest.raises(InputError, match=r"a\.npy") as caught:
        read_arrays(tmp_path / "a.npy")
    assert caught.value.hint
