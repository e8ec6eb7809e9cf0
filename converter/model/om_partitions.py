"""The table of partitions that follows an OM file's header, once per model in the file.

Its entries have 12 bytes (type, offset, size) in files without ``model_length`` and 24 in those
with it. Offsets count from the first byte behind the table; the next model begins behind the
last partition of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping

from converter.model.om_bytes import Cursor
from converter.model.om_header import HEADER_BYTES, OmHeader, cut_short
from converter.model.record import Record
from converter.model.wire import WireError

MODEL_DEF, WEIGHTS_DATA, MODEL_INOUT_INFO = 0, 1, 8

PARTITION_TYPES: Mapping[int, str] = {
    MODEL_DEF: "MODEL_DEF",
    WEIGHTS_DATA: "WEIGHTS_DATA",
    2: "TASK_INFO",
    3: "TBE_KERNELS",
    4: "CUST_AICPU_KERNELS",
    5: "SO_BINS",
    6: "FLOW_MODEL",
    7: "FLOW_SUBMODEL",
    MODEL_INOUT_INFO: "MODEL_INOUT_INFO",
    9: "STATIC_TASK_DESC",
    10: "DYNAMIC_TASK_DESC",
    11: "TASK_PARAM",
    12: "TILING_DATA",
    20: "PRE_MODEL_DESC",
    21: "PRE_MODEL_SQE",
    22: "PRE_KERNEL_ARGS",
    23: "PRE_MODEL_DESC_EXTEND",
    24: "BUNDLE_MODEL_INFO",
    25: "BUNDLE_MODEL_VAR_INFO",
    26: "CUSTOM_OPS",
}

_MAX_PARTITIONS = 256

#: A file that lacks more than this was not cut short: its table is damaged.
_MAX_MISSING = 1 << 40

#: Kinds of model whose body is known to repeat ``model_num`` times.
_REPEATED = ("IR", "standard")


class OmPartition(Record):
    """One partition: of which model in the file, its type, and where it is in the file."""

    model: int
    type: int
    name: str
    offset: int
    bytes: int


def read_partitions(data: memoryview, header: OmHeader) -> tuple[OmPartition, ...]:
    """Read the tables and check them against the file's size; no partition is read.

    Raises ``OmProblem`` when the file is cut short and ``WireError`` when a table is damaged.
    """
    found: list[OmPartition] = []
    at = HEADER_BYTES
    models = header.model_num if header.model_type in _REPEATED else 1
    for model in range(models):
        partitions = _read_table(data, at, header, model)
        at = max(partition.offset + partition.bytes for partition in partitions)
        found += partitions
    return tuple(found)


def _read_table(data: memoryview, at: int, header: OmHeader, model: int) -> list[OmPartition]:
    pad = 4 if header.wide_table else 0
    start = 4 + pad
    _check_end(data, at + start, header, f"the table of model {model + 1}")
    cursor = Cursor(data[at : at + start])
    count = cursor.count("partitions", _MAX_PARTITIONS)
    if count == 0:
        raise WireError(f"model {model + 1} has no partitions")
    entry = 24 if header.wide_table else 12
    base = at + start + count * entry
    _check_end(data, base, header, f"the table of model {model + 1}")
    cursor = Cursor(data[at + start : base])
    partitions = []
    for _ in range(count):
        kind = cursor.i32()
        cursor.take(pad)
        offset = cursor.u64() if header.wide_table else cursor.u32()
        nbytes = cursor.u64() if header.wide_table else cursor.u32()
        partitions.append(
            OmPartition(
                model=model,
                type=kind,
                name=PARTITION_TYPES.get(kind, f"unknown ({kind})"),
                offset=base + offset,
                bytes=nbytes,
            )
        )
    last = max(partitions, key=lambda partition: partition.offset + partition.bytes)
    _check_end(data, last.offset + last.bytes, header, f"partition {last.name}")
    return partitions


def _check_end(data: memoryview, end: int, header: OmHeader, what: str) -> None:
    """The file has ``end`` bytes at least. ``what`` ends there, as its table says."""
    if end <= len(data):
        return
    if end - len(data) > _MAX_MISSING:
        raise WireError(f"{what} ends at byte {end} of {len(data)}")
    declared = header.declared_bytes
    if declared and declared <= len(data):
        raise WireError(f"{what} ends at byte {end}, the file is complete with {declared}")
    if declared - end > _MAX_MISSING:
        declared = 0
    raise cut_short(max(end, declared) - len(data))
