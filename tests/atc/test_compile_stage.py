"""The compile stage: what atc gets, and that what it gives is what was asked for."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxsim
import pytest
from onnx import TensorProto, helper

from converter.bridge import onnxsim as bridge_onnxsim
from converter.errors import InputError, StageError
from converter.model.compile_options import CompileOptions
from converter.model.om_file import read_om
from converter.model.onnx_file import describe_file
from converter.model.result import Status
from converter.model.task import ConvertOptions, Task
from converter.stages.compile import CompileStage
from converter.stages.job import Job
from converter.stages.publish import publish
from converter.stages.read import ReadStage
from tests.atc.conftest import read_calls
from tests.atc.onnx_models import build, detector, save, text_model
from tests.simulators.atc_om import SPOILS

SHAPE = {"x": (1, 3, 48, 320)}
SOC = "Ascend310P3"


@pytest.fixture
def compiled(tmp_path):
    """Returns a function that compiles a model directory; the job and the stage's result."""

    def run(model: onnx.ModelProto, yml: str | None = None, *, only_plan=False, **options):
        directory = save(model, tmp_path / "model", yml)
        work = tmp_path / "work"
        work.mkdir()
        job = Job(
            Task(
                name="model",
                source=str(directory / "inference.onnx"),
                stages=("read", "compile"),
                work_dir=str(work),
                destination=str(tmp_path / "out"),
                report_root=str(tmp_path / "out"),
                beside=True,
                preflight_only=only_plan,
                options=ConvertOptions(compile=CompileOptions(soc=SOC, timeout=60, **options)),
            )
        )
        read = ReadStage()(job)
        assert read.status is Status.OK, read.error
        job.results["read"] = read
        return job, CompileStage()(job)

    return run


def texts(result) -> str:
    return "\n".join(message.text for message in result.messages)


def test_atc_gets_a_static_model_and_gives_what_was_asked_for(compiled, simulated_atc):
    calls = simulated_atc("faithful")

    job, result = compiled(text_model(), shapes=SHAPE)

    assert result.status is Status.OK, result.error
    facts = result.facts
    assert facts.changes == ("made static: x [1, 3, 48, 320]",)
    assert facts.changes_max_abs <= 1e-6
    assert facts.shapes_from == {"x": "asked"}
    static = describe_file(job.files["atc.onnx"][0])
    assert static.inputs[0].shape == (1, 3, 48, 320)
    assert static.outputs[0].shape == (1, 3 * 48 * 320)
    kinds = {node.op_type for node in onnx.load(job.files["atc.onnx"][0]).graph.node}
    assert not kinds & {"Shape", "Gather", "Concat"}
    om = read_om(job.files["inference.om"][0])
    assert [str(tensor) for tensor in om.inputs] == list(facts.om_inputs)
    assert facts.om_inputs == ("x float32[1,3,48,320]",)
    assert facts.om_outputs == ("flatten:0:y float32[1,46080]",)
    (call,) = read_calls(calls)
    assert call["input_shape"] == "x:1,3,48,320"
    assert "atc.onnx" in job.files["atc.sh"][0].read_text()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("soc", "is for Ascend910A, not for Ascend310P3"),
        ("profiles", "has profiles of batch 7;9, and none were asked for"),
        ("no-description", "does not describe its inputs"),
        ("input-name", "inputs with other names: other, image, scale_factor; the model has im_sh"),
        ("input-order", "inputs in another order: scale_factor, image, im_shape"),
        ("input-shape", r"input im_shape with shape \[1, 7\], not \[1, 2\]"),
        ("input-dtype", "input im_shape as int16, not as float32"),
        ("input-count", "inputs with other names: im_shape, image, scale_factor, extra"),
        ("output-name", "outputs with other names: other, wide; the model has boxes, wide"),
        ("output-order", "outputs in another order: wide, boxes"),
        ("output-shape", r"output boxes with shape \[1, 7\], not \[1, 5\]"),
        ("output-dtype", "output boxes as int16, not as float32"),
        ("output-count", r"3 outputs \(boxes:0:boxes, wide:0:wide, extra\), not 2"),
    ],
)
def test_an_om_file_that_is_another_is_put_aside(spoil, words, compiled, simulated_atc):
    assert spoil in SPOILS
    simulated_atc(f"wrong:{spoil}")
    model = detector()
    model.graph.node.append(helper.make_node("Neg", ["boxes"], ["wide"], "wide"))
    model.graph.output.append(helper.make_tensor_value_info("wide", TensorProto.FLOAT, ["n", 5]))

    job, result = compiled(model)

    assert result.status is Status.FAILED
    assert re.search(words, result.error.message), result.error.message
    assert result.error.exit_code == 1
    assert result.facts.om_bytes
    assert "inference.om" not in job.files
    assert "rejected/inference.om" in job.files


@pytest.mark.parametrize(
    ("mode", "words"), [("truncated", "cut short"), ("not-om", "is not an OM file")]
)
def test_an_om_file_that_cannot_be_read_is_a_failure_of_the_stage(
    mode, words, compiled, simulated_atc
):
    simulated_atc(mode)
    job, result = compiled(text_model(), shapes=SHAPE)
    assert result.error.exit_code == 1
    assert words in result.error.message
    assert "inference.om" not in job.files


PROFILES = ({"x": (1, 3, 48, 320)}, {"x": (1, 3, 48, 640)})


@pytest.mark.parametrize(
    ("flag", "profiles"),
    [
        ("dynamic_batch_size", ({"x": (1, 3, 48, 320)}, {"x": (4, 3, 48, 320)})),
        ("dynamic_image_size", PROFILES),
        ("dynamic_dims", PROFILES),
    ],
)
def test_profiles(flag, profiles, compiled, simulated_atc):
    simulated_atc("faithful")
    job, result = compiled(text_model(), profiles=profiles, profile_flag=flag, target="any")
    assert result.status is Status.OK, result.error
    assert any(word.startswith(f"--{flag}=") for word in result.facts.argv)
    assert result.facts.changes == ()
    assert "PaddleX" not in texts(result)
    om = read_om(job.files["inference.om"][0])
    assert om.profiles.kind == {"batch_size": "batch", "image_size": "image"}.get(flag[8:], "dims")


def test_other_profiles_than_asked_for(compiled, simulated_atc):
    simulated_atc("wrong:profiles")
    _, result = compiled(text_model(), profiles=PROFILES)
    assert "not --dynamic_image_size=48,320;48,640" in result.error.message


@pytest.mark.parametrize(
    "options", [{"profiles": PROFILES}, {"shapes": {"x": (6, 3, 48, 320)}}], ids=["profiles", "six"]
)
def test_what_paddlex_cannot_run_is_warned_of(options, compiled, simulated_atc):
    simulated_atc("faithful")
    _, result = compiled(text_model(), **options)
    assert result.status is Status.OK
    assert any(m.level == "warning" and "PaddleX" in m.text for m in result.messages)


def test_inputs_get_the_order_in_which_paddlex_feeds_them(compiled, simulated_atc):
    calls = simulated_atc("faithful")
    job, result = compiled(detector(("image", "scale_factor", "im_shape")))
    assert result.status is Status.OK, result.error
    assert "inputs in alphabetical order" in texts(result)
    names = [spec.name for spec in describe_file(job.files["atc.onnx"][0]).inputs]
    assert names == ["im_shape", "image", "scale_factor"]
    (call,) = read_calls(calls)
    assert call["input_shape"] == "im_shape:1,2;image:1,3,640,640;scale_factor:1,2"


def test_inputs_that_cannot_be_put_in_order_are_a_failure(compiled, simulated_atc, monkeypatch):
    calls = simulated_atc("faithful")
    monkeypatch.setattr("converter.stages.prepare._LARGEST", 10)
    _, result = compiled(detector(("image", "scale_factor", "im_shape")))
    assert "PaddleX feeds inputs in alphabetical order" in result.error.message
    assert not calls.exists()


def test_a_model_that_is_too_large_for_changes(compiled, simulated_atc, monkeypatch):
    simulated_atc("faithful")
    monkeypatch.setattr("converter.stages.prepare._LARGEST", 10)
    _, result = compiled(detector())
    assert result.status is Status.DEGRADED
    assert "larger than 2 GB" in texts(result)


def test_another_target_keeps_the_order(compiled, simulated_atc):
    simulated_atc("faithful")
    order = ("image", "scale_factor", "im_shape")
    _, result = compiled(detector(order), target="any")
    assert result.status is Status.OK, result.error
    assert [text.split()[0] for text in result.facts.om_inputs] == list(order)


def spoil_onnxsim(monkeypatch, spoil) -> None:
    simplify = onnxsim.simplify

    def spoilt(model, **options):
        made, checked = simplify(model, **options)
        return spoil(made), checked

    monkeypatch.setattr(onnxsim, "simplify", spoilt)


def double(model: onnx.ModelProto) -> onnx.ModelProto:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            doubled = 2 * onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(doubled, tensor.name))
    return model


def rename(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.node[-1].output[0] = model.graph.output[0].name = "z"
    return model


def refuse(_model: onnx.ModelProto) -> onnx.ModelProto:
    raise RuntimeError("planted")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (double, "changed the result"),
        (rename, "changed the model's signature"),
        (refuse, "it cannot be made static: onnxsim failed: planted"),
    ],
)
def test_a_static_model_that_is_another_is_not_used(
    spoil, words, compiled, simulated_atc, monkeypatch
):
    simulated_atc("faithful")
    spoil_onnxsim(monkeypatch, spoil)
    job, result = compiled(text_model(), shapes=SHAPE)
    assert result.status is Status.DEGRADED
    assert words in texts(result)
    assert result.facts.changes == ()
    assert job.files["atc.onnx"][0].read_bytes() == Path(job.task.source).read_bytes()
    assert "inference.om" in job.files


@pytest.mark.parametrize("ending", ["cut", "memory"])
def test_what_a_limit_decided_is_said_and_not_lasting(ending, compiled, simulated_atc, monkeypatch):
    simulated_atc("faithful")
    simplify = bridge_onnxsim.simplify

    def ended(*args, **options):
        if ending == "memory":
            raise StageError("onnxsim failed: std::bad_alloc", hint="none") from MemoryError()
        return simplify(*args, **options)._replace(cut="was killed by SIGSEGV")

    monkeypatch.setattr(bridge_onnxsim, "simplify", ended)
    job, _ = compiled(text_model(), shapes=SHAPE)
    stage = CompileStage()
    result = stage(job)

    assert result.status is Status.DEGRADED
    assert "inference.om" in job.files
    assert not stage.lasting
    if ending == "cut":
        told = "only folded constants for atc: onnxsim's optimiser was killed by SIGSEGV"
        assert told in texts(result)
        assert "made static" in result.facts.changes[0]


def test_a_shape_that_the_model_cannot_run_on_is_told_before_atc(compiled, simulated_atc):
    calls = simulated_atc("faithful")
    model = text_model()
    model.graph.initializer[2].CopyFrom(
        onnx.numpy_helper.from_array(np.array([1000], np.int64), "rest")
    )
    _, result = compiled(model, shapes=SHAPE)
    assert result.error.exit_code == 2
    assert "cannot run the model on x[1, 3, 48, 320]" in result.error.message
    assert "--shape" in result.error.hint
    assert not calls.exists()


YML = """
Global: {{model_name: my_model}}
PreProcess:
  transform_ops:
  - DecodeImage: {{img_mode: BGR}}
  - RecResizeImg: {{image_shape: [3, 48, 320]}}
{more}"""


def test_aipp_from_the_models_normalisation(compiled, simulated_atc):
    calls = simulated_atc("faithful")
    job, result = compiled(text_model(), YML.format(more=""), aipp="rgb")
    assert result.status is Status.OK, result.error
    assert result.facts.shapes_from == {"x": "preprocess"}
    assert "uint8 in NHWC (RGB, 0 to 255)" in texts(result)
    assert result.facts.om_inputs == ("x uint8[1,48,320,3]",)
    (call,) = read_calls(calls)
    assert call["insert_op_conf"] == "aipp.cfg"
    text = job.files["aipp.cfg"][0].read_text()
    assert "rbuv_swap_switch: true" in text  # RGB is fed, the model wants BGR
    assert "mean_chn_0: 127" in text


def test_an_aipp_file_of_the_users_own(compiled, simulated_atc, tmp_path):
    simulated_atc("faithful")
    own = tmp_path / "my own.cfg"
    own.write_text("aipp_op { aipp_mode: static related_input_rank: 0 }\n")
    job, result = compiled(text_model(), shapes=SHAPE, aipp=str(own))
    assert result.status is Status.OK, result.error
    assert job.files["aipp.cfg"][0].read_text() == own.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"aipp": "rgb"}, "inference.yml does not say how the image is normalised"),
        ({"aipp": "/no/such/file"}, "neither rgb, nor bgr, nor a file"),
        ({"profiles": PROFILES, "profile_flag": "dynamic_dims", "aipp": "rgb"}, "(atc: E10001)"),
    ],
)
def test_aipp_mistakes(options, words, compiled):
    _, result = compiled(text_model(), **{"shapes": SHAPE, **options})
    assert result.error.exit_code == 2
    assert words in result.error.message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shapes": {"y": (1,)}}, "'y', which is not an input"),
        ({"precision": "mixed_bfloat16"}, "is not for --soc_version=Ascend310P3"),
        ({"keep_dtype": "/no/such.cfg"}, "--keep-dtype: /no/such.cfg is not a file"),
        ({"flags": {"model": "x"}}, "--atc-flag model=... is decided by paddle2om"),
        ({"flags": {"frob": "1"}}, "no flag --frob"),
        ({"flags": {"allow_hf32": "maybe"}}, "--allow_hf32 cannot be 'maybe'"),
        ({"modify_mixlist": __file__}, "is not valid JSON"),
        ({"cann": "eight"}, "'eight' is not a CANN version"),
    ],
)
def test_mistakes_end_before_atc(options, words, compiled, simulated_atc):
    calls = simulated_atc("faithful")
    _, result = compiled(text_model(), **{"shapes": SHAPE, **options})
    assert result.status is Status.FAILED
    assert result.error.exit_code == 2
    assert words in result.error.message
    assert result.error.hint
    assert not calls.exists()


def test_an_operator_that_went_into_a_constant_is_told(compiled, simulated_atc, tmp_path):
    simulated_atc("faithful")
    keep = tmp_path / "keep"
    keep.write_text("scale\ntarget\n")
    _, result = compiled(text_model(), shapes=SHAPE, keep_dtype=str(keep))
    assert result.status is Status.OK, result.error
    assert "--keep-dtype: target went into" in texts(result)


def test_a_dynamic_om_file_is_warned_of(compiled, simulated_atc):
    simulated_atc("faithful")
    model = build(
        [helper.make_node("NonZero", ["x"], ["y"], "where")],
        {"x": [4]},
        {"y": [1, "count"]},
        dtypes={"y": TensorProto.INT64},
    )
    _, result = compiled(model)
    assert result.status is Status.OK, result.error
    assert "the OM file has dynamic shapes: output where:0:y" in texts(result)
    (finding,) = result.facts.findings
    assert finding.subject == "NonZero"


def test_what_the_preflight_found_is_kept_when_atc_fails(compiled, simulated_atc):
    simulated_atc("faithful")
    model = build(
        [helper.make_node("DFT", ["x"], ["y"], "dft")], {"x": [1, 8, 2]}, {"y": [1, 8, 2]}
    )
    job, result = compiled(model)
    assert result.status is Status.FAILED
    assert "E16002" in result.error.message
    (finding,) = result.facts.findings
    assert (finding.severity, finding.subject) == ("error", "DFT")
    assert "pre-flight: DFT" in texts(result)
    assert "atc.sh" in job.files


def test_a_preflight_alone_starts_no_atc(compiled, simulated_atc):
    calls = simulated_atc("faithful")
    model = build(
        [helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], "norm", num_groups=1)],
        {"x": [1, 2, 4, 4]},
        {"y": [1, 2, 4, 4]},
        weights={"s": np.ones(1, np.float32), "b": np.zeros(1, np.float32)},
        opset=18,
    )
    job, result = compiled(model, only_plan=True)
    assert result.status is Status.FAILED
    assert "GroupNormalization (norm): atc has no parser" in result.error.message
    assert result.error.hint == "export at opset 17 or lower, where it is made of other operators"
    assert not calls.exists()
    assert set(job.files) == set()


def static_model() -> onnx.ModelProto:
    weights = {"w": np.full((1, 3, 8, 8), 0.5, np.float32)}
    node = helper.make_node("Mul", ["x", "w"], ["y"], "scale")
    return build([node], {"x": [1, 3, 8, 8]}, {"y": [1, 3, 8, 8]}, weights=weights)


@pytest.mark.parametrize("model", [static_model(), text_model()], ids=["as it is", "changed"])
def test_the_script_has_all_it_needs(model, compiled, simulated_atc, tmp_path):
    """The OM file that the script makes is the one that the stage made."""
    simulated_atc("faithful")
    keep = tmp_path / "keep"
    keep.write_text("scale\n")
    shape = {"x": (1, 3, 8, 8)}
    job, result = compiled(model, shapes=shape, keep_dtype=str(keep))
    assert result.status is Status.OK, result.error
    publish(job)
    out = tmp_path / "out"
    made = (out / "inference.om").read_bytes()
    (out / "inference.om").unlink()

    ended = subprocess.run(["bash", str(out / "atc.sh")], capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    assert (out / "inference.om").read_bytes() == made


def test_weights_in_another_file(compiled, simulated_atc, tmp_path):
    """A model that is changed gets them; one that is not has them beside it."""
    simulated_atc("faithful")
    directory = tmp_path / "model"
    directory.mkdir()
    onnx.save_model(
        static_model(),
        str(directory / "inference.onnx"),
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    model = onnx.load(directory / "inference.onnx", load_external_data=False)
    job, result = compiled(model)
    assert result.status is Status.OK, result.error
    assert result.facts.changes == ()
    assert "weights.bin" in job.files

    (directory / "weights.bin").unlink()
    read = ReadStage()(job)
    assert read.error.exit_code == 2


def test_options_travel_as_json():
    options = CompileOptions(soc=SOC, profiles=PROFILES, precision="origin", flags={"log": "error"})
    again = CompileOptions.model_validate(json.loads(options.model_dump_json()))
    assert again == options
    assert options.asked == ("profiles", "precision", "flags")
    with pytest.raises(InputError, match="--precision cannot be 'fp8'"):
        CompileOptions(precision="fp8")


def test_the_users_model_stays_as_it_is(compiled, simulated_atc, tmp_path):
    simulated_atc("faithful")
    job, _ = compiled(text_model(), shapes=SHAPE)
    source = Path(job.task.source)
    assert describe_file(source).inputs[0].is_dynamic
    assert [path.name for path in source.parent.iterdir()] == ["inference.onnx"]
