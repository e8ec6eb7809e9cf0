"""NumPy's files of arrays as users give them: anything may be in them, and no error may escape."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from converter.errors import InputError
from converter.model.files import unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays: TypeAlias = dict[str, NDArray[Any]]

_HINT = "write it with numpy.savez(file, NAME=array), without Python objects"


def read_npz(path: Path) -> Arrays:
    """The arrays of an ``.npz`` file by name, in the machine's byte order. Raises ``InputError``.

    What is no array, what stands there twice, and a single array (``.npy``) are refused.
    """
    loaded = read_arrays(path)
    if not isinstance(loaded, dict):
        raise InputError(f"{path} holds one array without a name (.npy)", hint=_HINT)
    return loaded


def read_arrays(path: Path) -> Arrays | NDArray[Any]:
    """As ``read_npz``; the array itself where the file is an ``.npy``."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    names: list[str] = []
    with stream:
        try:
            # From the file, so that its bytes and the arrays are not held at the same time.
            source = stream if stream.seekable() else io.BytesIO(stream.read())
            empty = not source.read(1)
            source.seek(0)
            content = None if empty else np.load(source, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return _native(content)
            if content is not None:
                with content:
                    names = list(content.files)
                    found = {name: content[name] for name in names}
        except MemoryError as error:
            raise InputError(
                f"{path} says that it holds more than fits into memory", hint=_HINT
            ) from error
        except Exception as error:
            # zipfile, zlib and NumPy's header parser raise whatever they like on damaged files.
            told = str(error) or type(error).__name__
            if "pickled" in told:  # what NumPy takes anything for that it does not know
                told = "it is neither an .npy file nor a zip file of them"
            elif "allow_pickle" in told:
                told = "there are Python objects in it"
            raise InputError(f"{path} is not a file of NumPy arrays: {told}", hint=_HINT) from error
    if empty:
        raise InputError(f"{path} is empty", hint="copy or download the file again")
    if len(set(names)) < len(names):
        raise InputError(f"{path} holds arrays of the same name", hint=_HINT)
    if odd := [name for name, array in found.items() if not isinstance(array, np.ndarray)]:
        raise InputError(f"{path} is not a file of NumPy arrays: {odd[0]} is none", hint=_HINT)
    return {name: _native(array) for name, array in found.items()}


def recorded_inputs(named: Arrays) -> Arrays:
    """The inputs in a recorded case, which calls them ``input:NAME``; any other is inputs alone."""
    inputs = {
        name.removeprefix("input:"): array
        for name, array in named.items()
        if name.startswith("input:")
    }
    return inputs or named


def _native(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder("="), copy=False)
