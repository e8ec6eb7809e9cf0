"""``paddle2om device``: a kit is made, run where there is a (simulated) NPU, and judged."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from converter.errors import InputError
from converter.model.om_file import read_om
from converter.model.tensor import TensorSpec
from converter.stages.record import static_inputs
from tests.command import paddle2om
from tests.simulators.om_writer import Model, Tensor, write_om

ROOT = Path(__file__).parents[2]
SHAPE = (1, 3, 32, 32)


@pytest.fixture
def om(tmp_path):
    """Returns a function that writes an OM file for an input x."""

    def write(name="x", shape=SHAPE, outputs=2, **more):
        path = tmp_path / "inference.om"
        made = [Tensor(f"out{index}", (1,)) for index in range(outputs)]
        path.write_bytes(write_om(Model([Tensor(name, shape)], made, **more)))
        return path

    return write


@pytest.mark.slow
def test_from_a_model_to_a_verdict(tiny_pir, om, tmp_path):
    kit = tmp_path / "kit"
    made = paddle2om("device", kit, "--paddle", tiny_pir, "--om", om())
    assert (made.returncode, made.stdout) == (0, f"{kit}\n"), made.stderr
    names = {str(path.relative_to(kit)) for path in kit.rglob("*") if path.is_file()}
    assert {"inference.om", "run_om.py", "README.md", "paddle2om.manifest.json"} <= names
    assert len([name for name in names if name.startswith("cases/")]) >= 2

    alone = paddle2om("device", kit)
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "error: there is no Python module acl or ais_bench here" in alone.stderr

    converted = paddle2om("convert", tiny_pir, "-o", tmp_path / "out", "--opset", 13, "-q")
    assert converted.returncode == 0, converted.stderr
    site = tmp_path / "site"
    site.mkdir()
    (site / "acl.py").write_text("from tests.simulators.acl_simulator import *\n")
    npu = {
        "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
        "ACL_SIMULATOR_ONNX": str(tmp_path / "out" / tiny_pir.name / "inference.onnx"),
        "ACL_SIMULATOR_SHAPES": json.dumps({"x": SHAPE}),
    }
    ran = paddle2om("device", kit, "--json", **npu)
    assert ran.returncode == 0, ran.stderr
    (stage,) = json.loads(ran.stdout)["models"][0]["stages"]
    assert (stage["stage"], stage["status"]) == ("device", "ok")
    assert "run by acl on Ascend310P3" in stage["messages"][0]["text"]

    judged = paddle2om("device", kit, "-q")  # the results are there: no NPU is needed
    assert (judged.returncode, judged.stdout) == (0, ""), judged.stderr
    wrong = paddle2om("device", kit, "--run", "-q", ACL_SIMULATOR_NOISE="1", **npu)
    assert wrong.returncode == 3
    assert "error: kit: device: the OM file does not agree with Paddle" in wrong.stderr


def test_an_om_file_of_another_model(tiny_pir, om, tmp_path):
    made = om(outputs=3)
    ended = paddle2om("device", tmp_path / "kit", "--paddle", tiny_pir, "--om", made, "-q")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "inference.om has 3 outputs, the Paddle model 2" in ended.stderr
    assert "hint: " in ended.stderr
    assert not (tmp_path / "kit" / "cases").exists()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"name": "images"}, r"takes images, the Paddle model x"),
        (
            {"shape": (1, 4, 32, 32)},
            r"takes x as \[1, 4, 32, 32\], which the Paddle model does not",
        ),
        ({"shape": (-1, 3, 32, 32), "dynamic_batch": (1, 2)}, "takes more than one shape"),
    ],
)
def test_an_om_file_that_takes_something_else(made, words, om):
    inputs = (TensorSpec(name="x", dtype="float32", shape=("batch", 3, "h", "w")),)
    assert static_inputs(read_om(om()), inputs)[0].shape == SHAPE
    with pytest.raises(InputError, match=words) as refused:
        static_inputs(read_om(om(**made)), inputs)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("kit",), "is not a device kit"),
        (("kit", "--om", "x.om"), "a kit is made with both --paddle and --om"),
        (("kit", "--paddle", "m", "--om", "missing.om"), "missing.om is not a file"),
    ],
)
def test_mistakes(words, told, tmp_path):
    ended = paddle2om("device", tmp_path / words[0], *words[1:])
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "kit").exists()
