from __future__ import annotations

import dataclasses
import json
import os
import struct
import tracemalloc
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.om_file import OmFile, looks_like_om, parse_om, read_om
from converter.model.om_types import GE_DTYPES, PROTO_DTYPES
from tests.model.om_samples import ATTRS, CMDLINE, DETR, FILES, MBATCH, REC
from tests.simulators import om_writer
from tests.simulators.om_writer import Model, Tensor, write_om

ONE = Tensor("x", (2,), layout="ND")


def parsed(data: bytes, *, paths: bool = False) -> OmFile:
    return parse_om(memoryview(data), Path("made.om"), paths=paths)


def signature(om: OmFile) -> list[str]:
    return [f"{tensor} {tensor.format} {tensor.bytes}" for tensor in (*om.inputs, *om.outputs)]


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("has_inout", [True, False])
def test_a_file_comes_back_as_it_was_written(wide: bool, has_inout: bool, tmp_path: Path) -> None:
    path = tmp_path / "inference.om"
    model = dataclasses.replace(REC, has_inout=has_inout)
    path.write_bytes(write_om(model, wide=wide, name="head", check_os_cpu=True))
    om = read_om(path)

    assert (om.file, om.file_bytes) == ("inference.om", path.stat().st_size)
    assert om.header.wide_table is wide
    assert om.header.declared_bytes == om.file_bytes
    assert (om.header.name, om.header.model_type, om.header.model_num) == ("head", "IR", 1)
    assert om.header.is_emulated and om.header.need_check_os_cpu_info
    assert om.model_name == "inference"
    assert om.signature_from == ("MODEL_INOUT_INFO" if has_inout else "MODEL_DEF")
    assert signature(om) == [
        "x float32[1,3,48,320] NCHW 184320",
        "softmax_2.tmp_0:0:softmax_2.tmp_0 float32[1,40,6625] ND 1060000",
    ]
    assert om.build.soc_version == ATTRS["soc_version"]
    assert (om.build.atc_version, om.build.opp_version) == ("8.1.RC1", "8.1.RC1")
    assert (om.build.framework, om.build.host_os, om.build.host_cpu) == ("ONNX", "linux", "x86_64")
    resources = om.resources
    assert (resources.memory_bytes, resources.weight_bytes) == (7_000_000, 4_300_000)
    assert (resources.zero_copy_bytes, resources.streams, resources.labels) == (1_244_320, 1, 0)
    assert om.profiles is None


@pytest.mark.parametrize("name", FILES)
def test_the_last_partition_ends_with_the_file(name: str) -> None:
    om = parsed(FILES[name])
    end = max(partition.offset + partition.bytes for partition in om.partitions)
    assert end == len(FILES[name]) == om.header.declared_bytes


@pytest.mark.parametrize("wide", [True, False])
def test_partitions_lie_where_they_were_written(wide: bool) -> None:
    data = write_om(REC, DETR, wide=wide)
    written = om_writer.partitions_of(REC) + om_writer.partitions_of(DETR)
    held = [(p.type, data[p.offset : p.offset + p.bytes]) for p in parsed(data).partitions]
    assert held == written


@pytest.mark.parametrize("wide", [True, False])
def test_several_models(wide: bool) -> None:
    om = parsed(write_om(REC, DETR, wide=wide))
    assert om.header.model_num == 2
    assert [partition.model for partition in om.partitions] == [0, 0, 0, 1, 1]
    assert [tensor.name for tensor in om.inputs] == ["x"]


def test_files_of_before_2022_have_one_model() -> None:
    assert parsed(FILES["old version"]).header.model_num == 1


def test_zero_models_are_one() -> None:
    data = bytearray(FILES["wide"])
    data[156] = 0
    assert parsed(bytes(data)).header.model_num == 1


@pytest.mark.parametrize("model_type", [3, 5])
def test_only_the_first_table_of_a_bundle_is_read(model_type: int) -> None:
    om = parsed(write_om(REC, DETR, model_type=model_type))
    assert om.header.model_type == {3: "flow", 5: "bundle"}[model_type]
    assert {partition.model for partition in om.partitions} == {0}


@pytest.mark.parametrize(("dtype", "code"), om_writer.GE.items())
def test_dtypes_of_inout_info(dtype: str, code: int) -> None:
    model = Model(inputs=[dataclasses.replace(ONE, dtype=dtype)], outputs=[ONE])
    assert parsed(write_om(model)).inputs[0].dtype == dtype == GE_DTYPES[code]


@pytest.mark.parametrize(("dtype", "code"), om_writer.PROTO.items())
def test_dtypes_of_model_def(dtype: str, code: int) -> None:
    tensor = dataclasses.replace(ONE, dtype=dtype)
    om = parsed(write_om(Model(inputs=[tensor], outputs=[tensor], has_inout=False)))
    assert om.inputs[0].dtype == om.outputs[0].dtype == dtype == PROTO_DTYPES[code]


def test_the_two_numberings_differ() -> None:
    assert (GE_DTYPES[3], PROTO_DTYPES[3]) == ("int32", "int8")
    assert (GE_DTYPES[1], PROTO_DTYPES[1]) == ("float16", "float32")


def test_an_unknown_dtype_is_named_by_its_number() -> None:
    data = write_om(Model(inputs=[ONE], outputs=[ONE]))
    at = data.index(om_writer.inout(Model(inputs=[ONE], outputs=[ONE]))) + 8 + 4 + 8
    changed = data[:at] + b"\x63\0\0\0\x4d\0\0\0" + data[at + 8 :]
    tensor = parsed(changed).inputs[0]
    assert (tensor.format, tensor.dtype) == ("unknown (99)", "unknown (77)")


def test_inputs_of_model_def_are_in_the_order_of_their_index() -> None:
    operators = [
        om_writer.operator("second", "Data", attrs={"index": 1}),
        om_writer.operator("middle", "Relu"),
        om_writer.operator("first", "AippData", attrs={"index": 0}),
    ]
    graph = b"".join(om_writer.message(6, item) for item in operators)
    data = om_writer.with_table([(om_writer.MODEL_DEF, om_writer.message(7, graph))], wide=False)
    om = parsed(write_om(declare_length=False, wide=False)[:156] + bytes(100) + data)
    assert [tensor.name for tensor in om.inputs] == ["first", "second"]
    assert om.inputs[0].dtype == "unknown (0)"


def test_attributes_whose_names_are_compressed_are_skipped() -> None:
    compressed = om_writer.message(1, b"\xff\x81") + om_writer.message(2, om_writer.varint(3, 5))
    operators = [
        om_writer.operator(name, "Data") + om_writer.message(10, compressed) for name in "ab"
    ]
    graph = b"".join(om_writer.message(6, item) for item in operators)
    body = om_writer.with_table([(om_writer.MODEL_DEF, om_writer.message(7, graph))], wide=False)
    om = parsed(write_om(declare_length=False, wide=False)[:256] + body)
    assert [tensor.name for tensor in om.inputs] == ["a", "b"]


def test_outputs_of_model_def_have_the_names_that_the_model_lists() -> None:
    om = parsed(FILES["no inout"])
    assert [tensor.name for tensor in om.outputs] == ["fetch:0:boxes", "fetch:1:count"]
    assert [tensor.name for tensor in om.inputs] == ["im_shape", "image", "scale_factor"]
    assert om.outputs[1].dtype == "int32"


def test_nothing_describes_the_inputs() -> None:
    om = parsed(write_om(Model(has_inout=False)))
    assert (om.signature_from, om.inputs, om.outputs) == (None, (), ())


def test_profiles_of_dims() -> None:
    om = parsed(FILES["profiles"])
    assert om.profiles is not None
    assert (om.profiles.kind, om.profiles.order) == ("dims", ("x",))
    assert om.profiles.values == ((48, 320), (48, 640))
    assert om.dynamic_output_shapes == ("0,0,1,40,6625", "1,0,1,80,6625")
    assert om.inputs[0].shape == (1, 3, -1, -1)
    assert om.inputs[0].ranges == ((1, 1), (3, 3), (32, -1), (32, 999))
    assert om.inputs[1].name == MBATCH.name
    assert [tensor.name for tensor in om.fed_inputs] == ["x"]


def test_profiles_of_batch_and_image() -> None:
    batch = parsed(write_om(Model(inputs=[ONE], outputs=[ONE], dynamic_batch=[1, 2, 8])))
    assert batch.profiles and batch.profiles.kind == "batch"
    assert batch.profiles.values == ((1,), (2,), (8,))
    image = parsed(write_om(Model(inputs=[ONE], outputs=[ONE], dynamic_hw=[(48, 320), (48, 640)])))
    assert image.profiles and image.profiles.kind == "image"
    assert image.profiles.values == ((48, 320), (48, 640))


@pytest.mark.parametrize(
    ("flag", "kind", "values"),
    [
        ("--dynamic_batch_size=1,2,8,", "batch", ((1,), (2,), (8,))),
        ("--dynamic_image_size 48,320;48,640", "image", ((48, 320), (48, 640))),
        ('--dynamic-dims="48,320;48,640;"', "dims", ((48, 320), (48, 640))),
        ("--dynamic_dims=48,x", None, None),
        ("--dynamic_dims=", None, None),
        ("--dynamic_dims", None, None),
    ],
)
def test_profiles_from_the_command_line(flag: str, kind: str | None, values: object) -> None:
    model = Model(inputs=[ONE], attrs={"atc_cmdline": f"atc {flag}"}, has_inout=False)
    profiles = parsed(write_om(model)).profiles
    assert (profiles.kind if profiles else None) == kind
    if profiles:
        assert (profiles.values, profiles.source) == (values, "atc_cmdline")


def test_static_aipp_shapes() -> None:
    tensor = dataclasses.replace(ONE, shape_v2=(2, 7))
    om = parsed(write_om(Model(inputs=[tensor, dataclasses.replace(ONE, shape_v2=(2,))])))
    assert [item.shape_v2 for item in om.inputs] == [(2, 7), None]


def test_paths_are_redacted() -> None:
    om = parsed(FILES["wide"])
    assert om.build.atc_cmdline == (
        ".../atc.bin --model=.../inference.onnx --framework=5 --output=.../inference "
        "--soc_version=Ascend310P3 --input_shape=/model/x:1,3,48,320 --log=error"
    )
    assert "secret" not in om.model_dump_json()


def test_paths_are_shown_when_asked_for() -> None:
    assert parsed(FILES["wide"], paths=True).build.atc_cmdline == CMDLINE


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("--model=/a/secret/m.onnx", "--model=.../m.onnx"),
        ("--model /a/secret/m.onnx", "--model .../m.onnx"),
        ("-model ./secret/m.onnx", "-model .../m.onnx"),
        ("--model='/a/secret/m.onnx'", "--model='.../m.onnx'"),
        ("--debug_dir=/a/secret/", "--debug_dir=..."),
        ("--x=C:\\secret\\m.onnx", "--x=C:.../m.onnx"),
        ("--x=/secret/a;/secret/b|/secret/c", "--x=.../a;.../b|.../c"),
        ("--input_shape /model/x:1,3", "--input_shape /model/x:1,3"),
        ("--out-nodes=/head/Conv:0", "--out-nodes=/head/Conv:0"),
        ("--input_shape=x:1 /secret/y", "--input_shape=x:1 .../y"),
        ("--log=error", "--log=error"),
    ],
)
def test_what_is_a_path(word: str, shown: str) -> None:
    model = Model(attrs={"atc_cmdline": f"atc {word}"}, name="/home/secret/net")
    om = parsed(write_om(model))
    assert om.build.atc_cmdline == f"atc {shown}"
    assert om.model_name == ".../net"


def test_json_has_everything_and_comes_back() -> None:
    om = parsed(FILES["profiles"])
    assert OmFile.model_validate_json(om.model_dump_json()) == om
    assert json.loads(om.model_dump_json())["profiles"]["values"] == [[48, 320], [48, 640]]


# --- Files that are none, or not whole ------------------------------------------------------------


def refused(data: bytes, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(data)
    for word in ("made.om", *words):
        assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["is empty"]),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", ["Git LFS"]),
        (b"../../models/resnet50.om", ["'../../models/resnet50.om'", "symbolic link"]),
        (b"resnet50.om\n", ["'resnet50.om'", "symbolic link"]),
        (b"<!DOCTYPE html>\n<html>\n", ["text", "<!DOCTYPE html>"]),
        ("模型文件\n见网盘\n".encode(), ["text"]),
        (("模" * 100).encode()[:-1], ["text"]),
        (b"\x08\x07\x12\x0cPaddlePaddle", ["ONNX"]),
        (b"PK\x03\x04rest", ["ZIP", ".om2"]),
        (b"PICO\0\0\0\0", ["PICO"]),
        (b"\x80\x02ctorch\0", ["80 02 63 74", "IMOD"]),
        (b"IMOD", ["cut short", "252 bytes are missing"]),
        (b"IMOD" + bytes(252), ["damaged: header", "0 bytes"]),
        (write_om(REC, encrypted=1), ["encrypted"]),
    ],
)
def test_what_is_not_an_om_file(data: bytes, words: list[str]) -> None:
    refused(data, *words)


def test_a_real_onnx_file_is_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph([], "g", [], [])
    path = tmp_path / "inference.om"
    onnx.save(onnx.helper.make_model(graph, producer_name="me"), str(path))
    with pytest.raises(InputError, match="an ONNX model"):
        read_om(path)


@pytest.mark.parametrize("name", FILES)
def test_every_truncation_says_how_much_is_missing(name: str) -> None:
    data = FILES[name]
    for kept in (*range(4, 256, 17), *range(256, len(data), 13), len(data) - 1):
        missing = (256 if kept < 256 else len(data)) - kept
        words = "1 byte is" if missing == 1 else f"{missing} bytes are"
        refused(data[:kept], f"cut short: {words} missing")


def test_truncation_without_a_declared_length() -> None:
    data = write_om(REC, wide=False, declare_length=False)
    refused(data[:-7], "cut short: 7 bytes are missing")
    refused(data[:258], "cut short: 2 bytes are missing")


def edited(data: bytes, at: int, value: int, size: int = 4) -> bytes:
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


#: Where the first entry of the wide table has its offset and its size.
OFFSET, SIZE = 256 + 8 + 8, 256 + 8 + 16


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (edited(FILES["wide"], 4, 255), ["header", "255 bytes"]),
        (edited(FILES["wide"], 156, 2**32 - 1), ["header", "4294967295 models"]),
        (edited(FILES["wide"], 256, 2**32 - 1), ["table", "4294967295 partitions"]),
        (edited(FILES["wide"], 256, 0), ["table", "no partitions"]),
        (edited(FILES["wide"], OFFSET, 2**63, 8), ["table", "MODEL_INOUT_INFO ends at byte"]),
        (edited(FILES["wide"], SIZE, 2**64 - 1, 8), ["table", "MODEL_INOUT_INFO ends at byte"]),
        (edited(FILES["wide"], SIZE, 1_000_000, 8), ["table", "the file is complete"]),
        (edited(FILES["narrow"], 256 + 4 + 8, 1_000_000), ["table", "the file is complete"]),
    ],
)
def test_damaged_headers_and_tables(data: bytes, words: list[str]) -> None:
    refused(data, "is damaged", *words)


I32 = b"\xff\xff\xff\x7f"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (om_writer.block(0, b"\xff\xff\xff\xff"), "4294967295 tensors"),
        (om_writer.block(0, b"\1\0\0\0"), "wanted"),
        (om_writer.block(2, b"\xff\xff\0\0"), "65535 profiles"),
        (om_writer.block(3, b"\1\0\0\0" + I32), "a profile of"),
        (om_writer.block(6, b"\1\0\0\0" + I32), "a text of 2147483647"),
        (om_writer.block(0, b"\1\0\0\0" + bytes(16) + I32 + bytes(12)), "a name of 2147483647"),
        (om_writer.block(0, b"\1\0\0\0" + bytes(20) + b"\7\0\0\0" + bytes(8)), "a shape of 7"),
        (om_writer.block(0, b"\1\0\0\0" + bytes(28) + I32), "ranges of"),
        (b"\0\0\0\0" + I32, "wanted"),
        (b"\0\0", "wanted"),
    ],
)
def test_damaged_inout_info(payload: bytes, words: str) -> None:
    body = om_writer.with_table([(om_writer.MODEL_INOUT_INFO, payload)], wide=True)
    refused(
        write_om(declare_length=True)[:184] + len(body).to_bytes(8, "little") + bytes(64) + body,
        "MODEL_INOUT_INFO",
        words,
    )


def test_blocks_of_unknown_type_are_skipped() -> None:
    payload = om_writer.block(99, b"abc") + om_writer.inout(Model(inputs=[ONE]))
    body = om_writer.with_table([(om_writer.MODEL_INOUT_INFO, payload)], wide=False)
    assert parsed(write_om(wide=False, declare_length=False) + body).inputs[0].name == "x"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x0a\x7f", "wants"),
        (om_writer.varint(7, 3), "a number where a message"),
        (om_writer.message(1, b"n" * 70_000), "a text of 70000"),
        (
            om_writer.message(7, om_writer.message(6, om_writer.operator("d", "Data")) * 5000),
            "4096",
        ),
        (
            om_writer.message(11, om_writer.entry("soc_version", ["x"] * 5000)),
            "a list of more than 4096",
        ),
        (om_writer.message(11, om_writer.entry("soc_version", [1] * 50_000)), "a list of 50000"),
        (
            om_writer.message(
                7,
                om_writer.message(
                    6,
                    om_writer.operator("d", "Data")
                    + om_writer.message(34, om_writer.descriptor(Tensor("d", (1,) * 65))),
                ),
            ),
            "65 axes",
        ),
        (
            om_writer.message(
                7,
                om_writer.message(
                    6,
                    om_writer.operator("d", "Data")
                    + om_writer.message(34, om_writer.descriptor(Tensor("d", (1,) * 9999))),
                ),
            ),
            "a shape of",
        ),
    ],
)
def test_damaged_model_def(content: bytes, words: str) -> None:
    body = om_writer.with_table([(om_writer.MODEL_DEF, content)], wide=False)
    refused(write_om(wide=False, declare_length=False) + body, "MODEL_DEF", words)


# --- On the disk ---------------------------------------------------------------------------------


def test_weights_are_not_loaded(tmp_path: Path) -> None:
    """A sparse file of 3 GB takes a few kilobytes."""
    path = tmp_path / "big.om"
    data = write_om(dataclasses.replace(REC, weights=b""))
    weights = 3 << 30
    entry = struct.pack("<iIQQ", 1, 0, len(data) - 256 - 8 - 48, weights)
    table_end = 256 + 8 + 48
    body = edited(data[:table_end], 256, 3) + entry + data[table_end:]
    path.write_bytes(body)
    os.truncate(path, len(body) + weights)
    tracemalloc.start()
    om = read_om(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert om.partitions[-1].bytes == weights
    assert om.inputs[0].name == "x"
    assert peak < 1_000_000


def test_empty_missing_directory_and_pipe(tmp_path: Path) -> None:
    (tmp_path / "empty.om").touch()
    os.mkfifo(tmp_path / "pipe.om")
    for name, words in (
        ("empty.om", "is empty"),
        ("gone.om", "does not exist"),
        ("", "is a directory"),
        ("pipe.om", "not a regular file"),
        ("a\0b", "not a path"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            read_om(tmp_path / name)
        assert caught.value.hint


def test_what_is_read_as_an_om_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(FILES["wide"])
    (tmp_path / "x.om").write_bytes(b"nothing")
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07")
    (tmp_path / "dir.om").mkdir()
    assert looks_like_om(tmp_path / "model")
    assert looks_like_om(tmp_path / "x.om")
    assert not looks_like_om(tmp_path / "x.onnx")
    assert not looks_like_om(tmp_path / "dir.om")
    assert not looks_like_om(tmp_path / "gone")
    assert not looks_like_om(Path("a\0b"))
