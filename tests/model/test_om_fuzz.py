"""Damaged OM files end in InputError or a result: nothing else, in little time and memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from converter.errors import InputError
from converter.model.om_cmdline import redact
from converter.model.om_file import OmFile, parse_om, read_om
from converter.model.om_partitions import PARTITION_TYPES
from converter.report.inspect_om import om_text
from tests.model.om_samples import FILES
from tests.simulators import om_writer
from tests.simulators.om_writer import Model, Tensor, write_om

MUTATIONS = 10_000

#: Numbers that lengths are changed to: the edges of every width, and near misses.
_LENGTHS = (0, 1, 7, 255, 256, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2**63 - 1, 2**63, 2**64 - 1)


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Copies of the written files: cut, bits flipped, zeroed, lengths edited, spliced."""
    random_ = random.Random(seed)
    files = list(FILES.values())
    for _ in range(count):
        data = bytearray(random_.choice(files))
        for _ in range(random_.choice((1, 1, 2, 5))):
            _mutate(data, random_, files)
        yield bytes(data)


def _mutate(data: bytearray, random_: random.Random, files: list[bytes]) -> None:
    if not data:
        return
    # Half of the changes go to headers and tables, where every byte means something.
    at = random_.randrange(min(len(data), random_.choice((400, len(data)))))
    kind = random_.randrange(6)
    if kind == 0:
        del data[at:]
    elif kind == 1:
        data[at] ^= 1 << random_.randrange(8)
    elif kind == 2:
        end = min(len(data), at + random_.randrange(1, 64))
        data[at:end] = bytes(end - at)
    elif kind == 3:  # a fixed-width length
        size = random_.choice((4, 8))
        at &= ~3
        value = random_.choice(_LENGTHS) & (2 ** (8 * size) - 1)
        data[at : at + size] = value.to_bytes(size, "little")
    elif kind == 4:  # a varint
        data[at : at + 1] = random_.choice((b"\x7f", b"\xff\x7f", b"\xff\xff\xff\xff\x0f"))
    else:
        other = random_.choice(files)
        data[at:] = other[at:]


def check(data: bytes) -> OmFile | InputError:
    """Read the bytes; what was read is in keeping with them and can be shown."""
    try:
        om = parse_om(memoryview(data), Path("fuzzed.om"))
    except InputError as error:
        assert error.message.startswith("fuzzed.om ")
        assert error.hint
        return error
    for partition in om.partitions:
        assert 256 <= partition.offset <= partition.offset + partition.bytes <= len(data)
    assert om.file_bytes == len(data)
    om.model_dump_json()
    assert "\x1b" not in om_text(om)
    return om


def test_ten_thousand_damaged_files() -> None:
    started = time.monotonic()
    refused: dict[str, int] = {}
    read = 0
    for data in mutations(seed=5, count=MUTATIONS):
        outcome = check(data)
        if isinstance(outcome, InputError):
            kind = outcome.message.removeprefix("fuzzed.om ")[:16]
            refused[kind] = refused.get(kind, 0) + 1
        else:
            read += 1
    assert time.monotonic() - started < 20
    # Both happen often, so that neither the checks nor what lies behind them goes untried.
    assert read > MUTATIONS // 10
    assert sum(refused.values()) > MUTATIONS // 3
    assert len(refused) >= 5, refused


def test_damaged_files_take_little_memory() -> None:
    largest = max(map(len, FILES.values()))
    worst = 0
    tracemalloc.start()
    try:
        for data in mutations(seed=6, count=1000):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            check(data)
            worst = max(worst, tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert worst < 64 * largest + 200_000, worst


def test_many_small_things_stay_within_their_bytes() -> None:
    """What multiplies: empty texts, tensors and profiles, each of a few bytes."""
    many = 4096
    graph = om_writer.message(6, om_writer.operator("", "Data")) * many
    blocks = [
        om_writer.block(0, struct.pack("<I", many) + bytes(32 * many)),
        om_writer.block(4, struct.pack("<I", many) + bytes(4 * many)),
        om_writer.block(6, struct.pack("<I", many) + bytes(4 * many)),
    ]
    parts = [
        (om_writer.MODEL_INOUT_INFO, b"".join(blocks)),
        (om_writer.MODEL_DEF, om_writer.message(7, graph)),
    ]
    data = write_om(wide=False, declare_length=False) + om_writer.with_table(parts, wide=False)
    tracemalloc.start()
    try:
        om = parse_om(memoryview(data), Path("fuzzed.om"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(om.inputs) == many
    assert peak < 60 * len(data)


def test_damaged_files_on_the_disk(tmp_path: Path) -> None:
    """The same by way of the file system: maps of every size are let go of."""
    path = tmp_path / "fuzzed.om"
    for data in mutations(seed=7, count=300):
        path.write_bytes(data)
        try:
            read_om(path)
        except InputError as error:
            assert error.hint


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(st.binary(max_size=400), st.sampled_from(sorted(PARTITION_TYPES)), st.booleans())
def test_any_partition(data: bytes, kind: int, wide: bool) -> None:
    header = write_om(wide=wide, declare_length=False)
    # A wide table is told by the model's length: any number will do.
    head = header[:184] + int(wide).to_bytes(8, "little") + header[192:]
    check(head + om_writer.with_table([(kind, data)], wide=wide))


i64 = st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
tensors = st.builds(
    Tensor,
    name=names,
    shape=st.lists(i64, max_size=8).map(tuple),
    dtype=st.sampled_from(sorted(om_writer.PROTO)),
    layout=st.sampled_from(sorted(om_writer.FORMATS)),
    nbytes=st.integers(0, 2**63 - 1),
)
models = st.builds(
    Model,
    inputs=st.lists(tensors, max_size=4),
    outputs=st.lists(tensors, max_size=4),
    name=names.map(lambda name: "m" + name.replace("/", "").replace("\\", "")),
    dynamic_dims=st.lists(st.lists(i64, max_size=4), max_size=4),
    order=st.lists(names, max_size=3),
    has_inout=st.booleans(),
)


def told_name(model: Model, tensor: Tensor, output: int | None) -> str:
    """An output that MODEL_DEF has no name for is called by its number."""
    nameless = not tensor.name and output is not None and not model.has_inout
    return f"output_{output}" if nameless else tensor.name


@settings(max_examples=200)
@given(models, st.booleans())
def test_whatever_is_written_is_read(model: Model, wide: bool) -> None:
    outcome = check(write_om(model, wide=wide))
    assert isinstance(outcome, OmFile), outcome
    read = (*outcome.inputs, *outcome.outputs)
    assert [(t.name, t.dtype, t.shape, t.format, t.bytes) for t in read] == [
        (told_name(model, tensor, output), tensor.dtype, tensor.shape, tensor.layout, tensor.nbytes)
        for tensors, is_output in ((model.inputs, False), (model.outputs, True))
        for output, tensor in ((i if is_output else None, t) for i, t in enumerate(tensors))
    ]
    assert outcome.model_name == model.name
    if model.has_inout and read and model.dynamic_dims:
        assert outcome.profiles is not None
        assert outcome.profiles.values == tuple(map(tuple, model.dynamic_dims))


@given(st.lists(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), min_size=1, max_size=5))
def test_no_directory_survives_redaction(parts: list[str]) -> None:
    secret = [f"{part}SECRET" for part in parts]
    path = "/" + "/".join(secret) + "/model.onnx"
    for line in (f"atc --model={path} --log=null", f"{path} --model {path}", f'--x="{path}"'):
        assert "SECRET" not in redact(line)
        assert "model.onnx" in redact(line)


def test_long_texts_are_redacted_in_no_time() -> None:
    started = time.monotonic()
    for text in ("a" * 65_000, "/" * 65_000, "--" * 32_000, "a " * 32_000, "/a:" * 20_000):
        redact(text)
    assert time.monotonic() - started < 2
