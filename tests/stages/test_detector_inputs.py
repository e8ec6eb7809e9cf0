"""A detector of three inputs: the size and the scale it gets are those of its image."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper

from converter.model.result import Status
from converter.model.task import ConvertOptions, Task
from converter.stages.inspect import InspectStage
from converter.stages.job import Job
from converter.stages.pipeline import STAGES
from converter.stages.validate import ValidateStage
from tests.stages.test_validate import planted, run


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The largest pixels of two channels, times the size, over the scale, as boxes are."""
    import paddle

    class Detector(paddle.nn.Layer):
        def forward(self, im_shape, image, scale_factor):
            peaks = paddle.max(image, axis=[2, 3])[:, :2]
            return peaks * im_shape / scale_factor

    directory = tmp_path_factory.mktemp("detector")
    shapes = {"im_shape": [-1, 2], "image": [-1, 3, -1, -1], "scale_factor": [-1, 2]}
    spec = [paddle.static.InputSpec(shape, "float32", name) for name, shape in shapes.items()]
    paddle.jit.save(Detector(), str(directory / "inference"), input_spec=spec)
    return directory


def judged(detector: Path, work: Path, scale: str, size: str = "im_shape"):
    """The verdict on an ONNX model that multiplies with ``size`` and divides by ``scale``."""
    import numpy as np

    work.mkdir()
    job = Job(
        Task(
            name="model",
            source=str(detector),
            stages=STAGES,
            work_dir=str(work),
            destination=str(work / "out"),
            report_root=str(work / "out"),
            options=ConvertOptions(opset=13, sweep=True),
        )
    )
    job, _ = run(job, InspectStage())
    make = helper.make_node
    nodes: list[onnx.NodeProto] = [
        make("ReduceMax", ["image"], ["all"], axes=[2, 3], keepdims=0),
        make("Slice", ["all", "from", "to", "axis"], ["peaks"]),
        make("Gather", ["scale_factor", "turn"], ["turned"], axis=1),
        make("Gather", ["im_shape", "turn"], ["turned size"], axis=1),
        make("Mul", ["peaks", size], ["sized"]),
        make("Div", ["sized", scale], ["y0"]),
    ]
    constants = {name: np.array([value]) for name, value in {"from": 0, "to": 2, "axis": 1}.items()}
    planted(job, *nodes, constants={**constants, "turn": np.array([1, 0])})
    return run(job, ValidateStage())[1]


def test_the_right_model_passes_on_every_shape(detector, tmp_path):
    result = judged(detector, tmp_path / "work", "scale_factor")
    assert result.status is Status.OK, result.error
    swept = {shape.what: shape.input_shapes for shape in result.facts.sweep}
    assert swept["batch 3"]["scale_factor"] == (3, 2)
    assert swept["batch 3"]["image"][0] == 3
    assert all(shape.case for shape in result.facts.sweep)


@pytest.mark.parametrize(
    ("scale", "size"), [("turned", "im_shape"), ("scale_factor", "turned size")]
)
def test_height_taken_for_width_fails(detector, tmp_path, scale, size):
    result = judged(detector, tmp_path / "work", scale, size)
    assert result.status is Status.FAILED
    assert result.error.exit_code == 3
