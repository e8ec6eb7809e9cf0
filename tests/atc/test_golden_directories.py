"""Published commands, from a model directory and a soc_version alone (and profiles, where used)."""

from __future__ import annotations

import shlex

import pytest

from converter.model.compile_options import CompileOptions
from converter.model.task import ConvertOptions, Task
from converter.stages.compile_plan import plan_compilation
from converter.stages.job import Job
from converter.stages.read import ReadStage
from tests.atc.onnx_models import detector, save, text_model
from tests.atc.test_golden_commands import flags_of

DET = (
    "Global: {model_name: PP-OCRv4_mobile_det}\n"
    "PreProcess: {transform_ops: [{DetResizeForTest: {resize_long: 960}}]}\n"
)
REC = (
    "Global: {model_name: PP-OCRv4_mobile_rec}\n"
    "PreProcess: {transform_ops: [{RecResizeImg: {image_shape: [3, 48, 320]}}]}\n"
)
RT_DETR = """
Global: {model_name: RT-DETR-L}
Hpi:
  backend_configs:
    paddle_infer:
      trt_dynamic_shapes:
        im_shape: [[1, 2], [1, 2], [8, 2]]
        image: [[1, 3, 640, 640], [1, 3, 640, 640], [8, 3, 640, 640]]
        scale_factor: [[1, 2], [1, 2], [8, 2]]
Preprocess:
- {type: Resize, target_size: [640, 640], keep_ratio: false, interp: 2}
"""
PADDLEX = (
    "atc --model=inference.onnx --framework=5 --output=inference --soc_version=Ascend910B2 "
    "--input_shape={}"
)


@pytest.fixture
def argv_for(tmp_path):
    """Returns a function that plans the compilation of a model directory."""

    def plan(model, yml, soc, **options) -> list[str]:
        directory = save(model, tmp_path / "model", yml)
        (tmp_path / "work").mkdir()
        job = Job(
            Task(
                name="model",
                source=str(directory / "inference.onnx"),
                stages=("read", "compile"),
                work_dir=str(tmp_path / "work"),
                destination=str(tmp_path / "out"),
                report_root=str(tmp_path / "out"),
                options=ConvertOptions(compile=CompileOptions(soc=soc, **options)),
            )
        )
        assert ReadStage()(job).error is None
        return list(plan_compilation(job, soc).facts.argv)

    return plan


@pytest.mark.parametrize(
    ("model", "yml", "input_shape"),
    [
        (text_model(), DET, "x:1,3,640,480"),
        (text_model(), REC, "x:1,3,48,320"),
        (
            detector(("image", "im_shape", "scale_factor")),
            RT_DETR,
            "im_shape:1,2;image:1,3,640,640;scale_factor:1,2",
        ),
    ],
    ids=["det", "rec", "rt-detr"],
)
@pytest.mark.parametrize("precision", [None, "origin"])
def test_paddlex(model, yml, input_shape, precision, argv_for):
    """PaddleX's tutorial for Ascend NPUs."""
    expected = shlex.split(PADDLEX.format(shlex.quote(input_shape)))
    expected += [f"--precision_mode_v2={precision}"] if precision else []
    argv = argv_for(model, yml, "Ascend910B2", precision=precision)
    assert sorted(argv) == sorted(expected)
    assert argv[:5] == expected[:5]


@pytest.mark.parametrize(
    ("published", "profiles"),
    [
        (
            "atc --model=inference.onnx --framework=5 --input_shape=x:-1,3,48,192 "
            '--input_format=ND --dynamic_dims="1;4;8;16;32;" --soc_version=Ascend310P3 '
            "--output=inference --log=error",
            [(n, 3, 48, 192) for n in (1, 4, 8, 16, 32)],
        ),
        (
            "atc --model=inference.onnx --framework=5 --input_shape=x:1,3,-1,-1 "
            '--input_format=ND --dynamic_dims="1248,640;1280,800;" --soc_version=Ascend310P3 '
            "--output=inference --log=error",
            [(1, 3, 1248, 640), (1, 3, 1280, 800)],
        ),
    ],
    ids=["cls", "det"],
)
def test_mindocr(published, profiles, argv_for):
    """MindOCR's commands, but for the names of their files."""
    argv = argv_for(
        text_model(),
        None,
        "Ascend310P3",
        profiles=tuple({"x": shape} for shape in profiles),
        profile_flag="dynamic_dims",
        flags={"log": "error"},
        target="any",
    )
    assert flags_of(shlex.join(argv)) == flags_of(published)


@pytest.mark.parametrize(
    ("cann", "flag"),
    [
        (None, "--precision_mode_v2=origin"),
        ("8.0", "--precision_mode_v2=origin"),
        ("6.3.RC2", "--precision_mode=must_keep_origin_dtype"),
    ],
)
def test_an_older_cann_has_another_name_for_the_same_precision(cann, flag, argv_for):
    assert argv_for(text_model(), REC, "Ascend910B2", precision="origin", cann=cann)[-1] == flag
