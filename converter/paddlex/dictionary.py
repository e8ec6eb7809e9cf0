"""The characters of a text recogniser that came without an inference.yml.

A dictionary of another length would shift every class and yield fluent nonsense, hence it is
compared with the number of classes that the model puts out, where a file of the model tells it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from converter.errors import InputError
from converter.model.files import read_all
from converter.model.om_file import read_om
from converter.model.wire import FieldValue, WireError, as_int, as_message, fields
from converter.paddlex.modules import ConvertedModel, Repairs

#: onnx.proto: ModelProto.graph, GraphProto.output, ValueInfoProto.type, TypeProto.tensor_type,
#: TypeProto.Tensor.shape, TensorShapeProto.dim, TensorShapeProto.Dimension.dim_value.
_GRAPH, _OUTPUT, _TYPE, _TENSOR, _SHAPE, _DIM, _DIM_VALUE = 7, 12, 2, 1, 2, 1, 1


def read_dictionary(
    model: ConvertedModel, repairs: Repairs, chosen: Path | None
) -> tuple[str, ...]:
    """The characters, quoted as YAML, from ``chosen`` or a text file beside the model.

    Raises ``InputError`` when there is none, or one that does not fit the model.
    """
    path = chosen or _beside(model, repairs.source)
    try:
        text = read_all(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8", hint="give the model's own dictionary") from None
    # Not splitlines: some of the characters are line separators to Python.
    characters = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    classes = _classes(model, repairs)
    if classes is not None and len(characters) + 1 == classes and characters[-1] == " ":
        characters.pop()  # the decoder adds the space itself
    if classes is not None and len(characters) + 2 != classes:
        raise InputError(
            f"{path} has {len(characters)} characters, but {model.name} tells {classes - 2} apart "
            "(blank and space not counted)",
            hint=f"give the dictionary it was trained with: --dict {model.name}=FILE",
        )
    if not all(characters):
        raise InputError(
            f"{path} has an empty line {characters.index('') + 1}",
            hint="a dictionary has one character per line",
        )
    return tuple(_quoted(character) for character in characters)


def _beside(model: ConvertedModel, directory: Path) -> Path:
    texts = sorted(directory.glob("*.txt"))
    named = [path for path in texts if "dict" in path.name or "keys" in path.name]
    found = named or texts
    if len(found) == 1:
        return found[0]
    lists = f"several text files: {', '.join(p.name for p in found)}" if found else "no dictionary"
    raise InputError(
        f"{model.name} has no inference.yml, and there is {lists} in {directory}",
        hint=f"give the dictionary it was trained with: --dict {model.name}=FILE",
    )


def _quoted(character: str) -> str:
    escaped = "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}"
        for char in character.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'


def _classes(model: ConvertedModel, repairs: Repairs) -> int | None:
    """How many classes the model puts out; None when no file of it tells."""
    onnx, om = (repairs.source / repairs.original(f"inference.{kind}") for kind in ("onnx", "om"))
    if "onnx" in model.backends:
        return _onnx_classes(onnx)
    if "om" in model.backends:
        try:
            outputs = read_om(om).outputs
        except InputError:
            return None
        shapes = [tensor.shape for tensor in outputs if len(tensor.shape) == 3]
        return shapes[0][-1] if len(shapes) == 1 and shapes[0][-1] > 0 else None
    return None


def _onnx_classes(path: Path) -> int | None:
    """The last extent of the one output of rank 3, from the file's outline; no weight is read."""
    try:
        with path.open("rb") as stream:
            data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        shapes = [list(_dims(output)) for output in _inside(data, _GRAPH, _OUTPUT)]
    except (OSError, ValueError, WireError):
        return None
    last = [dims[-1] for dims in shapes if len(dims) == 3]
    return last[0] or None if len(last) == 1 else None


def _inside(data: FieldValue, *path: int) -> Iterator[FieldValue]:
    """Every field at the end of this path of field numbers."""
    number, *rest = path
    for found, value in fields(as_message(data)):
        if found == number:
            yield from _inside(value, *rest) if rest else (value,)


def _dims(output: FieldValue) -> Iterator[int]:
    """The extents; 0 for those that have a name instead."""
    for dim in _inside(output, _TYPE, _TENSOR, _SHAPE, _DIM):
        yield next((as_int(value) for value in _inside(dim, _DIM_VALUE)), 0)
