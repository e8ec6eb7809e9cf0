"""What the user wants a model compared on: arrays, and images through its own preprocessing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from converter.accuracy.array_files import read_arrays, recorded_inputs
from converter.accuracy.preprocess.chain import inputs_of_image
from converter.errors import InputError
from converter.model.inference_yml import InferenceYml
from converter.model.tensor import TensorSpec

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
ARRAYS = (".npy", ".npz")

#: Cases of user data per model: inputs and both models' outputs are held while they are compared.
MOST_CASES = 64

_KINDS = "give .npz or .npy files, PNG or JPEG images, or a folder of them"


class Given(NamedTuple):
    """One case of the user's: a name that is unique in the run, and every input of the model."""

    label: str
    inputs: Arrays


def data_files(path: Path) -> list[Path]:
    """The files that ``path`` stands for, sorted by name; others in a folder are passed over.

    Raises ``InputError`` when there is none, or ``path`` is of no kind that can be read.
    """
    if path.is_dir():
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in IMAGES + ARRAYS and not file.name.startswith(".")
        )
        if not files:
            raise InputError(f"--data {path}: no arrays or images in this folder", hint=_KINDS)
        return files
    if not path.exists():
        raise InputError(f"--data {path}: there is no such file or folder", hint=_KINDS)
    if path.suffix.lower() not in IMAGES + ARRAYS:
        raise InputError(f"--data {path}: not a kind of file that can be compared on", hint=_KINDS)
    return [path]


def check_data(paths: Iterable[str]) -> None:
    """Check what needs no model. Raises ``InputError``."""
    count = sum(len(data_files(Path(path))) for path in paths)
    if count > MOST_CASES:
        raise InputError(
            f"--data names {count} files; at most {MOST_CASES} are compared on",
            hint="choose the ones that matter: each is run in Paddle and in ONNX Runtime",
        )


def read_data(
    paths: Iterable[str], specs: tuple[TensorSpec, ...], yml: InferenceYml
) -> tuple[Given, ...]:
    """Read every case and check it against the model's inputs.

    In a folder, ``.npy`` files that are called as the inputs of a model with several make one case
    together; any other file is a case of its own. Raises ``InputError``.
    """
    cases: list[Given] = []
    for path in map(Path, paths):
        files = data_files(path)
        parts = [file for file in files if file.suffix.lower() == ".npy"]
        if len(specs) > 1 and parts:
            together: Arrays = {file.stem: _load(file)[""] for file in parts}
            cases.append(Given(path.name, checked_inputs(together, specs, path)))
            files = [file for file in files if file not in parts]
        for file in files:
            made = _file_inputs(file, specs, yml)
            cases.append(Given(file.name, checked_inputs(made, specs, file)))
    return tuple(
        Given(_label(case, [other.label for other in cases[:index]]), case.inputs)
        for index, case in enumerate(cases)
    )


def _file_inputs(file: Path, specs: tuple[TensorSpec, ...], yml: InferenceYml) -> Arrays:
    if file.suffix.lower() in IMAGES:
        return inputs_of_image(file, yml, specs)
    loaded = _load(file)
    return {specs[0].name: loaded[""]} if "" in loaded and len(specs) == 1 else loaded


def _load(file: Path) -> Arrays:
    """The arrays of a file by name; that of an ``.npy`` has the name ""."""
    named = read_arrays(file)
    return recorded_inputs(named) if isinstance(named, dict) else {"": named}


def checked_inputs(made: Arrays, specs: tuple[TensorSpec, ...], path: Path) -> Arrays:
    """The arrays in the model's order, when they are what it takes. Raises ``InputError``."""
    wanted = ", ".join(map(str, specs)) or "none"
    if sorted(made) != sorted(spec.name for spec in specs):
        has = ", ".join(name or "one without a name" for name in made) or "none"
        raise InputError(f"{path} has the arrays {has}", hint=f"the model's inputs are {wanted}")
    extents: dict[str, int] = {}
    for spec in specs:
        array = made[spec.name]
        told = f"{path}: {spec.name} is {array.dtype} {list(array.shape)}"
        if array.dtype.name != spec.dtype:
            raise InputError(f"{told}, not {spec.dtype}", hint=f"the model's inputs are {wanted}")
        if array.size == 0:
            raise InputError(f"{told}: nothing to compare", hint=f"the inputs are {wanted}")
        fits = array.ndim == spec.rank and all(
            extent == (extents.setdefault(dim, extent) if isinstance(dim, str) else dim)
            for dim, extent in zip(spec.shape, array.shape, strict=True)
        )
        if not fits:
            raise InputError(f"{told} and does not fit", hint=f"the model's inputs are {wanted}")
    return {spec.name: np.ascontiguousarray(made[spec.name]) for spec in specs}


def _label(case: Given, before: list[str]) -> str:
    """``data page.png x=1x3x640x960``; the second file of a name says so."""
    again = before.count(case.label)
    name = f"{case.label} #{again + 1}" if again else case.label
    shapes = (f"{key}={'x'.join(map(str, a.shape))}" for key, a in case.inputs.items())
    return " ".join(("data", name, *shapes))
