"""The validate stage on small Paddle models: what must fail, and what passes but proves little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.accuracy.reference import PaddleReference
from converter.model.result import InspectFacts, Status, ValidateFacts
from converter.model.task import ConvertOptions, Task
from converter.stages.export import ExportStage
from converter.stages.inspect import InspectStage
from converter.stages.job import Job
from converter.stages.pipeline import STAGES
from converter.stages.simplify import SimplifyStage
from converter.stages.validate import ValidateStage


@pytest.fixture
def job_of(tmp_path):
    """Returns a function that saves a Paddle function and makes an inspected job of it."""
    import paddle

    def make(forward, shape, dtype="float32", **options) -> Job:
        class Model(paddle.nn.Layer):
            def forward(self, x):
                return forward(x)

        spec = [paddle.static.InputSpec(shape, dtype, "x")]
        paddle.jit.save(Model(), str(tmp_path / "model" / "inference"), input_spec=spec)
        (tmp_path / "work").mkdir()
        job = Job(
            Task(
                name="model",
                source=str(tmp_path / "model"),
                stages=STAGES,
                work_dir=str(tmp_path / "work"),
                destination=str(tmp_path / "out" / "model"),
                report_root=str(tmp_path / "out"),
                options=ConvertOptions(opset=13, **options),
            )
        )
        return run(job, InspectStage())[0]

    return make


def run(job: Job, *stages):
    for stage in stages:
        job.results[stage.name] = stage(job)
    return job, job.results[stages[-1].name]


def planted(job: Job, *nodes: onnx.NodeProto, constants: dict[str, np.ndarray]) -> Job:
    """Gives the job this graph as its ONNX model; its nodes take x and make y0, y1 ..."""
    described = job.facts(InspectFacts)
    names = {f"y{i}": spec.name for i, spec in enumerate(described.outputs)}

    def value(spec):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
        return helper.make_tensor_value_info(spec.name, kind, list(spec.shape))

    for node in nodes:
        node.output[:] = [names.get(name, name) for name in node.output]
    graph = helper.make_graph(
        list(nodes),
        "planted",
        [value(spec) for spec in described.inputs],
        [value(spec) for spec in described.outputs],
        [onnx.numpy_helper.from_array(tensor, name) for name, tensor in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    job.onnx = Path(job.task.work_dir) / "planted.onnx"
    onnx.save_model(model, job.onnx)
    return job


def single(value, dtype=np.float32) -> np.ndarray:
    return np.array(value, dtype)


def test_a_clip_at_the_wrong_bounds_fails(job_of):
    """paddle2onnx 2.1 forgets the bounds of ``hardtanh``: the two are equal on [0, 1)."""
    import paddle

    job = job_of(lambda x: paddle.nn.functional.hardtanh(x, -2.0, 3.0), [-1, 10])
    clip = helper.make_node("Clip", ["x", "low", "high"], ["y0"])
    planted(job, clip, constants={"low": single(-1), "high": single(1)})

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.FAILED
    assert validated.error.exit_code == 3
    facts = validated.facts
    assert isinstance(facts, ValidateFacts)
    assert [case.passed for case in facts.cases] == [True, True, False, False]


def test_a_score_that_pixels_hide_fails(job_of):
    """A detector's rows: a class and a score next to coordinates up to 640."""
    job = job_of(lambda x: x * 1.0, [20, 6])
    scale = np.array([1, 0.99, 1, 1, 6400, 6400], np.float32)
    graph = helper.make_node("Mul", ["x", "scale"], ["y0"])
    planted(job, graph, constants={"scale": scale})
    # The planted model is compared with one that has the coordinates right.
    whole = job.reference
    for case in whole.cases():
        case.outputs.update(
            {
                name: tensor * (scale / [1, 0.99, 1, 1, 1, 1])
                for name, tensor in case.outputs.items()
            }
        )
        for name, tensor in case.outputs.items():
            case.outputs[name] = tensor.astype(np.float32)

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.FAILED
    assert "in column 1 exceeds" in validated.error.message


def test_nan_everywhere_fails_with_its_own_reason(job_of):
    job = job_of(lambda x: (-x.abs() - 1.0).log(), [-1, 10])

    _, validated = run(job, ExportStage(), ValidateStage())

    assert validated.status is Status.FAILED
    assert validated.error.exit_code == 3
    assert "the comparison with Paddle is void" in validated.error.message
    assert "NaN everywhere in every case" in validated.error.message


def test_zeros_against_almost_zeros_are_degraded(job_of):
    job = job_of(lambda x: x * 0.0, [-1, 10])
    nodes = (
        helper.make_node("Mul", ["x", "zero"], ["none"]),
        helper.make_node("Add", ["none", "little"], ["y0"]),
    )
    planted(job, *nodes, constants={"zero": single(0), "little": single(1e-6)})

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.DEGRADED
    assert "proves little" in validated.messages[0].text
    assert "--seed" in validated.messages[0].hint


def test_a_constant_shape_next_to_numbers_is_ok(job_of):
    import paddle

    job = job_of(lambda x: (x * 2.0, paddle.full([2], 7, "int64")), [-1, 10])

    _, validated = run(job, ExportStage(), ValidateStage())

    assert validated.status is Status.OK
    assert validated.messages == ()


def test_a_batch_that_only_takes_one_is_degraded(job_of):
    job = job_of(lambda x: x.reshape([1, 10]) * 2.0, [-1, 10])

    _, validated = run(job, ExportStage(), SimplifyStage(), ValidateStage())

    assert validated.status is Status.DEGRADED
    (message,) = validated.messages
    assert message.text == "only one of the planned shapes runs in Paddle: x[1, 10]"
    assert "inference.yml" in message.hint
    assert "--shape" not in message.hint
    assert len({case.seed for case in validated.facts.cases}) >= 3
    assert len(validated.facts.rejected_shapes) == 1


def test_one_spatial_size_is_a_warning(job_of):
    job = job_of(lambda x: x.reshape([-1, 2 * 224 * 224]) * 2.0, [-1, 4, -1, -1])

    _, validated = run(job, ExportStage(), ValidateStage())

    assert validated.status is Status.OK
    (message,) = validated.messages
    assert message.level == "warning"
    assert "height 224, width 224 only" in message.text


def test_indices_stay_what_paddle_accepts(job_of):
    import paddle

    table = paddle.to_tensor(np.random.default_rng(0).random((50, 4)).astype("float32"))
    job = job_of(lambda x: paddle.nn.functional.embedding(x, table), [-1, -1], "int64")

    _, validated = run(job, ExportStage(), ValidateStage())

    assert validated.status is Status.OK
    (message,) = validated.messages
    assert message.level == "info"
    assert message.text.startswith("integers below 0 were not compared: Paddle cannot run")


def test_atol_does_not_loosen_integers(job_of):
    job = job_of(lambda x: (x * 2.0, x.astype("int64")), [-1, 10], atol=2.0)
    nodes = (
        helper.make_node("Mul", ["x", "two"], ["y0"]),
        helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Add", ["whole", "more"], ["y1"]),
    )
    planted(job, *nodes, constants={"two": single(2), "more": single(2, np.int64)})

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.FAILED
    assert "integers differ by up to 2" in validated.error.message
    assert validated.facts.tolerance.atol == 2.0


def test_every_float_output_has_the_tolerance_of_its_dtype(job_of):
    """5e-4 is nothing in float16, and too much in float32, whichever output comes first."""
    for first in ("float16", "float32"):
        second = {"float16": "float32", "float32": "float16"}[first]
        outcomes = []
        for wrong in (first, second):
            outcomes.append((wrong, _passes(first, second, wrong)))
        assert outcomes == [(first, first == "float16"), (second, second == "float16")]


def _passes(first: str, second: str, wrong: str) -> bool:
    from converter.accuracy.gate import compare_case

    exact = {name: np.linspace(0.1, 1, 40).astype(name) for name in (first, second)}
    other = dict(exact)
    other[wrong] = exact[wrong] + np.array(4.9e-4, wrong)
    return compare_case("case", {}, 0, exact, other, None).passed


def test_a_reference_is_what_the_job_makes(job_of):
    assert isinstance(job_of(lambda x: x + 1.0, [2, 2]).reference, PaddleReference)
