"""The stages' contracts, with what goes wrong planted: nothing wrong may come out as right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxsim
import pytest
from onnx import numpy_helper

from converter.bridge import translate as translate_module
from converter.bridge.lowering import plan as plan_module
from converter.errors import InputError
from converter.model.comparison import ValidateFacts
from converter.model.result import CompileFacts, ExportFacts, Status
from converter.stages.compile import CompileStage
from converter.stages.export import ExportStage
from converter.stages.inspect import InspectStage
from converter.stages.job import Job
from converter.stages.publish import check_free, publish
from converter.stages.simplify import SimplifyStage
from converter.stages.validate import ValidateStage


def run(job: Job, *stages) -> list:
    results = []
    for stage in stages:
        job.results[stage.name] = stage(job)
        results.append(job.results[stage.name])
    return results


def test_every_stage_of_a_small_model(tiny_pir, job_for):
    job = job_for(tiny_pir, soc="Ascend310P3", shapes={"x": (1, 3, 32, 32)})

    results = run(
        job, InspectStage(), ExportStage(), SimplifyStage(), ValidateStage(), CompileStage()
    )

    assert [result.status for result in results[:4]] == [Status.OK] * 4
    exported, validated = results[1].facts, results[3].facts
    assert exported.opset == 13
    assert "double-attributes" in [repair.name for repair in exported.repairs]
    assert len(validated.cases) >= 3
    assert all(case.passed for case in validated.cases)
    assert {case.input_shapes["x"][0] for case in validated.cases} == {1, 2}
    assert len({case.input_shapes["x"][2:] for case in validated.cases}) >= 2
    assert results[4].facts.input_shape == "x:1,3,32,32"
    assert all(result.peak_memory > 0 for result in results)


@pytest.mark.parametrize("opset", [13, 15, 17])
def test_the_opset_is_the_one_asked_for(opset, tiny_pir, job_for):
    job = job_for(tiny_pir, opset=opset)

    _, exported = run(job, InspectStage(), ExportStage())

    assert exported.status is Status.OK
    assert exported.facts.opset == opset
    assert {entry.version for entry in onnx.load(job.onnx).opset_import} == {opset}


def test_an_opset_that_paddle2onnx_raises_is_refused_by_name(tiny_pir, job_for, monkeypatch):
    monkeypatch.setattr(plan_module, "all_lowerings", dict)
    job = job_for(tiny_pir, opset=11)

    _, exported = run(job, InspectStage(), ExportStage())

    assert exported.status is Status.FAILED
    assert "no right form at opset 11 for: " in exported.error.message
    assert re.search(r"\w+ \(paddle2onnx writes it in opset 1[2-9]\)", exported.error.message)
    assert "--opset 1" in exported.error.hint


def test_a_weightless_export_is_a_failure(tiny_pir, job_for, monkeypatch):
    monkeypatch.setattr(translate_module, "attach", lambda model, headers, params: None)
    job = job_for(tiny_pir)

    _, exported = run(job, InspectStage(), ExportStage())

    assert exported.status is Status.FAILED
    assert "parameters are not in the exported model" in exported.error.message
    assert exported.error.exit_code == 1


def edit_export(monkeypatch, edit) -> None:
    """Let ``edit`` change the model that paddle2onnx returns."""
    real = translate_module.export_program

    def edited(program, opset):
        model = onnx.load_model_from_string(real(program, opset))
        edit(model)
        return model.SerializeToString()

    monkeypatch.setattr(translate_module, "export_program", edited)


def constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {
        node.output[0]: node.attribute[0].t
        for node in model.graph.node
        if node.op_type == "Constant"
    }


def test_a_changed_weight_is_a_failure(tiny_pir, job_for, monkeypatch):
    real = translate_module.attach

    def nudge(model, headers, params):
        real(model, headers, params)
        tensor = next(t for t in model.graph.initializer if t.name.endswith(".w_0"))
        values = numpy_helper.to_array(tensor).copy()
        values.flat[0] = np.nextafter(values.flat[0], np.float32(9))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    monkeypatch.setattr(translate_module, "attach", nudge)

    _, exported = run(job_for(tiny_pir), InspectStage(), ExportStage())

    assert exported.status is Status.FAILED
    assert "differs from the one in inference.pdiparams" in exported.error.message


def drop_a_node(model):
    (maker,) = (n for n in model.graph.node if model.graph.output[0].name in n.output)
    model.graph.node.remove(maker)


def retype_an_output(model):
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


def lose_an_output(model):
    del model.graph.output[1]


def rename_the_input(model):
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == "x":
                node.input[index] = "y"
    model.graph.input[0].name = "y"


@pytest.mark.parametrize("edit", [drop_a_node, retype_an_output, lose_an_output, rename_the_input])
def test_an_invalid_export_is_a_failure(edit, tiny_pir, job_for, monkeypatch):
    edit_export(monkeypatch, edit)

    _, exported = run(job_for(tiny_pir), InspectStage(), ExportStage())

    assert exported.status is Status.FAILED
    assert exported.error.hint
    assert exported.error.exit_code == 1


def test_an_empty_export_is_a_failure(tiny_pir, job_for, monkeypatch):
    from paddle2onnx import paddle2onnx_cpp2py_export as native

    monkeypatch.setattr(native, "export", lambda *_: b"")

    _, exported = run(job_for(tiny_pir), InspectStage(), ExportStage())

    assert exported.status is Status.FAILED
    assert "empty model" in exported.error.message


def test_wrong_numbers_fail_the_gate_and_are_put_aside(tiny_pir, job_for, monkeypatch):
    """A slope of 0.2 instead of 0.1: valid ONNX, loads, right signature, wrong function."""

    def steeper(model):
        (relu,) = (node for node in model.graph.node if node.op_type == "LeakyRelu")
        relu.attribute[0].f *= 2

    edit_export(monkeypatch, steeper)
    job = job_for(tiny_pir)

    *_, simplified, validated = run(
        job, InspectStage(), ExportStage(), SimplifyStage(), ValidateStage()
    )

    assert simplified.status is Status.OK
    assert validated.status is Status.FAILED
    assert validated.error.exit_code == 3
    assert isinstance(validated.facts, ValidateFacts)
    worst = max(output.max_abs for case in validated.facts.cases for output in case.outputs)
    assert worst > 1e-3
    publish(job)
    destination = Path(job.task.destination)
    assert not (destination / "inference.onnx").exists()
    assert (destination / "rejected" / "inference.onnx").exists()


def test_a_tolerance_given_by_the_user_decides(tiny_pir, job_for):
    strict = job_for(tiny_pir, atol=0.0, rtol=0.0)

    *_, validated = run(strict, InspectStage(), ExportStage(), ValidateStage())

    assert validated.facts.tolerance.atol == 0.0
    if any(output.max_abs > 0 for case in validated.facts.cases for output in case.outputs):
        assert validated.status is Status.FAILED
    else:
        assert validated.status is Status.OK


def simplify_into(monkeypatch, edit) -> None:
    """Let ``edit`` spoil what onnxsim returns; its own check still says all is well."""
    real = onnxsim.simplify

    def spoilt(model, *args, **kwargs):
        simplified, _ = real(model, *args, **kwargs)
        edit(simplified)
        return simplified, True

    monkeypatch.setattr(onnxsim, "simplify", spoilt)


def change_a_slope(model):
    for node in model.graph.node:
        if node.op_type == "LeakyRelu":
            node.attribute[0].f *= 2


def raise_the_opset(model):
    model.opset_import[0].version = 17


def rename_a_dim(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (change_a_slope, "changed the result"),
        (raise_the_opset, "inputs, outputs or opset"),
        (rename_a_dim, "inputs, outputs or opset"),
    ],
)
def test_a_doubtful_simplification_is_not_used(edit, words, tiny_pir, job_for, monkeypatch):
    simplify_into(monkeypatch, edit)
    job = job_for(tiny_pir)

    *_, simplified, validated = run(
        job, InspectStage(), ExportStage(), SimplifyStage(), ValidateStage()
    )

    assert simplified.status is Status.DEGRADED
    assert words in simplified.messages[0].text
    assert job.onnx.name == "exported.onnx"
    assert job.files["inference.onnx"] == (job.onnx, "export")
    assert validated.status is Status.OK


def test_onnxsim_that_raises_degrades(tiny_pir, job_for, monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError("planted")

    monkeypatch.setattr(onnxsim, "simplify", fail)

    *_, simplified = run(job_for(tiny_pir), InspectStage(), ExportStage(), SimplifyStage())

    assert simplified.status is Status.DEGRADED
    assert "planted" in simplified.messages[0].text


def test_simplification_is_compared_on_two_shapes(tiny_pir, job_for):
    *_, simplified = run(job_for(tiny_pir), InspectStage(), ExportStage(), SimplifyStage())

    shapes = [case["x"] for case in simplified.facts.compared_shapes]
    assert len(set(shapes)) == 2
    assert simplified.facts.nodes_after < simplified.facts.nodes_before


def test_no_simplify_is_skipped(tiny_pir, job_for):
    job = job_for(tiny_pir, simplify=False)

    *_, simplified, validated = run(
        job, InspectStage(), ExportStage(), SimplifyStage(), ValidateStage()
    )

    assert simplified.status is Status.SKIPPED
    assert validated.status is Status.OK


def test_compile_without_a_shape_says_what_to_give(tiny_copy, job_for):
    (tiny_copy / "inference.yml").unlink(missing_ok=True)
    job = job_for(tiny_copy, soc="Ascend310P3")

    *_, compiled = run(job, InspectStage(), ExportStage(), CompileStage())

    assert compiled.status is Status.FAILED
    assert "--shape x=" in compiled.error.hint
    assert compiled.error.exit_code == 2


def test_compile_without_a_soc_is_skipped(tiny_pir, job_for):
    *_, compiled = run(job_for(tiny_pir), InspectStage(), ExportStage(), CompileStage())

    assert compiled.status is Status.SKIPPED
    assert "--soc" in compiled.messages[0].hint


def test_compile_without_atc_leaves_a_script(tiny_pir, job_for, monkeypatch):
    monkeypatch.setattr("converter.stages.compile.find_atc", lambda: None)
    job = job_for(tiny_pir, soc="Ascend310P3", shapes={"x": (1, 3, 32, 32)})

    *_, compiled = run(job, InspectStage(), ExportStage(), CompileStage())

    assert compiled.status is Status.SKIPPED
    assert compiled.messages[0].text == "atc not found"
    assert compiled.messages[0].hint
    assert isinstance(compiled.facts, CompileFacts)
    script, _ = job.files["atc.sh"]
    assert script.stat().st_mode & 0o111
    assert "--soc_version=Ascend310P3" in script.read_text()


def test_publishing_replaces_what_was_ours_and_only_that(tiny_pir, job_for, tmp_path):
    job = job_for(tiny_pir)
    run(job, InspectStage(), ExportStage())
    publish(job)
    destination = Path(job.task.destination)
    manifest = json.loads((destination / "paddle2om.manifest.json").read_text())
    assert set(manifest["files"]) >= {"inference.onnx"}

    again = job_for(tiny_pir)
    check_free(again.task)

    (destination / "inference.onnx").write_bytes(b"somebody's work")
    with pytest.raises(InputError) as refused:
        check_free(again.task)
    assert "--force" in refused.value.hint
    check_free(again.task.model_copy(update={"force": True}))
    assert (destination / "inference.onnx").read_bytes() == b"somebody's work"


def test_inputs_stay_as_they_were(tiny_copy, job_for):
    before = {path: path.read_bytes() for path in tiny_copy.iterdir()}

    run(job_for(tiny_copy), InspectStage(), ExportStage(), SimplifyStage(), ValidateStage())

    assert {path: path.read_bytes() for path in tiny_copy.iterdir()} == before


def test_the_legacy_classifier(cls_model, job_for):
    job = job_for(cls_model, opset=11)

    *_, exported, _, validated = run(
        job, InspectStage(), ExportStage(), SimplifyStage(), ValidateStage()
    )

    assert isinstance(exported.facts, ExportFacts)
    assert exported.facts.opset == 11
    assert [spec.name for spec in exported.facts.outputs] == ["softmax_0.tmp_0"]
    assert "kept-slice-axes" in [repair.name for repair in exported.facts.repairs]
    assert validated.status is Status.OK
    assert validated.facts.worst_max_abs < 1e-5


def test_a_soc_that_is_easily_mistaken_is_warned_of(tiny_pir, job_for, monkeypatch):
    monkeypatch.setattr("converter.stages.compile.find_atc", lambda: None)
    job = job_for(tiny_pir, soc="Ascend910B", shapes={"x": (1, 3, 32, 32)})

    *_, compiled = run(job, InspectStage(), ExportStage(), CompileStage())

    assert any("910B1" in message.text for message in compiled.messages)


def test_inputs_and_outputs_get_the_users_names(tiny_pir, job_for):
    plain = job_for(tiny_pir)
    (described,) = run(plain, InspectStage())
    (output, *_) = (spec.name for spec in described.facts.outputs)
    job = job_for(tiny_pir, rename={"x": "image", output: "scores"})

    *_, validated = run(job, InspectStage(), ExportStage(), SimplifyStage(), ValidateStage())

    assert validated.status is Status.OK, validated.error
    model = onnx.load(job.onnx)
    assert [value.name for value in model.graph.input] == ["image"]
    assert model.graph.output[0].name == "scores"
    assert {o.name for case in validated.facts.cases for o in case.outputs} >= {output}


@pytest.mark.parametrize(
    ("rename", "words"),
    [({"y": "z"}, "no input or output of that name"), ({"x": "fetch_name_0"}, "to two inputs")],
)
def test_a_wrong_rename_is_the_users_mistake(tiny_pir, job_for, rename, words):
    _, exported = run(job_for(tiny_pir, rename=rename), InspectStage(), ExportStage())

    assert exported.status is Status.FAILED
    assert exported.error.exit_code == 2
    assert words in exported.error.message
    assert exported.error.hint


def test_two_runs_give_the_same_bytes(tiny_pir, job_for):
    files = []
    for _ in range(2):
        job = job_for(tiny_pir)
        run(job, InspectStage(), ExportStage(), SimplifyStage())
        files.append(job.onnx.read_bytes())

    assert files[0] == files[1]
    keys = {entry.key for entry in onnx.load_model_from_string(files[0]).metadata_props}
    assert {"paddle2om.version", "paddle2om.program.sha256", "paddle2om.repairs"} <= keys
