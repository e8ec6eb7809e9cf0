"""Sweeps over shapes in the validate stage: faults that the usual shapes hide, and refusals."""

from __future__ import annotations

import numpy as np
from onnx import helper

from converter.model.result import Status
from converter.report.compared import sweep_rows, sweep_text
from converter.stages.validate import ValidateStage
from tests.stages.test_validate import job_of as job_of
from tests.stages.test_validate import planted, run


def test_a_fault_at_odd_sizes_only_fails_the_sweep_and_nothing_else(job_of):
    """A pooling that rounds down where Paddle rounds up is equal on even sizes."""
    import paddle

    def pooled(x):
        return paddle.nn.functional.max_pool2d(x, 2, 2, ceil_mode=True)

    job = job_of(pooled, [-1, 3, -1, -1], sweep=True)
    pool = helper.make_node("MaxPool", ["x"], ["y0"], kernel_shape=[2, 2], strides=[2, 2])
    planted(job, pool, constants={})

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.FAILED
    assert validated.error.exit_code == 3
    failed = {row.shape.what for row in sweep_rows(validated.facts) if not row.case.passed}
    assert failed == {"height odd", "width odd"}
    assert all(case.passed for case in validated.facts.cases[:4])
    assert "2 failed: height odd" in sweep_text(validated.facts)


def test_shapes_that_paddle_refuses_are_told_and_are_no_passes(job_of):
    import paddle

    job = job_of(lambda x: paddle.reshape(x, [0, -1, 2]), [-1, -1], sweep=True)
    reshape = helper.make_node("Reshape", ["x", "to"], ["y0"])
    planted(job, reshape, constants={"to": np.array([0, -1, 2])})

    _, validated = run(job, ValidateStage())

    assert validated.error is None
    rows = {row.shape.what: row for row in sweep_rows(validated.facts)}
    assert rows.keys() == {
        *("batch 1", "batch 3", "sequence odd", "sequence small", "sequence large")
    }
    for what in ("sequence odd", "sequence small"):
        assert rows[what].case is None
        assert rows[what].shape.case is None
        assert "Paddle cannot run" in rows[what].shape.refused
    assert rows["batch 3"].case.passed
    assert rows["batch 3"].case.input_shapes == {"x": (3, 16)}
    assert "3 of 5 shapes compared" in sweep_text(validated.facts)
    assert "the reference itself refuses 2: sequence odd, x 1x15" in sweep_text(validated.facts)


def test_a_sweep_that_paddle_refuses_whole_is_degraded(job_of, monkeypatch):
    from converter.accuracy import predictor, reference

    job = job_of(lambda x: x * 2, [-1, -1], sweep=True)
    planted(job, helper.make_node("Add", ["x", "x"], ["y0"]), constants={})
    plan = reference.plan_sweep

    def impossible(*arguments, **options):
        for swept in plan(*arguments, **options):
            case = swept.case.model_copy(update={"shapes": {"x": (2, 2, 2)}})
            yield swept.model_copy(update={"case": case})

    monkeypatch.setattr(reference, "plan_sweep", impossible)
    monkeypatch.setattr(predictor.PaddlePredictor, "run", _refusing(predictor.PaddlePredictor.run))

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.DEGRADED
    assert "refuses every shape of the sweep" in validated.messages[0].text
    assert all(row.case is None for row in sweep_rows(validated.facts))


def _refusing(real):
    """Paddle's run, but for inputs of rank 3."""
    from converter.errors import StageError

    def run_it(self, inputs, names):
        if any(array.ndim == 3 for array in inputs.values()):
            raise StageError("Paddle cannot run the model on this input", hint="")
        return real(self, inputs, names)

    return run_it


def test_a_shape_that_only_the_onnx_model_refuses_fails_the_gate(job_of):
    job = job_of(lambda x: x * 2, [-1, -1], sweep=True)
    # ConstantOfShape-free: a table of 16 columns that broadcasts with 16 and with 1 only.
    split = helper.make_node("Slice", ["twos", "from", "to", "axes"], ["some"])
    shape = helper.make_node("Shape", ["x"], ["shape"])
    width = helper.make_node("Gather", ["shape", "axes"], ["to"])
    multiply = helper.make_node("Mul", ["x", "some"], ["y0"])
    constants = {
        "twos": np.full((1, 20), 2, np.float32),
        "from": np.array([0]),
        "axes": np.array([1]),
    }
    planted(job, shape, width, split, multiply, constants=constants)

    _, validated = run(job, ValidateStage())

    assert validated.error.exit_code == 3
    rows = {row.shape.what: row for row in sweep_rows(validated.facts)}
    assert not rows["sequence large"].case.passed
    assert "ONNX Runtime cannot run" in rows["sequence large"].case.outputs[0].reason
    assert rows["sequence odd"].case.passed


def test_a_static_model_says_that_there_is_nothing_to_sweep(job_of):
    job = job_of(lambda x: x * 2, [2, 3], sweep=True)
    planted(job, helper.make_node("Add", ["x", "x"], ["y0"]), constants={})

    _, validated = run(job, ValidateStage())

    assert validated.status is Status.OK
    assert any("no dynamic dims" in message.text for message in validated.messages)
