"""User data: what is read, and that every mistake is one error."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.user_data import check_data, read_data
from converter.errors import InputError
from converter.model.inference_yml import InferenceYml
from converter.model.tensor import TensorSpec

X = TensorSpec(name="x", dtype="float32", shape=("n", 3))
IDS = TensorSpec(name="ids", dtype="int64", shape=("n", 1))
GOOD = np.ones((2, 3), np.float32)


def read(path, *specs):
    return read_data([str(path)], specs or (X,), InferenceYml())


def test_arrays_of_one_and_several_inputs(tmp_path):
    np.savez(tmp_path / "b.npz", x=GOOD)
    np.save(tmp_path / "a.npy", GOOD[:1])
    first, second = read(tmp_path)
    assert first.label == "data a.npy x=1x3"
    assert second.label == "data b.npz x=2x3"
    np.testing.assert_array_equal(second.inputs["x"], GOOD)

    (tmp_path / "case").mkdir()
    np.save(tmp_path / "case" / "x.npy", GOOD)
    np.save(tmp_path / "case" / "ids.npy", np.zeros((2, 1), np.int64))
    (case,) = read(tmp_path / "case", X, IDS)
    assert list(case.inputs) == ["x", "ids"]


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"y": GOOD}, "has the arrays y"),
        ({"x": GOOD.astype(np.float64)}, "not float32"),
        ({"x": GOOD[:, :2]}, "does not fit"),
        ({"x": GOOD[0]}, "does not fit"),
        ({"x": GOOD[:0]}, "nothing to compare"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, told):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=told) as raised:
        read(tmp_path / "bad.npz")
    assert "float32" in raised.value.hint


def test_files_that_cannot_be_used_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4 cut off")
    for name, told in (
        ("empty", "no arrays or images"),
        ("notes.txt", "not a kind of file"),
        ("missing.npz", "no such file"),
    ):
        with pytest.raises(InputError, match=told):
            check_data([str(tmp_path / name)])
    with pytest.raises(InputError, match="not a file of NumPy arrays"):
        read(tmp_path / "broken.npz")
    (tmp_path / "broken.npz").write_bytes(b"text")
    with pytest.raises(InputError, match=r"neither an [.]npy file nor a zip file of them"):
        read(tmp_path / "broken.npz")
    (tmp_path / "page.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="does not say how images are prepared"):
        read(tmp_path / "page.png")
