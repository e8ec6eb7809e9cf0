"""Saves a function as a Paddle model, converts it, and compares what both compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.bridge.signature import name_signature
from converter.bridge.translate import Translation, translate
from converter.model.pir import describe_pir
from converter.model.pir_document import load_pir

Check = Callable[..., Translation]


def save(
    function: Callable[..., Any], specs: Sequence[tuple[Sequence[int], str]], to: Path
) -> Path:
    """Save ``function`` of inputs x0, x1, ... with these (shape, dtype); -1 is dynamic."""
    import paddle

    layer = function
    if not isinstance(layer, paddle.nn.Layer):
        layer = _layer(function, len(specs))
    layer.eval()
    inputs = [
        paddle.static.InputSpec(list(shape), dtype, name=f"x{index}")
        for index, (shape, dtype) in enumerate(specs)
    ]
    paddle.jit.save(layer, str(to / "inference"), input_spec=inputs)
    return to / "inference.json"


def _layer(function: Callable[..., Any], arity: int) -> Any:
    """A Paddle layer around ``function``; to_static wants to see how many inputs there are."""
    import paddle

    class Layer(paddle.nn.Layer):
        pass

    def none(self):
        return function()

    def one(self, x0):
        return function(x0)

    def two(self, x0, x1):
        return function(x0, x1)

    def three(self, x0, x1, x2):
        return function(x0, x1, x2)

    def four(self, x0, x1, x2, x3):
        return function(x0, x1, x2, x3)

    Layer.forward = (none, one, two, three, four)[arity]
    return Layer()


def run_paddle(program: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run the saved program plainly on the CPU."""
    from converter.accuracy.reference import PaddlePredictor

    params = program.with_suffix(".pdiparams")
    predictor = PaddlePredictor(program, params if params.exists() else None, threads=1)
    feeds = {f"x{index}": array for index, array in enumerate(arrays)}
    names = [spec.name for spec in describe_pir(load_pir(program), source="it").outputs]
    return list(predictor.run(feeds, names).values())


def run_onnx(model: Any, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run an ONNX model in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    wanted = {value.name for value in session.get_inputs()}
    feeds = {f"x{index}": array for index, array in enumerate(arrays)}
    return list(session.run(None, {name: feeds[name] for name in wanted}))


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """``check(function, *arrays, opset=11, ...)``: convert and compare; returns the translation.

    Inputs are dynamic in every axis unless ``static``. ``lowered`` (default True) asserts that a
    lowering took part, so that a test cannot pass because paddle2onnx did it alone.
    """

    def run(
        function: Callable[..., Any],
        *arrays: np.ndarray,
        opset: int = 11,
        static: bool = False,
        specs: Sequence[tuple[Sequence[int], str]] | None = None,
        atol: float = 1e-6,
        rtol: float = 1e-5,
        lowered: bool = True,
        more: Sequence[Sequence[np.ndarray]] = (),
    ) -> Translation:
        specs = specs or [
            (array.shape if static else (-1,) * array.ndim, array.dtype.name) for array in arrays
        ]
        program = save(function, specs, tmp_path)
        document = load_pir(program)
        described = describe_pir(document, source="the program")
        params = program.with_suffix(".pdiparams")
        translated = translate(
            document,
            program,
            params if params.exists() else None,
            opset=opset,
            work_dir=tmp_path,
        )
        name_signature(translated.model, described.inputs, described.outputs)
        import onnx

        onnx.checker.check_model(translated.model, full_check=True)
        domains = {entry.domain: entry.version for entry in translated.model.opset_import}
        assert domains == {"": opset}
        if lowered:
            assert any(repair.name.startswith("lower-") for repair in translated.repairs)
        for feeds in (arrays, *more):
            wanted = run_paddle(program, feeds)
            found = run_onnx(translated.model, feeds)
            assert len(wanted) == len(found) > 0
            for expected, actual in zip(wanted, found, strict=True):
                assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
                np.testing.assert_allclose(actual, expected, atol=atol, rtol=rtol)
        return translated

    return run
