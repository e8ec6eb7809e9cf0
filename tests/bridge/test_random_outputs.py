# ruff: noqa: SIM108
import pytest

from converter.bridge.random_outputs import may_draw, random_outputs
from converter.model.pir import describe_pir
from converter.model.pir_document import (
    attribute_entry,
    load_pir,
    operation_name,
    walk_operations,
)
from tests.bridge.conftest import save

SPECS = [([-1, 4], "float32")]


def outputs_of(function, tmp_path):
    document = load_pir(save(function, SPECS, tmp_path))
    found = random_outputs(document)
    assert may_draw(describe_pir(document, source="x").operators) is bool(found)
    return found


def test_only_what_depends_on_the_draw(tmp_path):
    import paddle

    def function(x):
        noise = paddle.uniform([4], min=0.0, max=1.0)
        return paddle.tanh(x), x + noise, paddle.nn.functional.relu(noise * 2.0) + x

    assert outputs_of(function, tmp_path) == ("fetch_name_1", "fetch_name_2")


def test_a_draw_inside_a_branch(tmp_path):
    import paddle

    class Layer(paddle.nn.Layer):
        def forward(self, x0):
            if x0.sum() > 0:
                y = paddle.uniform([4])
            else:
                y = paddle.ones([4])
            return x0 + y, x0 * 2.0

    assert outputs_of(Layer(), tmp_path) == ("fetch_name_0",)


@pytest.mark.parametrize(("is_test", "found"), [(True, ()), (False, ("fetch_name_0",))])
def test_dropout_draws_in_training_only(tmp_path, is_test, found):
    import paddle

    program = load_pir(
        save(lambda x: paddle.nn.functional.dropout(x, 0.5, training=True) * 2.0, SPECS, tmp_path)
    )
    for operation in walk_operations(program):
        if operation_name(operation) == "pd_op.dropout":
            attribute_entry(operation, "is_test")["D"] = is_test

    assert random_outputs(program) == found


def test_a_draw_that_a_branch_reads_from_outside(tmp_path):
    import paddle

    class Layer(paddle.nn.Layer):
        def forward(self, x0):
            noise = paddle.uniform([4])
            if x0.sum() > 0:
                y = paddle.tanh(noise)
            else:
                y = paddle.sin(noise)
            return x0 + y, paddle.shape(noise)

    assert outputs_of(Layer(), tmp_path) == ("fetch_name_0",)
