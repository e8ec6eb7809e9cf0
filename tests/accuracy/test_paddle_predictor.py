"""That Paddle's second answer is as good as its first."""

from __future__ import annotations

import numpy as np
import pytest

from converter.accuracy.predictor import PaddlePredictor, writes_values
from converter.errors import StageError
from converter.model.pir import read_pir


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """y = x, with rows i replaced by those of v."""
    import paddle

    class Put(paddle.nn.Layer):
        def forward(self, x, i, v):
            return paddle.index_put(x, (i,), v)

    stem = tmp_path_factory.mktemp("put") / "inference"
    specs = [((4, 3), "float32", "x"), ((2,), "int64", "i"), ((2, 3), "float32", "v")]
    paddle.jit.save(
        Put(), str(stem), input_spec=[paddle.static.InputSpec(*given) for given in specs]
    )
    return stem.with_suffix(".json")


def test_what_a_run_wrote_is_gone_in_the_next(program):
    names = [spec.name for spec in read_pir(program).outputs]
    predictor = PaddlePredictor(program, None, threads=1)
    rng = np.random.default_rng(0)
    for rows in ([0, 1], [2, 3], [1, 2]):
        x, v = rng.normal(size=(4, 3)).astype("f4"), rng.normal(size=(2, 3)).astype("f4")
        expected = x.copy()
        expected[rows] = v
        inputs = {"x": x, "i": np.array(rows, "int64"), "v": v}
        (made,) = predictor.run(inputs, names).values()
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(("kind", "writes"), [("set_value", True), ("relu", False)])
def test_a_legacy_program_writes_by_its_operators(tmp_path, kind, writes):
    """Not by the table of versions, which names ``set_value`` in every program."""
    from paddle.base.proto import framework_pb2

    described = framework_pb2.ProgramDesc()
    block = described.blocks.add(idx=0, parent_idx=-1)
    block.ops.add(type=kind)
    entry = described.op_version_map.pair.add(op_name="set_value")
    entry.op_version.version = 1
    program = tmp_path / "inference.pdmodel"
    program.write_bytes(described.SerializeToString())
    assert writes_values(program) == writes


def test_a_bfloat16_output_is_refused(tmp_path):
    """Paddle would read it as float32, beyond its end."""
    import paddle

    class Half(paddle.nn.Layer):
        def forward(self, x):
            return paddle.cast(x, "bfloat16")

    stem = tmp_path / "inference"
    spec = paddle.static.InputSpec([None, 8], "float32", "x")
    paddle.jit.save(Half(), str(stem), input_spec=[spec])
    predictor = PaddlePredictor(stem.with_suffix(".json"), None, threads=1)
    with pytest.raises(StageError, match="is bfloat16") as raised:
        predictor.run({"x": np.ones((1, 8), "float32")}, ["y"])
    assert "cast to float32" in raised.value.hint
