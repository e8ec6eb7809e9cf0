"""Puts parameters into an ONNX model straight from the Paddle parameter file.

paddle2onnx holds four to five copies of the weights while it converts, takes most of its time for
them, and returns nothing above 2 GB. Converted without its parameter file, it makes the same nodes
and leaves the parameters out; they are then added as initializers, or for large models as external
data that is copied from file to file without ever being in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converter.bridge.lowering.graph import ONNX_TYPES
from converter.errors import StageError
from converter.model.pdiparams import ParamHeader

if TYPE_CHECKING:
    import onnx

#: From this size on, the weights go into a file of their own: protobuf ends at 2 GiB, and the
#: graph needs room too. onnx, ONNX Runtime and atc all read external data.
EXTERNAL_FROM = 1900 << 20

#: The IR version from which initializers need not be graph inputs too.
_INITIALIZERS_ALONE_SINCE = 4

#: Tensors begin at multiples of this many bytes in the external file.
_ALIGNMENT = 64
_CHUNK = 16 << 20


@dataclass(frozen=True)
class Placed:
    """A parameter and where it goes in the external data file."""

    header: ParamHeader
    offset: int


def missing_parameters(
    model: onnx.ModelProto, names: Collection[str], headers: Sequence[ParamHeader]
) -> list[ParamHeader]:
    """Those parameters ``names`` that the graph does not contain."""
    present = {name for node in model.graph.node for name in node.output}
    present |= {tensor.name for tensor in model.graph.initializer}
    return [h for h in headers if h.name in names and h.name not in present]


def attach(model: onnx.ModelProto, headers: Sequence[ParamHeader], params: Path) -> None:
    """Add these parameters as initializers with their data."""
    with params.open("rb") as file:
        for header in headers:
            file.seek(header.offset)
            _initializer(model, header).raw_data = file.read(header.nbytes)


def attach_external(
    model: onnx.ModelProto, headers: Sequence[ParamHeader], location: str
) -> list[Placed]:
    """Add these parameters as initializers whose data is in the file ``location`` beside it.

    Raises ``StageError`` for opsets before 9, whose files cannot hold initializers alone.
    """
    import onnx

    if model.ir_version < _INITIALIZERS_ALONE_SINCE:
        raise StageError(
            "a model of this size needs external data, which files of this opset cannot refer to",
            hint="ask for --opset 9 or higher",
        )
    placed = []
    offset = 0
    for header in headers:
        tensor = _initializer(model, header)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (
            ("location", location),
            ("offset", str(offset)),
            ("length", str(header.nbytes)),
        ):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        placed.append(Placed(header, offset))
        offset += -(-header.nbytes // _ALIGNMENT) * _ALIGNMENT
    return placed


def write_external(placed: Sequence[Placed], params: Path, target: Path) -> None:
    """Copy the parameters' bytes from ``params`` to their places in ``target``."""
    with params.open("rb") as source, target.open("wb") as file:
        for item in placed:
            for start in range(0, item.header.nbytes, _CHUNK):
                size = min(_CHUNK, item.header.nbytes - start)
                source.seek(item.header.offset + start)
                file.seek(item.offset + start)
                file.write(source.read(size))


def check_external(placed: Sequence[Placed], params: Path, target: Path) -> None:
    """Raise ``StageError`` naming the first parameter that differs in ``target``."""
    with params.open("rb") as source, target.open("rb") as file:
        for item in placed:
            for start in range(0, item.header.nbytes, _CHUNK):
                size = min(_CHUNK, item.header.nbytes - start)
                source.seek(item.header.offset + start)
                file.seek(item.offset + start)
                if source.read(size) != file.read(size):
                    raise StageError(
                        f"parameter {item.header.name} differs from the one in {params.name}",
                        hint="the disk may be failing or full: run it again",
                    )


def _initializer(model: onnx.ModelProto, header: ParamHeader) -> onnx.TensorProto:
    if header.dtype not in ONNX_TYPES:
        raise StageError(
            f"parameter {header.name} is {header.dtype}, which ONNX has no dtype for",
            hint="save the model with parameters of real numbers",
        )
    tensor: onnx.TensorProto = model.graph.initializer.add()
    tensor.name = header.name
    tensor.data_type = ONNX_TYPES[header.dtype]
    tensor.dims.extend(header.shape)
    return tensor
