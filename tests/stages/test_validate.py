"""The validate stage on small Paddle models: what must fail, and what passes but proves little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.model.comparison import ValidateFacts
from converter.model.result import InspectFacts, Status
from converter.model.task import ConvertOptions, Task
from converter.stages.export import ExportStage
from converter.stages.inspect import InspectStage
from converter.stages.job import Job
from converter.stages.pipeline import STAGES
from converter.stages.simplify import SimplifyStage
from converter.stages.validate import ValidateStage, _next


@pytest.fixture
def job_of(tmp_path):
    """Returns a function that saves a Paddle function and makes an inspected job of it.

    The function takes ``table`` too when there is one; it becomes the model's parameter.
    """
    import paddle

    def make(forward, shape, dtype="float32", table=None, **options) -> Job:
        class Model(paddle.nn.Layer):
            def __init__(self):
                super().__init__()
                if table is not None:
                    self.register_buffer("table", paddle.to_tensor(table))

            def forward(self, x):
                return forward(x) if table is None else forward(x, self.table)

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
    assert [case.passed for case in facts.cases] == [True, True, False, False, True]


def test_a_score_that_pixels_hide_fails(job_of):
    """A detector's rows: a class and a score next to coordinates up to 640."""
    pixels = np.array([1, 1, 6400, 6400, 6400, 6400], np.float32)
    job = job_of(lambda x, table: x * table, [20, 6], table=pixels)
    wrong = pixels * np.array([1, 0.99, 1, 1, 1, 1], np.float32)
    planted(job, helper.make_node("Mul", ["x", "wrong"], ["y0"]), constants={"wrong": wrong})

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.FAILED
    assert "in column 1 exceeds" in validated.error.message
    assert validated.error.hint == _next(job.options)


def by_mask(x):
    """What is above the middle first, by an unstable sort, as in PP-DocLayoutV2."""
    import paddle

    order = paddle.argsort((x > 0.5).astype("float32"), axis=1, descending=True)
    return paddle.take_along_axis(x, order, axis=1)


def test_the_order_of_equal_values_is_that_of_a_stable_sort(job_of):
    """Paddle's own order is chance where it matters; ONNX has the lower index first."""
    job = job_of(by_mask, [-1, 300])

    _, validated = run(job, ExportStage(), SimplifyStage(), ValidateStage())

    assert validated.status is Status.OK, validated.error
    assert any(case.stable for case in validated.facts.cases)
    (note,) = [message.text for message in validated.messages if "stable=False" in message.text]
    assert "not with its unstable one" in note


def test_a_fault_beside_a_sort_of_equal_values_fails(job_of):
    table = np.full(300, 1.01, np.float32)
    job = job_of(lambda x, table: by_mask(x) * table, [-1, 300], table=table)
    run(job, ExportStage())
    model = onnx.load(job.onnx)
    (stored,) = [t for t in model.graph.initializer if list(t.dims) == [300]]
    stored.CopyFrom(onnx.numpy_helper.from_array(table + np.float32(0.01), stored.name))
    job.onnx = job.onnx.with_name("faulty.onnx")
    onnx.save(model, job.onnx)

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.FAILED
    assert not any(case.stable for case in validated.facts.cases)


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
    assert "width 224 only" in message.text


def test_indices_stay_what_paddle_accepts(job_of):
    import paddle

    table = np.random.default_rng(0).random((50, 4)).astype("float32")
    job = job_of(paddle.nn.functional.embedding, [-1, -1], "int64", table)

    _, validated = run(job, ExportStage(), ValidateStage())

    assert validated.status is Status.OK
    (message,) = validated.messages
    assert message.level == "info"
    assert message.text.startswith("integers below 0 were not compared: Paddle cannot run")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "paddle2om locate MODEL rejected/inference.onnx finds"),
        ({"seed": 1}, "paddle2om locate MODEL rejected/inference.onnx --seed 1 finds"),
        ({"rename": {"x": "image"}}, None),
    ],
    ids=["plain", "seed", "renamed"],
)
def test_a_failed_gate_says_how_to_find_the_operator(options, told) -> None:
    """``locate`` takes the model's own names, and its seed has to be the run's."""
    hint = _next(ConvertOptions(**options))
    assert hint.startswith("the files are kept under rejected/")
    assert "locate" not in hint if told is None else told in hint


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


@pytest.mark.parametrize("first", ["float16", "float32"])
def test_every_float_output_has_the_tolerance_of_its_dtype(first, job_of):
    """4e-4 of the peak is rounding in float16 and an error in float32, whichever comes first."""
    second = {"float16": "float32", "float32": "float16"}[first]
    job = job_of(lambda x: ((x * 2.0).astype(first), (x * 2.0).astype(second)), [-1, 10])
    factor = {"float16": 2.0008, "float32": 2.0008}
    nodes = []
    for index, dtype in enumerate((first, second)):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        nodes.append(helper.make_node("Mul", ["x", f"by_{dtype}"], [f"m{index}"]))
        nodes.append(helper.make_node("Cast", [f"m{index}"], [f"y{index}"], to=kind))
    constants = {f"by_{dtype}": single(value) for dtype, value in factor.items()}
    planted(job, *nodes, constants=constants)

    _, validated = run(job, ValidateStage())

    passed = {out.dtype: out.passed for case in validated.facts.cases for out in case.outputs}
    assert passed == {"float16": True, "float32": False}
    assert validated.facts.tolerance.atol == {"float16": 1e-3, "float32": 1e-5}[first]


def layer_norm(swapped: bool) -> list[onnx.NodeProto]:
    """A layer norm over the last axis in the form of opset 13."""
    divide = ["deviation", "centred"] if swapped else ["centred", "deviation"]
    make = helper.make_node
    return [
        make("ReduceMean", ["x"], ["mean"], axes=[-1]),
        make("Sub", ["x", "mean"], ["centred"]),
        make("Pow", ["centred", "two"], ["squared"]),
        make("ReduceMean", ["squared"], ["variance"], axes=[-1]),
        make("Add", ["variance", "epsilon"], ["above"]),
        make("Sqrt", ["above"], ["deviation"]),
        make("Div", divide, ["normed"]),
        make("Mul", ["normed", "scale"], ["scaled"]),
        make("Add", ["scaled", "shift"], ["y0"]),
    ]


@pytest.mark.parametrize("swapped", [True, False])
def test_a_fault_that_onnx_runtimes_fusion_hides_fails(job_of, swapped):
    """Its layer norm fusion takes the operands of the division in either order."""
    import paddle

    job = job_of(lambda x: paddle.nn.functional.layer_norm(x, 16, epsilon=1e-5), [4, 16])
    constants = {
        "two": single(2),
        "epsilon": single(1e-5),
        "scale": np.ones(16, np.float32),
        "shift": np.zeros(16, np.float32),
    }
    planted(job, *layer_norm(swapped), constants=constants)

    _, validated = run(job, ValidateStage())

    *usual, plain = validated.facts.cases
    assert plain.label == f"{usual[0].label}, not optimised"
    assert all(case.passed for case in usual)  # ONNX Runtime hides it, or it is none
    assert plain.passed is not swapped
    if swapped:
        assert validated.error.exit_code == 3
        assert "not optimised" in validated.error.message


def test_a_graph_that_runs_only_optimised_is_told_and_no_failure(job_of, monkeypatch):
    from converter.errors import StageError

    def refuse(self, onnx, reference):
        raise StageError("no kernel", hint="")

    job = job_of(lambda x: x * 2, [2, 3])
    planted(job, helper.make_node("Add", ["x", "x"], ["y0"]), constants={})
    monkeypatch.setattr(Job, "plain_outputs", refuse)

    _, validated = run(job, ValidateStage())

    assert validated.error is None
    assert not any("not optimised" in case.label for case in validated.facts.cases)
    assert any("no kernel" in message.text for message in validated.messages)
