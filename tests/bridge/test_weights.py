"""Weights that do not go through paddle2onnx: same model, and the data byte for byte."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from paddle2onnx import paddle2onnx_cpp2py_export as native

from converter.bridge import translate as translate_module
from converter.bridge import weights
from converter.errors import StageError
from converter.model.result import Status
from converter.stages.export import ExportStage
from converter.stages.inspect import InspectStage
from converter.stages.simplify import SimplifyStage
from converter.stages.validate import ValidateStage


def through_stages(job):
    for stage in (InspectStage(), ExportStage(), SimplifyStage(), ValidateStage()):
        result = stage(job)
        job.results[stage.name] = result
        assert not result.status.is_failure, result.error
    return job.results


@pytest.mark.parametrize("opset", [11, 17])
def test_weightless_conversion_makes_the_same_nodes(cls_model, job_for, opset):
    job = job_for(cls_model, opset=opset)
    for stage in (InspectStage(), ExportStage()):
        job.results[stage.name] = stage(job)
    assert job.results["export"].status is not Status.FAILED, job.results["export"].error
    (program,) = job.work_dir.glob("program.*.json")  # as repaired
    alone = native.export(
        str(program), str(job.work_dir / "translated.pdiparams"), opset, True, False, False, True,
        True, {}, "onnxruntime", "", "", False,
    )  # fmt: skip

    def nodes_of(model):
        return [
            (node.op_type, list(node.input))
            for node in model.graph.node
            if node.op_type != "Constant"
        ]

    weightless = onnx.load(job.onnx)
    assert nodes_of(weightless) == nodes_of(onnx.load_model_from_string(alone))
    assert weightless.graph.initializer


def test_external_data_is_written_published_and_validated(tiny_pir, job_for, monkeypatch, tmp_path):
    from converter.stages.publish import publish

    monkeypatch.setattr(translate_module, "EXTERNAL_FROM", 0)
    job = job_for(tiny_pir, opset=13)

    results = through_stages(job)
    published = {entry.artefact.path.rsplit("/")[-1] for entry in publish(job)}

    assert results["simplify"].status is Status.SKIPPED
    assert {"inference.onnx", "inference.onnx.data"} <= published
    model = onnx.load(f"{job.task.destination}/inference.onnx")
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert values["conv2d_0.w_0"].shape == (4, 3, 3, 3)
    assert np.isfinite(values["conv2d_0.w_0"]).all()


def test_a_damaged_external_file_is_named(tiny_pir, job_for, monkeypatch):
    from converter.stages import export as export_module

    monkeypatch.setattr(translate_module, "EXTERNAL_FROM", 0)
    real = weights.write_external

    def damaged(placed, params, target):
        real(placed, params, target)
        data = bytearray(target.read_bytes())
        data[placed[-1].offset] ^= 1
        target.write_bytes(data)

    monkeypatch.setattr(export_module, "write_external", damaged)
    job = job_for(tiny_pir, opset=13)
    job.results["inspect"] = InspectStage()(job)

    exported = ExportStage()(job)

    assert exported.status is Status.FAILED
    assert "differs from the one in inference.pdiparams" in exported.error.message


def test_external_data_needs_a_newer_file_format():
    model = onnx.helper.make_model(
        onnx.helper.make_graph([], "g", [], []),
        ir_version=3,
        opset_imports=[onnx.helper.make_opsetid("", 7)],
    )
    with pytest.raises(StageError, match="external data"):
        weights.attach_external(model, [], "x.data")
