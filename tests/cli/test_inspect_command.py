"""``paddle2om inspect`` of OM and ONNX files: text, JSON, redaction, errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import paddle2om
from tests.model.om_samples import FILES

OM_TEXT = """\
file        rec.om: 3.3 kB
model       inference
format      OM, IR model, version 0x20000000, 24-byte partition table, 1 model
emulated    written by a simulator of atc: no device can run it
chip        Ascend310P3
built by    atc 8.1.RC1, opp 8.1.RC1 from ONNX
host        linux x86_64
input       x float32[1,3,48,320] NCHW, 184 kB
output      softmax_2.tmp_0:0:softmax_2.tmp_0 float32[1,40,6625] ND, 1.1 MB
on device   memory 7.0 MB, weights 4.3 MB, 1 stream, 0 events, 0 labels
"""


def inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    return paddle2om("inspect", *arguments)


@pytest.fixture
def rec(tmp_path: Path) -> str:
    path = tmp_path / "rec.om"
    path.write_bytes(FILES["wide"])
    return str(path)


def test_text(rec: str) -> None:
    ended = inspect(rec)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(OM_TEXT)
    rest = ended.stdout.removeprefix(OM_TEXT).splitlines()
    assert [line.split()[:2] for line in rest[:3]] == [
        ["partition", "MODEL_INOUT_INFO"],
        ["partition", "MODEL_DEF"],
        ["partition", "WEIGHTS_DATA"],
    ]
    assert rest[3].startswith("command     .../atc.bin --model=.../inference.onnx ")
    assert len(rest) == 4


def test_paths(rec: str) -> None:
    assert "/home/me/secret" not in inspect(rec).stdout
    assert "--model=/home/me/secret/inference.onnx" in inspect(rec, "--paths").stdout
    assert "/home/me/secret" not in inspect(rec, "--json").stdout


def test_json(rec: str) -> None:
    ended = inspect(rec, "--json")

    assert ended.returncode == 0
    told = json.loads(ended.stdout)
    assert told["kind"] == "om"
    assert told["build"]["soc_version"] == "Ascend310P3"
    assert told["inputs"][0]["shape"] == [1, 3, 48, 320]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "profiles",
            ["profiles    2 profiles: dynamic extents of x", "  48,640", "loads only there"],
        ),
        ("two models", ["2 models", "model 2"]),
        ("narrow", ["12-byte partition table"]),
    ],
)
def test_what_else_the_text_says(name: str, lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "model"  # known by its first bytes
    path.write_bytes(FILES[name])
    ended = inspect(str(path))

    assert ended.returncode == 0
    for line in lines:
        assert line in ended.stdout


def test_a_damaged_om_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.om"
    path.write_bytes(FILES["wide"][:-9])
    ended = inspect(str(path))

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"error: {path} is cut short: 9 bytes are missing\nhint: ")


def test_reading_an_om_file_loads_nothing_heavy(rec: str) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['paddle2om', 'inspect', {rec!r}]\n"
        "from converter.cli.main import entry\n"
        "try:\n    entry()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = ('numpy', 'onnx', 'onnxruntime', 'paddle', 'google.protobuf')\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ended.stdout.splitlines()[-1] == "LOADED []", ended.stderr


def test_onnx(tmp_path: Path) -> None:
    import onnx

    value = onnx.helper.make_tensor_value_info
    float32 = onnx.TensorProto.FLOAT
    weight = onnx.helper.make_tensor("w", float32, [1], [2.0])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Mul", ["x", "w"], ["y"])],
        "g",
        [value("x", float32, ["batch", 3])],
        [value("y", float32, ["batch", 3])],
        [weight],
    )
    opsets = [onnx.helper.make_opsetid("", 11)]
    path = tmp_path / "m.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=7), str(path))

    ended = inspect(str(path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "format      ONNX, opset 11, IR version 7\n"
        "nodes       1\n"
        "weights     4 B\n"
        "input       x float32[batch,3]\n"
        "output      y float32[batch,3]\n"
    )
    assert json.loads(inspect(str(path), "--json").stdout)["opset"] == 11


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"not a model", "cannot be read as an ONNX model"),
        (b"\x08\x07", "it has no graph"),
    ],
)
def test_what_is_not_onnx(data: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    if data is not None:
        path.write_bytes(data)
    ended = inspect(str(path))

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert words in ended.stderr.splitlines()[0]
    assert "\nhint: " in ended.stderr
