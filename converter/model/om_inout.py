"""MODEL_INOUT_INFO, the partition that says what a compiled model takes and gives.

A list of blocks {i32 type, u32 bytes, payload}. Blocks of unknown type are skipped. Payloads: a
list of tensors; a list of numbers (u32 count, i64 each); of lists (u32 count, u32 length each,
then the i64 of all); of texts (the same, with bytes).
"""

from __future__ import annotations

from typing import Literal

from converter.model.om_bytes import MAX_PROFILES, MAX_RANK, MAX_TENSORS, Cursor
from converter.model.om_types import FORMATS, GE_DTYPES, OmTensor, name_of
from converter.model.record import Record

_INPUTS, _OUTPUTS, _BATCH, _IMAGE, _DIMS, _OUTPUT_SHAPES, _ORDER = range(7)


class OmProfiles(Record):
    """The sets of extents that a model with profiles was compiled for.

    ``values`` has one tuple per profile: the batch size; height and width; or one value per
    dynamic extent, for the inputs in ``order``.
    """

    kind: Literal["batch", "image", "dims"]
    values: tuple[tuple[int, ...], ...]
    order: tuple[str, ...] = ()
    source: Literal["MODEL_INOUT_INFO", "atc_cmdline"] = "MODEL_INOUT_INFO"


class OmSignature(Record):
    """What MODEL_INOUT_INFO holds."""

    inputs: tuple[OmTensor, ...] = ()
    outputs: tuple[OmTensor, ...] = ()
    profiles: OmProfiles | None = None
    dynamic_output_shapes: tuple[str, ...] = ()


def read_inout(data: memoryview) -> OmSignature:
    """Read the partition. Raises ``WireError`` when it is damaged."""
    cursor = Cursor(data)
    tensors: dict[int, tuple[OmTensor, ...]] = {}
    profiles: dict[int, tuple[tuple[int, ...], ...]] = {}
    texts: dict[int, tuple[str, ...]] = {}
    while cursor.left:
        kind, nbytes = cursor.i32(), cursor.u32()
        block = Cursor(cursor.take(nbytes))
        if kind in (_INPUTS, _OUTPUTS):
            tensors[kind] = _tensors(block)
        elif kind == _BATCH:
            count = block.count("profiles", MAX_PROFILES)
            batches = block.i64s(8 * count, "profiles", MAX_PROFILES)
            profiles[kind] = tuple((batch,) for batch in batches)
        elif kind in (_IMAGE, _DIMS):
            profiles[kind] = _lists(block)
        elif kind in (_OUTPUT_SHAPES, _ORDER):
            texts[kind] = _texts(block)
    order = texts.get(_ORDER, ())
    return OmSignature(
        inputs=tensors.get(_INPUTS, ()),
        outputs=tensors.get(_OUTPUTS, ()),
        profiles=_profiles(profiles, order),
        dynamic_output_shapes=texts.get(_OUTPUT_SHAPES, ()),
    )


def _profiles(
    found: dict[int, tuple[tuple[int, ...], ...]], order: tuple[str, ...]
) -> OmProfiles | None:
    if found.get(_BATCH):
        return OmProfiles(kind="batch", values=found[_BATCH], order=order)
    if found.get(_IMAGE):
        return OmProfiles(kind="image", values=found[_IMAGE], order=order)
    if found.get(_DIMS):
        return OmProfiles(kind="dims", values=found[_DIMS], order=order)
    return None


def _tensors(block: Cursor) -> tuple[OmTensor, ...]:
    return tuple(_tensor(block) for _ in range(block.count("tensors", MAX_TENSORS)))


def _tensor(block: Cursor) -> OmTensor:
    nbytes, layout, dtype = block.u64(), block.i32(), block.i32()
    name_bytes, dims_bytes, dims_v2_bytes, range_bytes = (block.u32() for _ in range(4))
    name = block.text(name_bytes, "a name")
    shape = block.i64s(dims_bytes, "a shape", MAX_RANK)
    shape_v2 = block.i64s(dims_v2_bytes, "a shape", MAX_RANK)
    bounds = block.i64s(range_bytes, "ranges", 2 * MAX_RANK)
    return OmTensor(
        name=name,
        dtype=name_of(GE_DTYPES, dtype),
        shape=shape,
        format=name_of(FORMATS, layout),
        bytes=nbytes,
        shape_v2=shape_v2 if shape_v2 and shape_v2 != shape else None,
        ranges=tuple(zip(bounds[::2], bounds[1::2], strict=False)),
    )


def _lists(block: Cursor) -> tuple[tuple[int, ...], ...]:
    lengths = [block.u32() for _ in range(block.count("profiles", MAX_PROFILES))]
    limit = MAX_RANK * MAX_RANK
    return tuple(block.i64s(8 * length, "a profile", limit) for length in lengths)


def _texts(block: Cursor) -> tuple[str, ...]:
    lengths = [block.u32() for _ in range(block.count("texts", MAX_PROFILES))]
    return tuple(block.text(length, "a text") for length in lengths)
