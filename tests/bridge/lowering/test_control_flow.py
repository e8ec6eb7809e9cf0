"""If, While and tensor arrays, with operators inside that have to be lowered."""

# ruff: noqa: SIM108

import numpy as np
import pytest

from converter.bridge.lowering import bodies, program_json
from converter.bridge.lowering.outer_writes import outer_writes
from converter.bridge.lowering.program_json import block_operations, blocks_of
from converter.errors import StageError
from converter.model.pir_document import load_pir, operation_name

X = np.array([[1.5, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], "float32")
OPSETS = pytest.mark.parametrize("opset", [11, 13, 17])


def steps(count):
    return np.array([count], "int64")


def linear_layer(forward):
    import paddle

    paddle.seed(0)

    class Layer(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.linear = paddle.nn.Linear(4, 4)

    Layer.forward = forward
    return Layer()


@OPSETS
def test_branch_with_a_lowered_operator_and_weights(check, opset):
    import paddle

    def forward(self, x0):
        if paddle.max(x0) > 6.0:
            y = paddle.asinh(self.linear(x0))
        else:
            y = x0 * 2.0
        return y + x0

    check(linear_layer(forward), X, opset=opset, more=[[X * 0.1]], specs=[([-1, 4], "float32")])


@OPSETS
def test_branches_inside_branches(check, opset):
    import paddle

    def forward(self, x0, x1):
        if x1 > 1:
            if x1 > 2:
                y = paddle.acosh(x0)
            else:
                y = paddle.asinh(x0) + self.linear(x0)
        else:
            y = x0
        return y, paddle.asinh(x0)

    check(
        linear_layer(forward),
        X,
        steps(3),
        opset=opset,
        more=[[X, steps(2)], [X, steps(0)]],
        specs=[([-1, 4], "float32"), ([1], "int64")],
    )


def test_branch_that_reads_a_constant_written_over_another(check, monkeypatch):
    """``assign_value_`` has an operand, which a copy of it in the branch would not have.

    paddle2onnx never looks at that operand, so the program it is given is looked at too.
    """
    import paddle

    programs = []

    def document_of(document, operations):
        programs.append(operations)
        return program_json.document_of(document, operations)

    monkeypatch.setattr(bodies, "document_of", document_of)

    def forward(self, x0):
        weights = paddle.zeros([4])
        weights = paddle.assign(np.float32([1, 2, 3, 4]), weights)
        if paddle.max(x0) > 6.0:
            y = paddle.asinh(x0) * weights
        else:
            y = x0 + weights
        return y

    check(linear_layer(forward), X, opset=11, more=[[X * 0.1]])
    assert len(programs) >= 2
    assert not any(program_json.read_from_outside(operations) for operations in programs)


@OPSETS
def test_loop_with_a_lowered_operator_and_weights(check, opset):
    import paddle

    def forward(self, x0, x1):
        i = paddle.zeros([1], "int64")
        while i < x1:
            x0 = paddle.asinh(self.linear(x0))
            i = i + 1
        return x0, i

    check(
        linear_layer(forward),
        X,
        steps(3),
        opset=opset,
        more=[[X, steps(0)], [X[:1], steps(1)]],
        specs=[([-1, 4], "float32"), ([1], "int64")],
    )


@OPSETS
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_loop_that_fills_a_list(check, opset, axis):
    import paddle

    def forward(self, x0, x1):
        i = paddle.zeros([1], "int64")
        made = []
        while i < x1:
            x0 = paddle.tanh(self.linear(x0))
            i = i + 1
            made.append(x0)
        return x0, paddle.stack(made, axis=axis)

    check(
        linear_layer(forward),
        X,
        steps(3),
        opset=opset,
        more=[[X[:1], steps(1)]],
        specs=[([-1, 4], "float32"), ([1], "int64")],
    )


@OPSETS
def test_loop_that_fills_a_list_joined(check, opset):
    import paddle

    def forward(self, x0, x1):
        i = paddle.zeros([1], "int64")
        made = []
        while i < x1:
            x0 = paddle.tanh(self.linear(x0))
            i = i + 1
            made.append(x0)
        return paddle.concat(made, axis=1)

    check(
        linear_layer(forward),
        X,
        steps(3),
        opset=opset,
        specs=[([-1, 4], "float32"), ([1], "int64")],
    )


@OPSETS
def test_loop_in_a_branch_in_a_loop(check, opset):
    import paddle

    def forward(self, x0, x1):
        i = paddle.zeros([1], "int64")
        while i < x1:
            if i > 1:
                x0 = paddle.asinh(x0)
            else:
                k = paddle.zeros([1], "int64")
                while k < 2:
                    x0 = paddle.asinh(self.linear(x0)) + x0
                    k = k + 1
            i = i + 1
        return x0

    check(
        linear_layer(forward),
        X,
        steps(4),
        opset=opset,
        specs=[([-1, 4], "float32"), ([1], "int64")],
    )


@OPSETS
def test_loop_that_breaks_on_a_scalar_condition(check, opset):
    import paddle

    def forward(self, x0, x1):
        i = paddle.zeros([], "int64")
        while (i < 5).logical_and(paddle.max(x0) < 20.0):
            x0 = paddle.nn.functional.relu(self.linear(x0)) + x0
            i = i + 1
            if (i > x1).all():
                break
        return x0, i

    check(
        linear_layer(forward),
        X,
        steps(2),
        opset=opset,
        more=[[X[:1], steps(0)], [X, steps(9)]],
        specs=[([-1, 4], "float32"), ([1], "int64")],
    )


def _assigned(x):
    import paddle

    y = paddle.zeros([2, 3]) + 1
    if x.sum() > 0:
        paddle.assign(x, output=y)
        w = x * 2
    else:
        w = x * 3
    return y + w


def _set(x):
    import paddle

    y = paddle.zeros([2, 3]) + x.mean()
    before = y
    if x.sum() > 0:
        y[0] = x[0]
        w = x * 2
    else:
        w = x * 3
    return before + w


def _assigned_in_a_loop(x):
    import paddle

    y = paddle.zeros([2, 3]) + x.mean()
    before = y
    i = paddle.zeros([1], "int64")
    w = x
    while i < 3:
        paddle.assign(before + x, output=before)
        w = w + x
        i = i + 1
    return y + w


@pytest.mark.parametrize("function", [_assigned, _set, _assigned_in_a_loop])
def test_a_write_out_of_a_block_is_refused(function, saved):
    """Its value is read afterwards by a number that the block does not yield."""
    model = saved(function, [np.arange(-2, 4, dtype="float32").reshape(2, 3)], static=True)
    with pytest.raises(StageError, match=r"(assign_out_|set_value_\w*) \(it writes into a value"):
        model.translate(11)


def _yielded(x):
    import paddle

    y = paddle.zeros([2, 3]) + x.mean()
    if x.sum() > 0:
        y[0] = x[0]
    return y + 1


def test_a_write_whose_result_is_yielded_is_right(saved):
    x = np.arange(-2, 4, dtype="float32").reshape(2, 3)
    saved(_yielded, [x], static=True, more=[[-x]]).compare(11)


def normed():
    """A batch norm in a branch, of a value that is read after it."""
    import paddle

    class Layer(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.linear = paddle.nn.Linear(4, 4)
            self.norm = paddle.nn.BatchNorm1D(4)
            self.norm._mean.set_value(np.float32([1, -2, 3, 0.5]))
            self.norm._variance.set_value(np.float32([4, 0.25, 2, 1]))

        def forward(self, x0):
            h = self.linear(x0)
            positive = paddle.sum(x0) > 0
            return paddle.static.nn.cond(positive, lambda: self.norm(h), lambda: h * 2) + h

    paddle.seed(0)
    return Layer()


@OPSETS
def test_a_batch_norm_in_a_branch_writes_nothing_that_counts(saved, opset):
    """The program says that it writes to its input; it is the statistics, which inference keeps."""
    model = saved(normed(), [X], more=[[-X]], specs=[([-1, 4], "float32")])
    operations = block_operations(load_pir(model.program))
    (branch,) = (operation for operation in operations if blocks_of(operation))
    norms = [
        operation
        for block in blocks_of(branch)
        for operation in block["ops"]
        if operation_name(operation) == "pd_op.batch_norm_"
    ]
    assert len(norms) == 1

    model.compare(opset, atol=1e-5)

    norms[0]["#"] = norms[0]["#"].replace("batch_norm_", "sync_batch_norm_")
    assert not list(outer_writes(operations))
    norms[0]["#"] = norms[0]["#"].replace("sync_batch_norm_", "scale_")
    assert list(outer_writes(operations)) == ["pd_op.scale_"]
