"""The public Python API."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import onnx
import pytest

from converter import CompileOptions, Paddle2omError, convert, export_onnx
from converter.errors import InputError, StageError
from converter.model.result import Status


def test_export_onnx_from_a_directory_and_from_a_file(tiny_pir, tmp_path):
    from_directory = export_onnx(tiny_pir, tmp_path / "a.onnx", opset=13)
    from_file = export_onnx(tiny_pir / "inference.json", str(tmp_path / "b.onnx"), opset=13)

    assert from_directory.status is Status.OK
    assert from_directory.opset == 13
    assert "double-attributes" in [repair.name for repair in from_directory.repairs]
    assert from_directory.path == tmp_path / "a.onnx"
    assert from_directory.path.read_bytes() == from_file.path.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]


def test_export_onnx_of_a_legacy_file(cls_model, tmp_path):
    result = export_onnx(cls_model / "inference.pdmodel", tmp_path / "cls.onnx")

    assert result.opset == 11
    onnx.checker.check_model(str(result.path), full_check=True)


def test_export_onnx_replaces_the_file_it_is_told_to_write(tiny_pir, tmp_path):
    (tmp_path / "out.onnx").write_bytes(b"old")

    export_onnx(tiny_pir, tmp_path / "out.onnx", opset=13)

    assert onnx.load(tmp_path / "out.onnx").graph.node


def test_export_onnx_of_a_model_without_parameters(tmp_path):
    """A single operator, saved under an odd stem."""
    script = tmp_path / "save.py"  # a file: Paddle reads the source of what it traces
    script.write_text(
        "import paddle\n"
        "class Relu(paddle.nn.Layer):\n"
        "    def forward(self, x):\n        return paddle.nn.functional.relu(x)\n"
        "spec = paddle.static.InputSpec([None, 4], 'float32', name='x')\n"
        f"paddle.jit.save(Relu(), {str(tmp_path / 'one op')!r}, [spec])\n"
    )
    subprocess.run([sys.executable, script], check=True, capture_output=True)

    result = export_onnx(tmp_path / "one op.json", tmp_path / "out" / "relu.onnx", opset=11)

    assert (result.opset, result.status) == (11, Status.OK)
    assert "Relu" in [node.op_type for node in onnx.load(result.path).graph.node]


def test_export_onnx_raises(tiny_copy, tmp_path):
    with pytest.raises(InputError, match="opset 99"):
        export_onnx(tiny_copy, tmp_path / "x.onnx", opset=99)
    (tiny_copy / "inference.pdiparams").unlink()
    (tmp_path / "x.onnx").write_bytes(b"kept")
    with pytest.raises(InputError, match="missing weights") as refused:
        export_onnx(tiny_copy, tmp_path / "x.onnx")
    assert isinstance(refused.value, Paddle2omError)
    assert refused.value.hint
    assert (tmp_path / "x.onnx").read_bytes() == b"kept"


def test_convert_one_and_many(tiny_pir, cls_model, tmp_path):
    one = convert(str(tiny_pir), tmp_path / "one", opset=13)
    assert [model.name for model in one.models] == ["tiny_pir"]
    assert one.exit_code == 0

    two = convert([tiny_pir, cls_model], tmp_path / "two", opset=13, jobs=1, strict=True)
    assert [model.status for model in two.models] == [Status.OK, Status.OK]
    assert (tmp_path / "two" / "report.html").is_file()


def test_convert_needs_a_model(tmp_path):
    with pytest.raises(InputError, match="no model"):
        convert([], tmp_path / "out")


def test_a_script_without_a_main_guard_works(tiny_pir, tmp_path):
    """multiprocessing's spawn and forkserver would run such a script again in the child."""
    script = tmp_path / "script.py"
    script.write_text(
        "from converter import export_onnx\n"
        f"print(export_onnx({str(tiny_pir)!r}, {str(tmp_path / 'o.onnx')!r}, opset=13).opset)\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True)

    assert (ended.stdout, ended.returncode) == ("13\n", 0), ended.stderr


def test_outputs_are_the_same_bytes_every_time(cls_model, tmp_path):
    first = convert(cls_model, tmp_path / "a")
    second = convert(cls_model, tmp_path / "b")

    names = [f"{cls_model.name}/inference.onnx"]
    for report in (first, second):
        assert report.exit_code == 0
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    shutil.rmtree(tmp_path / "a")


def test_stage_errors_keep_their_class(monkeypatch, tiny_pir, tmp_path):
    from converter.errors import error_for

    assert isinstance(error_for(1, "m", hint="h"), StageError)
    assert error_for(99, "m", hint="h").exit_code == 70


def test_export_onnx_does_not_replace_the_model_itself(tiny_copy):
    before = (tiny_copy / "inference.json").read_bytes()

    with pytest.raises(InputError, match="a file of the model itself"):
        export_onnx(tiny_copy, tiny_copy / "inference.json")

    assert (tiny_copy / "inference.json").read_bytes() == before


@pytest.mark.parametrize(
    "wrong",
    [{"opset": 11.5}, {"jobs": 0}, {"jobs": -1}, {"jobs": "2"}, {"seed": -1}, {"atol": "small"}],
)
def test_wrong_arguments_are_input_errors(wrong, tiny_pir, tmp_path):
    with pytest.raises(InputError) as refused:
        convert(tiny_pir, tmp_path / "out", **wrong)
    assert refused.value.hint


def test_export_onnx_only_writes_regular_files(tiny_pir, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target, words in ((pipe, "not a regular file"), (tmp_path, "is a directory")):
        with pytest.raises(InputError, match=words):
            export_onnx(tiny_pir, target)
    assert pipe.is_fifo()


def test_export_onnx_writes_through_a_link(tiny_pir, tmp_path):
    (tmp_path / "target.onnx").write_bytes(b"old")
    (tmp_path / "link.onnx").symlink_to("target.onnx")

    export_onnx(tiny_pir, tmp_path / "link.onnx", opset=13)

    assert (tmp_path / "link.onnx").is_symlink()
    assert onnx.load(tmp_path / "target.onnx").graph.node


@pytest.mark.parametrize("models", [None, 3, b"x", [None], ["a\0b"]])
def test_what_is_not_a_path(models, tmp_path):
    with pytest.raises(InputError):
        convert(models, tmp_path / "out")
    with pytest.raises(InputError):
        export_onnx(models, tmp_path / "x.onnx")


@pytest.mark.parametrize("shapes", ["x=1,3,48,192", [1, 3], {"x": "a"}])
def test_what_are_not_shapes(shapes, tiny_pir, tmp_path):
    with pytest.raises(InputError):
        convert(tiny_pir, tmp_path / "out", soc="Ascend310P3", shapes=shapes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"soc": "Ascend310P3"}, "compile_options is"),
        (CompileOptions(precision="origin"), "--precision without --soc"),
        (CompileOptions(soc="Atlas 800T A2"), "several chips"),
    ],
)
def test_what_are_not_compile_options(options, words, tiny_pir, tmp_path):
    with pytest.raises(InputError, match=words):
        convert(tiny_pir, tmp_path / "out", compile_options=options)


def test_a_users_report_is_not_replaced(tiny_pir, tmp_path):
    (tmp_path / "report.html").write_text("mine")

    with pytest.raises(InputError, match=r"report\.html exists"):
        convert(tiny_pir, tmp_path, opset=13)
    assert (tmp_path / "report.html").read_text() == "mine"

    (tmp_path / "report.html").unlink()
    for _ in range(2):  # ours is replaced
        assert convert(tiny_pir, tmp_path, opset=13).exit_code == 0


def test_an_output_directory_is_one_runs_at_a_time(tiny_pir, tmp_path):
    from converter.engine.plan import work_directory

    with (
        work_directory(tmp_path / "out"),
        pytest.raises(InputError, match="another paddle2om is writing"),
    ):
        convert(tiny_pir, tmp_path / "out")
    assert convert(tiny_pir, tmp_path / "out", opset=13).exit_code == 0


def test_ctrl_c_leaves_export_onnx_as_such(tiny_pir, tmp_path, monkeypatch):
    from converter.engine import convert as module

    export_onnx(tiny_pir, tmp_path / "warm.onnx", opset=13)
    pool = module._shared_pool()

    begin = pool._begin

    def interrupt(*args):
        """The worker has the task and gets no further, however slow we are."""
        os.kill(pool._host.process.pid, signal.SIGSTOP)
        begin(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pool, "_begin", interrupt)
        with pytest.raises(KeyboardInterrupt):
            export_onnx(tiny_pir, tmp_path / "cold.onnx", opset=13)
    assert not (tmp_path / "cold.onnx").exists()
    assert export_onnx(tiny_pir, tmp_path / "again.onnx", opset=13).opset == 13
