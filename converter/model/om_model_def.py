"""MODEL_DEF, the protobuf ``ge.proto.ModelDef`` of an OM file: attributes, inputs and outputs.

Only what is asked for is decoded: of the operators, those that are inputs (``Data``,
``AippData``) or gather the outputs (``NetOutput``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from converter.model.om_bytes import MAX_NAME_BYTES, MAX_RANK, MAX_TENSORS, as_lenient_text
from converter.model.om_types import PROTO_DTYPES, OmTensor, name_of
from converter.model.wire import FieldValue, WireError, as_int, as_ints, as_message, fields

#: The values that attributes of interest have.
AttrValue: TypeAlias = int | str | tuple[int, ...] | tuple[str, ...]

#: Attributes of the model that are read; others are skipped.
MODEL_ATTRS = frozenset(
    {
        "arch_type",
        "atc_cmdline",
        "atc_version",
        "attr_model_out_nodes_name",
        "event_num",
        "framework_type",
        "host_env_cpu",
        "host_env_os",
        "label_num",
        "memory_size",
        "om_compress_version",
        "opp_version",
        "soc_version",
        "stream_num",
        "target_type",
        "weight_size",
        "zero_copy_memory_size",
    }
)

_INPUT_TYPES = (b"Data", b"AippData")
_OUTPUT_TYPE = b"NetOutput"

#: The longest list of numbers that is read: 10 bytes a number at most.
_MAX_SHAPE_BYTES = 10 * MAX_RANK


@dataclass
class ModelDef:
    """What the partition says of the model; ``attrs`` has those of ``MODEL_ATTRS`` it has."""

    name: str = ""
    inputs: tuple[OmTensor, ...] = ()
    outputs: tuple[OmTensor, ...] = ()
    attrs: dict[str, AttrValue] = field(default_factory=dict)


def read_model_def(data: memoryview) -> ModelDef:
    """Read the partition. Raises ``WireError`` when it is damaged."""
    model = ModelDef()
    graph: memoryview | None = None
    for number, value in fields(data):
        if number == 1:
            model.name = _text(value)
        elif number == 7 and graph is None:  # the root graph comes first
            graph = as_message(value)
        elif number == 11:
            key, content = _map_entry(value)
            if key in MODEL_ATTRS and (found := _attr(content)) is not None:
                model.attrs[key] = found
    if graph is not None:
        model.inputs, model.outputs = _signature(graph)
    names = model.attrs.get("attr_model_out_nodes_name", ())
    if isinstance(names, tuple) and len(names) == len(model.outputs):
        pairs = zip(model.outputs, names, strict=True)
        model.outputs = tuple(o.model_copy(update={"name": str(name)}) for o, name in pairs)
    return model


def _signature(graph: memoryview) -> tuple[tuple[OmTensor, ...], tuple[OmTensor, ...]]:
    inputs: list[tuple[int, OmTensor]] = []
    outputs: list[OmTensor] = []
    for number, value in fields(graph):
        if number != 6:
            continue
        operator = as_message(value)
        kind = _operator_type(operator)
        if kind in _INPUT_TYPES:
            index, tensor = _input(operator)
            inputs.append((len(inputs) if index is None else index, tensor))
        elif kind == _OUTPUT_TYPE:
            outputs += _outputs(operator)
        if len(inputs) > MAX_TENSORS or len(outputs) > MAX_TENSORS:
            raise WireError(f"more than {MAX_TENSORS} inputs or outputs")
    inputs.sort(key=lambda item: item[0])  # stable: operators without an index keep their order
    return tuple(tensor for _, tensor in inputs), tuple(outputs)


def _operator_type(operator: memoryview) -> bytes:
    """The type is the second field, so most operators are left after a few bytes."""
    for number, value in fields(operator):
        if number == 2:
            return bytes(as_message(value)[:64])
    return b""


def _input(operator: memoryview) -> tuple[int | None, OmTensor]:
    """A Data operator: its index among the inputs, if told, and the tensor that it gives."""
    name, index, description = "", None, None
    for number, value in fields(operator):
        if number == 1:
            name = _text(value)
        elif number == 10:
            key, content = _map_entry(value)
            if key == "index":
                found = _attr(content)
                index = found if isinstance(found, int) else None
        elif number == 34 and description is None:
            description = as_message(value)
    return index, _tensor(description or memoryview(b""), name)


def _outputs(operator: memoryview) -> Iterator[OmTensor]:
    """What a NetOutput operator takes is what the model gives."""
    index = 0
    for number, value in fields(operator):
        if number == 33:
            yield _tensor(as_message(value), f"output_{index}", own_name=True)
            index += 1


def _tensor(data: memoryview, name: str, *, own_name: bool = False) -> OmTensor:
    """Read a TensorDescriptor, which has a name of its own only sometimes."""
    dtype, layout, nbytes = 0, "", 0
    shape: list[int] = []
    for number, value in fields(data):
        if number == 1 and own_name:
            name = _text(value) or name
        elif number == 2:
            dtype = as_int(value)
        elif number == 3:
            shape = _shape(as_message(value))
        elif number == 4:
            layout = _text(value)
        elif number == 10:
            nbytes = as_int(value)
    return OmTensor(
        name=name,
        dtype=name_of(PROTO_DTYPES, dtype),
        shape=tuple(shape),
        format=layout or "unknown",
        bytes=max(nbytes, 0),
    )


def _shape(data: memoryview) -> list[int]:
    dims: list[int] = []
    if len(data) > 2 * _MAX_SHAPE_BYTES:
        raise WireError(f"a shape of {len(data)} bytes")
    for number, value in fields(data):
        if number == 1:
            dims += as_ints(value)
    if len(dims) > MAX_RANK:
        raise WireError(f"a tensor has {len(dims)} axes")
    return dims


def _map_entry(value: FieldValue) -> tuple[str, memoryview]:
    """Split an entry of a map of attributes into its key and the AttrDef."""
    key, content = "", memoryview(b"")
    for number, part in fields(as_message(value)):
        if number == 1:
            key = _text(part)
        elif number == 2:
            content = as_message(part)
    return key, content


def _attr(data: memoryview) -> AttrValue | None:
    """An AttrDef's text, number, or list of either; None when it holds something else."""
    for number, value in fields(data):
        if number == 2:
            return _text(value)
        if number == 3:
            return as_int(value)
        if number == 1:
            return _list(as_message(value))
    return None


def _list(data: memoryview) -> AttrValue | None:
    texts: list[str] = []
    numbers: list[int] = []
    for number, value in fields(data):
        if number == 2:
            texts.append(_text(value))
        elif number == 3:
            if isinstance(value, memoryview) and len(value) > 10 * MAX_TENSORS:
                raise WireError(f"a list of {len(value)} bytes")
            numbers += as_ints(value)
        if len(texts) + len(numbers) > MAX_TENSORS:
            raise WireError(f"a list of more than {MAX_TENSORS}")
    return tuple(texts) if texts else tuple(numbers) or None


def _text(value: FieldValue) -> str:
    data = as_message(value)
    if len(data) > MAX_NAME_BYTES:
        raise WireError(f"a text of {len(data)} bytes")
    return as_lenient_text(data)
