"""Importing from a bundle: only the OM file that was asked for, for the model that is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from converter.atc.bundle import add_model
from converter.atc.command import build_argv
from converter.atc.om_check import Asked
from converter.model.onnx_file import describe_file
from converter.model.result import Status
from converter.model.task import Task
from converter.stages.import_om import ImportStage
from converter.stages.job import Job

SIMULATOR = Path(__file__).parent.parent / "simulators" / "atc_simulator.py"
SHAPE = "x:1,3,32,32"


@pytest.fixture
def come_back(tmp_path, monkeypatch):
    """Packs a model, lets the simulator compile it in a given mode; returns the import's job."""
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in "xy"
    ]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "relu")], "g", *zip(tensors))
    opsets = [helper.make_opsetid("", 11)]
    model = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), model)
    atc = tmp_path / "cann" / "atc"
    atc.parent.mkdir()
    atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
    atc.chmod(0o755)

    def there_and_back(mode):
        bundle = tmp_path / "bundle"
        facts = describe_file(model)
        flags = {"soc_version": "Ascend310P3", "input_shape": SHAPE}
        entry = add_model(
            bundle,
            name="m",
            argv=build_argv("inference.onnx", "inference", "Ascend310P3", SHAPE),
            input_shape=SHAPE,
            onnx=model,
            source=model,
            files={},
            beside={},
            asked=Asked(facts.inputs, facts.outputs, flags),
        )
        away = {"PATH": f"{atc.parent}:/usr/bin:/bin", "ATC_SIMULATOR_MODE": mode}
        subprocess.run([bundle / "run.sh"], env=away, capture_output=True, check=False)
        (tmp_path / "work").mkdir()
        return Job(
            Task(
                name="m",
                source=str(entry.directory / "inference.onnx"),
                stages=("import",),
                work_dir=str(tmp_path / "work"),
                destination=str(tmp_path / "out" / "m"),
                report_root=str(tmp_path / "out"),
                bundle=str(entry.directory),
            )
        )

    return there_and_back


def test_the_one_that_was_asked_for(come_back):
    job = come_back("faithful")
    result = ImportStage()(job)
    assert result.status is Status.OK, result.error
    assert set(job.files) == {"inference.om", "atc-files/atc.log"}
    assert result.facts.om_inputs == ("x float32[1,3,32,32]",)
    assert result.facts.on == "bundle"


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("wrong:soc", "the OM file is for"),
        ("wrong:input-shape", "the OM file has input x with shape"),
        ("wrong:output-count", "the OM file has"),
        ("truncated", "atc's OM file is unusable"),
        ("fail:E16002", "atc made no inference.om"),
        ("no-file", "atc made no inference.om"),
    ],
)
def test_anything_else(mode, words, come_back):
    job = come_back(mode)
    result = ImportStage()(job)
    assert result.status is Status.FAILED
    assert words in result.error.message
    assert result.error.hint
    assert result.error.exit_code == 1
    assert "inference.om" not in job.files


def test_beside_another_model(come_back):
    job = come_back("faithful")
    there = Path(job.task.destination) / "inference.onnx"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"another")
    result = ImportStage()(job)
    assert result.error.exit_code == 2
    assert "is not the model that m of the bundle was made from" in result.error.message
