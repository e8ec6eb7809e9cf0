"""The script of the bundle: it says what the search said, with numpy and ONNX Runtime alone."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from converter.accuracy.locate.bundle import SCRIPT, write_bundle
from converter.accuracy.locate.difference import difference
from converter.accuracy.onnx_values import OnnxValues

SOME = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)
MANY = np.arange(100_000)
MASKED = np.where(np.arange(32) % 5 == 0, -1e9, SOME.reshape(-1)).astype(np.float32)
INFINITE = np.where(np.arange(32) % 5 == 0, np.inf, SOME.reshape(-1)).astype(np.float32)


def ends(directory: Path, found: NDArray, expected: NDArray) -> int:
    """The exit code of a bundle in which the model gives ``found``."""
    kind = helper.np_dtype_to_tensor_dtype(found.dtype)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"], "copy")],
        "copy",
        [helper.make_tensor_value_info("x", kind, found.shape)],
        [helper.make_tensor_value_info("y", kind, found.shape)],
    )
    path = directory / "copy.onnx"
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    values = OnnxValues(path, directory / "work")
    about = {"operator": "copy", "location": "", "causes": []}
    write_bundle(directory / "repro", values, {"x": found}, "y", expected, found, about)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(directory / "repro" / SCRIPT))
    return 1 if isinstance(ended.value.code, str) else int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (SOME, SOME),
        (SOME * np.float32(1 + 1e-5), SOME),
        (SOME * np.float32(1 + 1e-4), SOME),
        (SOME[None], SOME),
        (SOME.T.copy(), SOME),
        (SOME.reshape(8, 4), SOME),
        (SOME.astype(np.float16), SOME),
        (SOME.astype(np.float16) * np.float16(1.2), SOME),
        (MANY, MANY),
        (MANY + (MANY == 7), MANY),
        (MANY.astype(np.float32), MANY),
        (SOME > 0, SOME > 0),
        (SOME > 0, SOME >= -1),
        (MASKED, MASKED),
        (np.where(MASKED < -1, MASKED, MASKED * 1.5).astype(np.float32), MASKED),
        (INFINITE, INFINITE),
        (np.where(np.isinf(INFINITE), -INFINITE, INFINITE), INFINITE),
        (np.where(np.isinf(INFINITE), np.float32(np.nan), INFINITE), INFINITE),
        (np.where(np.isinf(INFINITE), np.float32(1), INFINITE), INFINITE),
        (SOME[:0], SOME[:0]),
    ],
)
def test_the_script_says_what_the_search_says(
    tmp_path: Path, found: NDArray, expected: NDArray
) -> None:
    assert ends(tmp_path, found, expected) == difference(expected, found).matters
