"""Files of opset 7 and 8 pass the checker and run, with the inputs that the model has."""

import numpy as np
import onnx
import onnxruntime
import pytest


@pytest.mark.parametrize("opset", [7, 8])
def test_integer_constants_become_initializers(check, opset):
    import paddle

    x = np.arange(6, dtype="float32").reshape(2, 3)
    translated = check(lambda x: paddle.reshape(x, [3, -1]) * 2.0, x, opset=opset, lowered=False)

    model = translated.model
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 3
    held = {tensor.name for tensor in model.graph.initializer}
    assert held
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert [value.name for value in session.get_inputs()] == ["x0"]


def test_weights_are_inputs_with_an_initializer(check):
    import paddle

    class Layer(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.linear = paddle.nn.Linear(3, 4)

        def forward(self, x0):
            return paddle.nn.functional.relu(self.linear(x0))

    x = np.arange(6, dtype="float32").reshape(2, 3)
    check(Layer(), x, opset=8, lowered=False, specs=[([-1, 3], "float32")])
