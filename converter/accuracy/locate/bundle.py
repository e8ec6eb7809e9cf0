"""The repro bundle: a small model, what goes in, what should come out, and a script that compares.

The script needs onnxruntime and numpy alone, so that it can be attached to a bug report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converter.accuracy.onnx_values import OnnxValues
from converter.resources import template_dir

if TYPE_CHECKING:
    import onnx

MODEL, INPUTS, EXPECTED, SCRIPT, ABOUT = (
    "model.onnx",
    "inputs.npz",
    "expected.npz",
    "repro.py",
    "about.json",
)

#: From here on the weights go into a file of their own.
_LARGEST = 1900 << 20


def write_bundle(
    directory: Path,
    candidate: OnnxValues,
    given: Mapping[str, NDArray[Any]],
    tensor: str,
    expected: NDArray[Any],
    made: NDArray[Any] | None,
    about: Mapping[str, Any],
) -> list[Path]:
    """Write the bundle of what makes ``tensor`` out of ``given``; return its files.

    ``expected`` is the reference's value of it, ``made`` the candidate's, which may be of another
    dtype, or None where it cannot be computed; ``about`` is what is said of the place.
    """
    directory.mkdir(parents=True, exist_ok=True)
    value = expected if made is None else made
    model = candidate.whole_part(given, tensor, value.dtype, value.shape)
    _save(model, directory / MODEL)
    np.savez(directory / INPUTS, **{name: given[name] for name in given})  # type: ignore[arg-type]
    np.savez(directory / EXPECTED, **{tensor: expected})  # type: ignore[arg-type]
    (directory / ABOUT).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8")
    script = (template_dir() / "locate" / f"{SCRIPT}.txt").read_bytes()
    (directory / SCRIPT).write_bytes(script)
    return sorted(directory.iterdir())


def _save(model: onnx.ModelProto, path: Path) -> None:
    import onnx

    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > _LARGEST
    onnx.save_model(
        model,
        str(path),
        save_as_external_data=large,
        location=f"{path.name}.data" if large else None,
    )
