"""Small made-up Paddle files: PIR JSON, protobuf programs and parameter streams."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[2] / "fixtures"
TINY_PIR = FIXTURES / "tiny_pir"
LEGACY_CLS = FIXTURES / "ch_ppocr_mobile_v2.0_cls"


def flipped(data: bytes, count: int, seed: int, *, plausible: bool = False) -> Iterator[bytes]:
    """Yield copies of ``data`` with one byte changed, at seeded positions.

    ``plausible`` draws the new byte from ``data`` itself, so that more of the copies get past
    the first check.
    """
    random_ = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        position = random_.randrange(len(data))
        if plausible:
            changed[position] = random_.choice(data)
        else:
            changed[position] ^= random_.randrange(1, 256)
        yield bytes(changed)


# --- PIR ---------------------------------------------------------------------------------------


def tensor_type(dtype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"#": "0.t_dtensor", "D": [{"#": dtype}, list(shape), "NCHW", [], 0]}


def attr(name: str, kind: str, data: Any) -> dict[str, Any]:
    return {"AT": {"#": kind, "D": data}, "N": name}


def operation(
    name: str,
    attributes: Sequence[dict[str, Any]] = (),
    operands: Sequence[int] = (),
    results: dict[int, dict[str, Any]] | None = None,
    bodies: Sequence[Sequence[dict[str, Any]]] = (),
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "#": name,
        "A": list(attributes),
        "I": [{"%": number} for number in operands],
        "O": [{"%": number, "TT": kind} for number, kind in (results or {}).items()],
    }
    if bodies:
        made["regions"] = [{"#": "r", "blocks": [block(body)]} for body in bodies]
    return made


def block(operations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"#": "b", "args": [], "ops": list(operations)}


def parameter(name: str, number: int, kind: dict[str, Any]) -> dict[str, Any]:
    return {"#": "p", "A": [0, 1, 1, name], "O": {"%": number, "TT": kind}}


def data_op(name: str, number: int, kind: dict[str, Any]) -> dict[str, Any]:
    return operation("1.data", [attr("name", "0.a_str", name)], results={number: kind})


def fetch_op(name: str, column: int, source: int, kind: dict[str, Any]) -> dict[str, Any]:
    attributes = [attr("name", "0.a_str", name), attr("col", "0.a_i32", column)]
    return operation("1.fetch", attributes, [source], {1000 + column: kind})


def document(operations: Sequence[dict[str, Any]], version: int = 1) -> dict[str, Any]:
    return {
        "base_code": {"magic": "pir", "trainable": True, "version": version},
        "program": {"regions": [{"#": "region_0", "blocks": [block(operations)]}]},
    }


def small_pir() -> dict[str, Any]:
    """relu(x * w) with one parameter."""
    kind = tensor_type("0.t_f32", [-1, 4])
    return document(
        [
            parameter("w", 1, tensor_type("0.t_f32", [4])),
            data_op("x", 2, kind),
            operation("1.multiply", [], [2, 1], {3: kind}),
            operation("1.relu", [], [3], {4: kind}),
            fetch_op("out", 0, 4, kind),
        ]
    )


def dump(content: object) -> bytes:
    return json.dumps(content).encode()


# --- protobuf ----------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def tensor_desc(dtype: int, dims: Sequence[int]) -> bytes:
    return field(1, dtype) + b"".join(field(2, dim) for dim in dims)


def variable(
    name: str, dims: Sequence[int], *, dtype: int = 5, kind: int = 7, persistable: bool = False
) -> bytes:
    kind_message = field(1, kind)
    if kind == 7:
        kind_message += field(3, field(1, tensor_desc(dtype, dims)))
    return field(3, field(1, name) + field(2, kind_message) + field(3, int(persistable)))


def op_desc(
    kind: str, inputs: dict[str, str], outputs: dict[str, str], column: int | None = None
) -> bytes:
    body = b"".join(field(1, field(1, slot) + field(2, name)) for slot, name in inputs.items())
    body += b"".join(field(2, field(1, slot) + field(2, name)) for slot, name in outputs.items())
    body += field(3, kind)
    if column is not None:
        body += field(4, field(1, "col") + field(2, 0) + field(3, column))
    return field(4, body)


def program_desc(*blocks: bytes, version: int = 2004001) -> bytes:
    messages = b"".join(
        field(1, field(1, index) + field(2, 0) + block_) for index, block_ in enumerate(blocks)
    )
    return messages + field(4, field(1, version))


def small_legacy() -> bytes:
    """relu(x * w) with one parameter."""
    return program_desc(
        variable("feed", [], kind=9, persistable=True)
        + variable("fetch", [], kind=10, persistable=True)
        + variable("x", [-1, 4])
        + variable("w", [4], persistable=True)
        + variable("y", [-1, 4])
        + op_desc("feed", {"X": "feed"}, {"Out": "x"}, 0)
        + op_desc("elementwise_mul", {"X": "x", "Y": "w"}, {"Out": "y"})
        + op_desc("relu", {"X": "y"}, {"Out": "y"})
        + op_desc("fetch", {"X": "y"}, {"Out": "fetch"}, 0)
    )


# --- parameters --------------------------------------------------------------------------------


def record(
    shape: Sequence[int], data: bytes, dtype: int = 5, levels: Sequence[bytes] = ()
) -> bytes:
    description = tensor_desc(dtype, shape)
    lods = b"".join(struct.pack("<Q", len(level)) + level for level in levels)
    head = struct.pack("<IQ", 0, len(levels)) + lods + struct.pack("<Ii", 0, len(description))
    return head + description + data


def write_model(directory: Path, params: bytes | None = None) -> Path:
    """Write ``small_pir`` with its weights (or ``params``) and return the directory."""
    directory.mkdir(exist_ok=True)
    (directory / "inference.json").write_bytes(dump(small_pir()))
    (directory / "inference.pdiparams").write_bytes(
        record([4], bytes(16)) if params is None else params
    )
    return directory
