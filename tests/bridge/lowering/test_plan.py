"""Cutting operators out of programs of every form and putting our nodes in their place."""

import numpy as np
import pytest

X = np.array([[1.5, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")


def test_lowered_operator_between_others(check):
    import paddle

    translated = check(lambda x: paddle.nn.functional.relu(paddle.acosh(x * 2.0) - 1.0), X)
    assert [repair.name for repair in translated.repairs] == ["lower-acosh"]


def test_lowered_value_is_output_and_used_again(check):
    import paddle

    def function(x):
        y = paddle.acosh(x)
        return y, paddle.tanh(y), paddle.asinh(y)

    check(function, X)


def test_operand_is_an_output_too(check):
    import paddle

    def function(x):
        y = paddle.tanh(x)
        return y, paddle.asinh(y)

    check(function, X)


def test_same_value_given_out_twice(check):
    import paddle

    def function(x):
        y = paddle.asinh(x)
        return y, y, paddle.tanh(x)

    check(function, X)


def test_same_operator_twice_is_one_repair(check):
    import paddle

    translated = check(lambda x: paddle.acosh(paddle.acosh(x) + 2.0), X)
    (repair,) = translated.repairs
    assert repair.count == 2


def test_lowered_operator_reads_a_parameter(check):
    import paddle

    class Layer(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.bias = self.create_parameter([3], default_initializer=_initial())

        def forward(self, x0):
            return paddle.asinh(self.bias) + x0, paddle.acosh(self.bias)

    translated = check(Layer(), X)
    assert translated.parameters


def test_only_lowered_operators_read_the_parameters(check):
    import paddle

    class Layer(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.bias = self.create_parameter([2, 3], default_initializer=_initial())

        def forward(self, x0):
            return paddle.asinh(self.bias), paddle.acosh(x0)

    translated = check(Layer(), X)
    assert len(translated.parameters) == 1


def test_operators_without_a_form_are_named(check):
    import paddle

    from converter.errors import StageError

    def function(x):
        return paddle.linalg.svd(paddle.acosh(x))[1], paddle.linalg.svd(x)[1]

    with pytest.raises(StageError, match="svd") as caught:
        check(function, X)
    assert "acosh" not in caught.value.message
    assert caught.value.hint


def test_higher_opset_is_suggested(check):
    import paddle

    from converter.errors import StageError

    with pytest.raises(StageError, match="asinh") as caught:
        check(paddle.asinh, X, opset=7)
    assert "--opset 9" in caught.value.hint


def _initial():
    import paddle

    return paddle.nn.initializer.Constant(1.5)


def test_a_result_that_is_an_operand(check):
    """The real part of complex(x, y) is x itself; it gets a name of its own."""
    import paddle

    def function(x, y):
        made = paddle.complex(x, y)
        return paddle.cast(made, "float32") * 2.0, paddle.cast(made, "float32") + y

    check(function, X, X + 1.0, static=True)
