import numpy as np
import pytest

X = np.arange(2 * 4 * 6, dtype="float32").reshape(2, 4, 6) + 1.0


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("diagonal", [-2, 0, 3])
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_a_triangle(check, name, diagonal, static):
    import paddle

    check(lambda x: getattr(paddle, name)(x, diagonal), X, static=static)


def test_integers(check):
    import paddle

    check(paddle.tril, X[0].astype("int64"))


def test_left_to_onnx_where_it_has_it(check):
    import paddle

    made = check(paddle.triu, X, opset=14, lowered=False)
    assert [node.op_type for node in made.model.graph.node].count("Trilu") == 1
