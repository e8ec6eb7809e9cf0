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


def run_paddle(program: Path, runs: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
    """Run the saved program plainly on the CPU, once per set of inputs."""
    from converter.accuracy.predictor import PaddlePredictor

    params = program.with_suffix(".pdiparams")
    predictor = PaddlePredictor(program, params if params.exists() else None, threads=1)
    names = [spec.name for spec in describe_pir(load_pir(program), source="it").outputs]
    results = []
    for arrays in runs:
        feeds = {f"x{index}": array for index, array in enumerate(arrays)}
        results.append(list(predictor.run(feeds, names).values()))
    return results


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
        saved = Saved(function, arrays, tmp_path, static=static, specs=specs, more=more)
        translated = saved.compare(opset, atol=atol, rtol=rtol)
        if lowered:
            assert any(repair.name.startswith("lower-") for repair in translated.repairs)
        return translated

    return run


@pytest.fixture
def check_case(tmp_path: Path) -> Callable[[Any], None]:
    """``check_case((function, arrays, options))``: compare at opsets 11 and 17.

    One saved program and one run of Paddle serve both. The options are those of ``check``
    and ``opsets``. Not every form is lowered at every opset; the numbers must agree at all.
    """

    def run(case: Any) -> None:
        function, arrays, *rest = case
        options = dict(*rest)
        limits = {key: options.pop(key) for key in ("atol", "rtol") if key in options}
        opsets = options.pop("opsets", (11, 17))
        saved = Saved(function, arrays, tmp_path, **options)
        for opset in opsets:
            saved.compare(opset, **limits)

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Saved]:
    """``saved(function, arrays, ...)``: a model to be translated and run."""
    return lambda function, arrays, **options: Saved(function, arrays, tmp_path, **options)


class Saved:
    """A function saved as a model, with inputs and what Paddle makes of them."""

    def __init__(
        self,
        function: Callable[..., Any],
        arrays: Sequence[np.ndarray],
        to: Path,
        *,
        static: bool = False,
        specs: Sequence[tuple[Sequence[int], str]] | None = None,
        more: Sequence[Sequence[np.ndarray]] = (),
    ) -> None:
        arrays, *more = ([np.asarray(array) for array in run] for run in (arrays, *more))
        specs = specs or [
            (array.shape if static else (-1,) * array.ndim, array.dtype.name) for array in arrays
        ]
        self.directory = to
        self.program = save(function, specs, to)
        self.feeds = (arrays, *more)
        self.wanted = run_paddle(self.program, self.feeds)

    def run(self, opset: int) -> tuple[Translation, list[np.ndarray]]:
        """Translate at ``opset`` and run on the first inputs."""
        translated = self.translate(opset)
        return translated, run_onnx(translated.model, self.feeds[0])

    def compare(self, opset: int, *, atol: float = 1e-6, rtol: float = 1e-5) -> Translation:
        """Translate at ``opset``, check the model and what ONNX Runtime makes of the inputs."""
        translated = self.translate(opset)
        for feeds, wanted in zip(self.feeds, self.wanted, strict=True):
            found = run_onnx(translated.model, feeds)
            assert len(wanted) == len(found) > 0
            for expected, actual in zip(wanted, found, strict=True):
                form, wanted_form = (actual.dtype, actual.shape), (expected.dtype, expected.shape)
                assert form == wanted_form, f"{form} instead of {wanted_form}"
                np.testing.assert_allclose(actual, expected, atol=atol, rtol=rtol)
        return translated

    def translate(self, opset: int) -> Translation:
        """Translate at exactly ``opset``; the model is valid."""
        import onnx

        document = load_pir(self.program)
        params = self.program.with_suffix(".pdiparams")
        translated = translate(
            document,
            self.program,
            params if params.exists() else None,
            opset=opset,
            work_dir=self.directory,
        )
        described = describe_pir(document, source="the program")
        name_signature(translated.model, described.inputs, described.outputs)
        onnx.checker.check_model(translated.model, full_check=True)
        domains = {entry.domain: entry.version for entry in translated.model.opset_import}
        assert domains == {"": opset}, f"{domains} instead of opset {opset}"
        return translated
